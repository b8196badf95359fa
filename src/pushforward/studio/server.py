"""What the page of the studio asks: questions as JSON, uploads and downloads."""

import asyncio
import json
import threading
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .._version import __version__
from ..errors import PushforwardError
from . import downloads
from .fields import Fields, RequestError
from .latents import shown
from .offers import model_facts
from .tabs import TABS
from .tabs.ask import prepare
from .uploads import read_upload, received
from .work_queue import Outdated, WorkQueue
from .workspace import Workspace

__all__ = ["questions_app"]

_MOST_JSON = 1 << 18  # bytes of a question
_SECONDS = 30.0  # in which a question has to be here
_FOR_UPLOAD = 600.0
_LOOK = 0.5  # seconds between two looks whether who asked is still there
_PAGE_IMAGES = 60
_FIRST = 2.0  # seconds in which the first page has the processors to itself


def questions_app(workspace: Workspace, queue: WorkQueue) -> Starlette:
    """The ASGI application that answers what the page of a studio asks.

    Args:
        workspace: what is open.
        queue: what does the work.
    """
    answers = _Answers(workspace, queue)
    return Starlette(
        routes=[
            Route("/api/studio", answers.studio, methods=["POST"]),
            Route("/api/progress", answers.progress, methods=["POST"]),
            Route("/api/job/{action}", answers.job, methods=["POST"]),
            Route("/api/{tab}/{action}", answers.action, methods=["POST"]),
            Route("/upload", answers.upload, methods=["POST"]),
            Route("/download/{what}", answers.download, methods=["GET"]),
        ]
    )


class _Answers:
    """What each address answers."""

    def __init__(self, workspace: Workspace, queue: WorkQueue) -> None:
        self.workspace, self.queue, self._preparing = workspace, queue, False

    async def studio(self, request: Request) -> Response:
        """What is open, and which tabs each model has."""

        async def answer() -> Any:
            asked = await _question(request)
            key = f"{_window(asked)} studio"
            models = list(self.workspace.models.values())
            work = partial(_facts, models, self.workspace)
            if not self._preparing:
                self._preparing = True
                timer = threading.Timer(_FIRST, self._prepare)
                timer.daemon = True
                timer.start()
            return {"version": __version__} | await self._done(request, key, work)

        return await _answered(answer)

    def _prepare(self) -> None:
        """Have the models do what takes long at first, when the first page is there."""
        for opened in list(self.workspace.models.values()):
            able = TABS["ask"].reason_against(opened, self.workspace) is None
            if able and "prepared" not in opened.cache:
                prepare(opened)

    async def action(self, request: Request) -> Response:
        """An answer of a tab."""

        async def answer() -> Any:
            asked = await _question(request)
            tab, action = request.path_params["tab"], request.path_params["action"]
            if (tab, action) == ("data", "images"):
                work = partial(_data_images, self.workspace, asked)
            elif tab in TABS and action in TABS[tab].ACTIONS:
                work = partial(TABS[tab].ACTIONS[action], self.workspace, asked)
            else:
                raise RequestError("There is no such question.", 404)
            place = asked.text("place", action, most=40)
            return await self._done(request, f"{_window(asked)} {tab} {place}", work)

        return await _answered(answer)

    async def progress(self, request: Request) -> Response:
        """The share of long work that is done."""

        async def answer() -> Any:
            asked = await _question(request)
            key = f"{_window(asked)} {asked.text('tab')} {asked.text('place', most=40)}"
            return {"share": self.queue.progress(key)}

        return await _answered(answer)

    async def job(self, request: Request) -> Response:
        """How long work stands, or its end."""

        async def answer() -> Any:
            asked, jobs = await _question(request), self.workspace.jobs
            known = {"poll": jobs.poll, "cancel": jobs.cancel}
            action, handle = request.path_params["action"], asked.text("job")
            if action not in known:
                raise RequestError("There is no such question.", 404)
            work = partial(known[action], handle)
            return await self._done(request, f"{_window(asked)} job {handle}", work)

        return await _answered(answer)

    async def upload(self, request: Request) -> Response:
        """A file, as the body of a request."""

        async def answer() -> Any:
            query = Fields(dict(request.query_params))
            opened = self.workspace.model(query.text("model"))
            name = query.text("name", most=255)
            async with _in_time(_FOR_UPLOAD):
                path = await received(self.workspace, name, request.stream())
            work = partial(read_upload, self.workspace, opened, path, name)
            return await self._done(request, f"upload {path.name}", work)

        return await _answered(answer)

    async def download(self, request: Request) -> Response:
        """Samples or scores as a file."""
        found: list[Response] = []

        async def answer() -> Any:
            what = request.path_params["what"]
            if what not in downloads.DOWNLOADS:
                raise RequestError("There is no such download.", 404)
            asked = Fields(downloads.typed(dict(request.query_params)))
            work = partial(downloads.DOWNLOADS[what], self.workspace, asked)
            made = await self._done(request, f"{_window(asked)} download {what}", work)
            name = {"content-disposition": f'attachment; filename="{made.name}"'}
            found.append(Response(made.data, media_type=made.media_type, headers=name))
            return {}

        refused = await _answered(answer)
        return found[0] if found else refused

    async def _done(self, request: Request, key: str, work: Callable[[], Any]) -> Any:
        """What the work comes to, while who asked for it is there."""
        future = self.queue.wish(key, work)
        waiting = asyncio.wrap_future(future)
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=_LOOK)
            if done:
                return waiting.result()
            if await request.is_disconnected():
                self.queue.forget(key, future)
                waiting.cancel()
                raise Outdated()


