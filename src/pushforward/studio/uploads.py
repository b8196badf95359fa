"""Files that pages send: streamed to the studio's folder under a limit, read, and removed."""

import re
import secrets
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ..data import open_data
from ..data.images.image_files import readable
from ..data.tables.table_files import SUFFIXES
from .fields import RequestError
from .handles import HeldTable
from .latents import shown
from .workspace import OpenModel, Workspace, images_for, table_for

__all__ = ["MOST_BYTES", "read_upload", "received"]

MOST_BYTES = 64 << 20
_MOST_IMAGES = 64


async def received(workspace: Workspace, name: str, chunks: AsyncIterator[bytes]) -> Path:
    """Write what is sent to a file of the studio's folder, whose name only ends as it did.

    Raises:
        RequestError: for a name with an unknown ending, for nothing, and for too much.
    """
    endings = (*readable(), *SUFFIXES)
    suffix = next((s for s in sorted(endings, key=len)[::-1] if name.lower().endswith(s)), None)
    if suffix is None:
        shown_name = re.sub(r"[^\w. -]", "?", name[-60:])
        raise RequestError(
            f"{shown_name!r} has no known ending. Expected a picture (png, jpg, webp, ...) or a "
            "table (csv, xlsx, parquet, npy, ...)."
        )
    folder = workspace.folder / "uploads"
    folder.mkdir(exist_ok=True)
    path, size = folder / (secrets.token_hex(8) + suffix), 0
    try:
        with path.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > MOST_BYTES:
                    raise RequestError(
                        f"The file has more than {MOST_BYTES >> 20} MiB. Expected a smaller one; "
                        "the command takes files of any size.", 413,
                    )  # fmt: skip
                file.write(chunk)
        if not size:
            raise RequestError("The file is empty. Expected a picture or a table.")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def read_upload(workspace: Workspace, opened: OpenModel, path: Path, name: str) -> dict[str, Any]:
    """Read an upload as the model takes it, and remove the file.

    Raises:
        RequestError: for a model that takes no such files.
        DataError: for files that cannot be read, and those unlike the data of the model.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what lies beside: an upload is one file
            return _read(workspace, opened, path, name)
    except RequestError:
        raise
    except ValueError as error:  # our readers name the file, which the page knows otherwise
        raise RequestError(str(error).replace(str(path), name[-80:])) from error
    finally:
        path.unlink(missing_ok=True)


def _read(workspace: Workspace, opened: OpenModel, path: Path, name: str) -> dict[str, Any]:
    if opened.kind == "images":
        found = images_for(opened.can, path)
        assert opened.can.pixels is not None
        if found.images.shape != opened.can.pixels.shape:
            raise RequestError(
                f"The images have shape {found.images.shape}. Expected "
                f"{opened.can.pixels.shape}, as in fit."
            )
        images = found.images[: min(_MOST_IMAGES, len(found))]
        return {"kind": "images", "images": shown(workspace, opened, images), "n": len(found)}
    if opened.kind == "table":
        rows = table_for(opened, open_data(path, like=opened.model))
        handle = workspace.handles.keep(HeldTable(opened.name, rows, name))
        return {"kind": "table", "upload": handle, "n": len(rows), "name": name[-80:]}
    raise RequestError(f"{opened.class_name} takes no files.")
