"""What a studio has open: models, data as each model takes them, and a folder of its own."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np

from ..data import open_data, open_images
from ..errors import DataError, ParameterError, PushforwardError
from ..estimators.base import load
from ..estimators.capabilities import Capabilities
from .fields import RequestError
from .handles import Handles
from .jobs import Jobs

__all__ = ["MOST_ROWS", "OpenModel", "Workspace"]

MOST_ROWS = 20_000  # rows or images of the data that a page looks at


@dataclass
class OpenModel:
    """A model that is open.

    Attributes:
        name: what pages call it, unique.
        folder: where it was loaded from.
        model: itself.
        can: its capabilities.
        source: of the data that suit it, or None.
        data: these data, as the model takes them: a table of its columns, or an ``ImageSet`` of
            its size; None where there are none.
        note: why no data suit it, or "".
        ready: cleared while what takes long at first use is done.
        cache: what tabs keep of it, by name.
    """

    name: str
    folder: Path
    model: Any
    can: Capabilities
    ready: Event = field(default_factory=Event, repr=False)
    cache: dict[str, Any] = field(default_factory=dict, repr=False)
    source: str | None = None
    data: Any = field(default=None, repr=False)
    note: str = ""

    def __post_init__(self) -> None:
        self.ready.set()

    @property
    def kind(self) -> str:
        """Of its data: "table", "images", "text", "rows" or "prediction"."""
        return self.can.kind

    @property
    def class_name(self) -> str:
        """The name of its class."""
        return type(self.model).__name__

    def look_for_data(self, sources: Sequence[str]) -> None:
        """Take the first of some sources that suits the model."""
        for source in sources:
            try:
                if self.kind == "images":
                    self.data = images_for(self.can, source)
                elif self.kind in ("table", "prediction"):
                    self.data = table_for(self, open_data(source, like=self.model))
                self.source, self.note = (source, "") if self.data is not None else (None, "")
                return
            except PushforwardError as error:
                self.note = str(error)


class Workspace:
    """Everything that is open in one studio. Leave it by ``close``.

    Args:
        folders: of models.
        data: files, folders or known sets; each model takes the first that suits it.
        directions: the folder that directions are saved in and found in.

    Raises:
        ModelFileError: for a folder without a model.
        ParameterError: for a folder that is named twice.
        DataError: for data that no model takes.
    """

    def __init__(
        self, folders: list[Path], data: Sequence[str] = (), directions: Path | None = None
    ) -> None:
        if len({path.resolve() for path in folders}) < len(folders):
            raise ParameterError("The same folder is named twice. Expected different ones.")
        self.models: dict[str, OpenModel] = {}
        self.sources, self.directions = tuple(data), directions or Path("directions")
        self.handles = Handles()
        self._lock = Lock()
        for folder in folders:
            self.open(folder)
        problems = [opened.note for opened in self.models.values() if opened.note]
        if problems and len(problems) == len(self.models):
            raise DataError(problems[0])
        self.folder = Path(tempfile.mkdtemp(prefix="pushforward-studio-"))
        self.jobs = Jobs(self.folder)

    def open(self, folder: Path, name: str | None = None) -> OpenModel:
        """Load one more model, under the name of its folder or a name like it."""
        model = load(folder)
        wanted = name or Path(os.path.abspath(folder)).name or "model"
        with self._lock:
            unique, count = wanted, 2
            while unique in self.models:
                unique, count = f"{wanted} ({count})", count + 1
            opened = OpenModel(unique, Path(folder), model, model.capabilities())
            opened.look_for_data(self.sources)
            self.models[unique] = opened
        return opened

    def model(self, name: str) -> OpenModel:
        """The open model of a name.

        Raises:
            RequestError: where there is none.
        """
        if name not in self.models:
            raise RequestError(f"There is no open model {name[:60]!r}.", 404)
        return self.models[name]

    def close(self) -> None:
        """End what is under way, and remove the folder of this studio."""
        self.jobs.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def table_for(opened: OpenModel, table: Any) -> Any:
    """The first rows of an opened table with the columns that a model knows, in its order.

    Of a predictor its target comes last, where the table has it.

    Raises:
        DataError: for columns that are missing.
    """
    columns = opened.can.columns
    if columns is None:
        raise DataError(f"{opened.name} is no model of tables.")
    rows = next(iter(table.batches(MOST_ROWS)), None)
    if rows is None:
        raise DataError("The table has no rows. Expected some.")
    if not columns.layout.named or isinstance(rows, np.ndarray):
        return rows
    left_out = {
        label for label, one in zip(columns.labels, columns.columns, strict=True) if one.left_out
    }
    there = set(rows.columns)
    lacking = [one for one in columns.labels if one not in there and one not in left_out]
    if lacking:
        shown = ", ".join(map(str, lacking[:5]))
        raise DataError(
            f"The table lacks the columns {shown}, which {opened.name} was fitted on. Expected a "
            "table like that of the fit."
        )
    known = list(columns.labels)
    if opened.kind == "prediction":
        known.append(opened.model.target_.name)
    return rows[[label for label in known if label in there]]


def images_for(can: Capabilities, source: Any) -> Any:
    """Images as a model takes them: its size, its channels, cropped as in its fit.

    Raises:
        DataError: for what are no images.
    """
    assert can.pixels is not None
    channels, height, width = can.pixels.shape
    name, colon, split = str(source).rpartition(":")
    if not colon or Path(str(source)).exists():
        name, split = str(source), ""
    options: dict[str, Any] = {"size": (height, width), "split": split or None}
    if channels in (1, 3):
        options["channels"] = channels
    crop = (can.settings or {}).get("crop")
    if crop is not None:
        try:
            return open_images(name, crop=crop, **options)
        except DataError:
            pass  # somebody has cropped them before
    return open_images(name, **options)