def _facts(models: list[Any], workspace: Workspace) -> dict[str, Any]:
    return {"models": [model_facts(opened, workspace) for opened in models]}


def _data_images(workspace: Workspace, asked: Fields) -> dict[str, Any]:
    """Some images of the data."""
    opened = workspace.model(asked.text("model"))
    found = opened.data if opened.kind == "images" else None
    if found is None:
        return {"images": [], "n": 0, "start": 0}
    start = asked.whole("start", 0, 2**31 - 1, 0) % max(1, len(found))
    images = found.images[start : min(len(found), start + asked.whole("n", 1, _PAGE_IMAGES, 24))]
    return {"images": shown(workspace, opened, images), "n": len(found), "start": start}


def _window(asked: Fields) -> str:
    return asked.text("window", "", most=40)


async def _question(request: Request) -> Fields:
    """The JSON object of a request.

    Raises:
        RequestError: for what is none, or is too long, or does not come.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise RequestError("The request is no JSON. Expected application/json.", 415)
    body = bytearray()
    async with _in_time(_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_JSON:
                raise RequestError("The request is too long.", 413)
    try:
        return Fields(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise RequestError("The request is no JSON. Expected one object.", 400) from error


class _in_time:
    """Inside, what takes longer is refused.

    Raises:
        RequestError: then.
    """

    def __init__(self, seconds: float) -> None:
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError as late:
            raise RequestError("The request took too long to come.", 408) from late


async def _answered(answer: Callable[[], Awaitable[Any]]) -> Response:
    """An answer as JSON; what the asker can mend as 4xx with a sentence."""
    try:
        return JSONResponse(await answer())
    except (Outdated, CancelledError, asyncio.CancelledError, ClientDisconnect):
        return JSONResponse({"outdated": True})
    except RequestError as error:
        return _said(str(error), error.status)
    except PushforwardError as error:
        return _said(str(error), 422)
    except MemoryError:
        return _said("There is not enough memory for this. Ask for less.", 413)
    except Exception:
        traceback.print_exc()
        return _said("This is a bug of the studio. The terminal has the traceback.", 500)


def _said(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status)
