"""Starting a studio: an address with a token, and a server that ends in order."""

import importlib.util
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable

from ..errors import ParameterError
from .workspace import Workspace

__all__ = ["need_server", "serve"]

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


def serve(
    workspace: Workspace, host: str, port: int, *, browse: bool, say: Callable[[str], None]
) -> None:
    """Serve a studio until it is interrupted.

    Args:
        workspace: what is open; closed at the end.
        host: the interface.
        port: 0 for any that is free.
        browse: whether to open the page in the user's browser.
        say: is given the address when the server listens.

    Raises:
        ParameterError: for an interface or port that cannot be had.
    """
    import uvicorn

    from .server import studio_app

    listening = _listening(host, port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(16)
    local = host in _LOOPBACK
    hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]")} if local else None
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/?token={token}"
    app = studio_app(workspace, token=token, hosts=hosts, cookie=f"studio-{port}")
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", server_header=False,
        timeout_graceful_shutdown=2, ws="none", h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    say(address)
    if browse:
        threading.Timer(0.3, webbrowser.open, [address]).start()
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        workspace.close()


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

