"""Starting a studio: an address with a token, and a server that ends in order."""

import importlib.util
import secrets
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import ParameterError
from .work_queue import WorkQueue

if TYPE_CHECKING:
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
    """A studio that listens from the start, and answers from :meth:`run` on until :meth:`stop`.

    The page is there at once, while a thread opens the models: what it asks waits for them.

    Args:
        opened: makes the workspace; called once, by ``run``, which closes it at its end.
        host: the interface.
        port: 0 for any that is free.

    Attributes:
        address: of the page, with the token that it takes.
        queue: what does its work.

    Raises:
        ParameterError: for an interface or port that cannot be had.
    """

    def __init__(
        self, opened: "Callable[[], Workspace]", host: str = "127.0.0.1", port: int = 0
    ) -> None:
        import uvicorn

        from .front import Front
        from .guard import Guard

        self._opened, self.queue = opened, WorkQueue()
        self._workspace: Future[Workspace] = Future()
        self._questions: Future[Any] = Future()
        self._socket = _listening(host, port)
        port = self._socket.getsockname()[1]
        token = secrets.token_urlsafe(16)
        names = ("127.0.0.1", "localhost", "[::1]")
        hosts = {f"{name}:{port}" for name in names} if host in _LOOPBACK else None
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{port}/?token={token}"
        app = Guard(Front(self._questions), hosts, token, f"studio-{port}")
        config = uvicorn.Config(
            app, log_level="error", access_log=False, lifespan="off", server_header=False,
            timeout_graceful_shutdown=2, ws="none", h11_max_incomplete_event_size=32_768,
        )  # fmt: skip
        self._server = uvicorn.Server(config)

    @property
    def workspace(self) -> "Workspace":
        """What is open, once it is; raises what kept it from being opened."""
        return self._workspace.result()

    def run(self) -> None:
        """Answer until interrupted or stopped.

        Raises:
            PushforwardError: where the models cannot be opened, which ends it.
        """
        opening = threading.Thread(target=self._open, name="studio-opening")
        opening.start()
        try:
            with suppress(KeyboardInterrupt):  # the usual way to end it, and nothing is lost
                self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            opening.join()
            self.queue.close()
            if self._workspace.exception() is None:
                self.workspace.close()
        self._questions.result()  # raises what kept it from answering

    def stop(self) -> None:
        """Have ``run`` end, from another thread."""
        self._server.should_exit = True

    def _open(self) -> None:
        """Open the models, and import what answers questions about them."""
        try:
            workspace = self._opened()
            self._workspace.set_result(workspace)
            from .server import questions_app

            self._questions.set_result(questions_app(workspace, self.queue))
        except BaseException as error:  # whatever it is belongs to who called run
            if not self._workspace.done():
                self._workspace.set_exception(error)
            self._questions.set_exception(error)
            self.stop()


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
