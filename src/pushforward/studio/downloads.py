"""Samples and scores as files: made anew from the same request, since a seed says it all."""

import io
import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data import write_table
from .fields import Fields, RequestError
from .handles import HeldScores
from .pictures import as_nchw, grid_png
from .table_view import frame_of
from .tabs.samples import draw
from .workspace import OpenModel, Workspace

__all__ = ["DOWNLOADS", "Made", "typed"]

_MOST_IMAGES, _MOST_ROWS, _MOST_SHOWN = 10_000, 100_000, 400
_WHOLE = ("n", "seed", "label")


@dataclass(frozen=True)
class Made:
    """A file to be sent.

    Attributes:
        name: what it is called.
        data: its bytes.
        media_type: what it is.
    """

    name: str
    data: bytes
    media_type: str


def typed(query: dict[str, str]) -> dict[str, Any]:
    """The words of an address as the values that a question in JSON would have.

    >>> typed({"n": "16", "temperature": "0.7", "as": "npz"})
    {'n': 16, 'temperature': 0.7, 'as': 'npz'}
    """
    found: dict[str, Any] = dict(query)
    for name in (*_WHOLE, "temperature"):
        if name in query:
            try:
                found[name] = float(query[name]) if name == "temperature" else int(query[name])
            except ValueError:
                raise RequestError(f"{name} is no number.") from None
    return found


def samples(workspace: Workspace, asked: Fields) -> Made:
    """Samples as png, npz or csv, those that the page shows first."""
    opened = workspace.model(asked.text("model"))
    form = asked.one_of("as", "png", "npz", "csv")
    images = opened.kind == "images"
    if (form == "png" and not images) or (form == "csv" and images):
        raise RequestError(f"There are no {form} files of {opened.kind}.")
    most = (_MOST_SHOWN if form == "png" else _MOST_IMAGES) if images else _MOST_ROWS
    drawn, stem = draw(opened, asked, most), f"samples-of-{_plain_name(opened)}"
    if form == "png":
        return Made(f"{stem}.png", grid_png(as_nchw(opened.can, drawn)), "image/png")
    if form == "npz":
        return Made(f"{stem}.npz", _npz(opened, drawn), "application/octet-stream")
    if opened.kind == "text":
        data = "\n".join(map(str, drawn)).encode()
        return Made(f"{stem}.txt", data, "text/plain; charset=utf-8")
    return Made(f"{stem}.csv", _csv(workspace, drawn), "text/csv; charset=utf-8")


def scores(workspace: Workspace, asked: Fields) -> Made:
    """Scores of the tab of strange rows, as csv."""
    held = workspace.handles.get(asked.text("scores"), HeldScores)
    return Made("scores.csv", _csv(workspace, pd.DataFrame(held.columns)), "text/csv")


def _csv(workspace: Workspace, table: Any) -> bytes:
    path = workspace.folder / f"{secrets.token_hex(8)}.csv"
    try:
        write_table(path, table, formulas="escape")
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def _npz(opened: OpenModel, drawn: Any) -> bytes:
    data = io.BytesIO()
    if opened.can.columns is None:
        np.savez_compressed(data, X=np.asarray(drawn))
    else:  # an array a column: texts as texts, never as objects
        frame, arrays = frame_of(drawn, opened.can.columns.labels), {}
        for name in frame.columns:
            values = frame[name].to_numpy()
            plain = values.dtype.kind in "biuf"
            arrays[str(name)] = values if plain else values.astype(str)
        np.savez_compressed(data, allow_pickle=False, **arrays)
    return data.getvalue()


def _plain_name(opened: OpenModel) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in opened.name)


DOWNLOADS = {"samples": samples, "scores": scores}
