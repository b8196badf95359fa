"""Starting a studio: an address with a token, and a server that ends in order."""

import importlib.util
import secrets
import socket

from ..errors import ParameterError
from .work_queue import WorkQueue
from .workspace import Workspace

__all__ = ["Studio", "need_server"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def need_server() -> None:
    """Refuse where the libraries of the server are not installed.

    Raises:
        ParameterError: with the command that installs them.
    """
    lacking = [name for name in ("starlette", "uvicorn") if not importlib.util.find_spec(name)]
    if lacking:
        raise ParameterError(
            f"The studio needs {' and '.join(lacking)}: pip install 'pushforward[studio]'."
        )


class Studio:
    """A studio that listens, and answers from :meth:`run` on until :meth:`stop`.

    Args:
        workspace: what is open; closed at the end of ``run``.
        host: the interface.
        port: 0 for any that is free.

    Attributes:
        workspace: what is open.
        address: of the page, with the token that it takes.
        queue: what does its work.

    Raises:
        ParameterError: for an interface or port that cannot be had.
    """

    def __init__(self, workspace: Workspace, host: str = "127.0.0.1", port: int = 0) -> None:
        import uvicorn

        from .server import studio_app

        self.workspace, self.queue = workspace, WorkQueue()
        self._socket = _listening(host, port)
        port = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(16)
        names = ("127.0.0.1", "localhost", "[::1]")
        hosts = {f"{name}:{port}" for name in names} if host in _LOOPBACK else None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{port}/?token={token}"
        app = studio_app(workspace, self.queue, token=token, hosts=hosts, cookie=f"studio-{port}")
        config = uvicorn.Config(
            app, log_level="error", access_log=False, lifespan="off", server_header=False,
            timeout_graceful_shutdown=2, ws="none", h11_max_incomplete_event_size=32_768,
        )  # fmt: skip
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Answer until interrupted or stopped."""
        try:
            self._server.run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass  # the usual way to end it, and nothing is lost
        finally:
            self._socket.close()
            self.queue.close()
            self.workspace.close()

    def stop(self) -> None:
        """Have ``run`` end, from another thread."""
        self._server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ParameterError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}. Choose another "
            "--port, or leave it out for one that is free."
        ) from error
    return listening
