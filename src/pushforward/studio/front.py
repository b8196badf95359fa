"""The files of the page, there at once; all else waits until the models are open."""

import asyncio
from concurrent.futures import Future
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import PushforwardError

__all__ = ["Front"]

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Front:
    """An ASGI application of the page alone, which hands questions on to another.

    Torch and its like take seconds to import. A browser meanwhile has this, and shows that the
    models are being opened.

    Args:
        questions: the application that answers all else, or why there will be none.
    """

    def __init__(self, questions: "Future[Any]") -> None:
        self._questions = questions
        folder = resources.files("pushforward.studio") / "page"
        self._assets = {
            file.name: file.read_bytes()
            for file in folder.iterdir()
            if file.name.endswith(tuple(_KINDS))
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, or have it answered."""
        path = scope["path"]
        if scope["type"] == "http" and (path == "/" or path.startswith("/page/")):
            answer = self._asset(Request(scope))
        else:
            try:  # shielded: who gives up waiting does not keep the others from it
                application = await asyncio.shield(asyncio.wrap_future(self._questions))
            except PushforwardError as error:
                answer = JSONResponse({"error": str(error)}, 422)
            else:
                answer = application
        await answer(scope, receive, send)

    def _asset(self, request: Request) -> Response:
        """A file of the page."""
        if request.method not in ("GET", "HEAD"):
            return JSONResponse({"error": "The page can only be read."}, 405)
        name = request.url.path.removeprefix("/page/").lstrip("/") or "index.html"
        if name not in self._assets:
            return JSONResponse({"error": "There is no such file."}, 404)
        kind = _KINDS["." + name.rpartition(".")[2]]
        return Response(self._assets[name], media_type=kind)
