"""What the server holds for its pages: they know it by a handle, and never see a latent."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from .fields import RequestError

__all__ = ["Direction", "Handles", "HeldImage", "HeldScores", "HeldTable"]


@dataclass
class HeldImage:
    """An image that a page may mix and edit.

    Attributes:
        model: the name of the model whose kind of image it is.
        pixels: uint8 (C, H, W).
        label: its class, for conditional models that are asked under its own label.
        latents: codes of it by the label they were made under, where it has been encoded.
    """

    model: str
    pixels: np.ndarray
    label: Any = None
    latents: dict[Any, np.ndarray] | None = None

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return self.pixels.nbytes + sum(z.nbytes for z in (self.latents or {}).values())


@dataclass
class Direction:
    """A direction in the latents of a model.

    Attributes:
        model: the name of the model.
        name: what it changes, in the user's words.
        vector: (D,) float32.
        note: from what it was learned.
    """

    model: str
    name: str
    vector: np.ndarray
    note: str

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return self.vector.nbytes


@dataclass
class HeldTable:
    """A table that was uploaded.

    Attributes:
        model: the name of the model whose columns it has.
        rows: the table.
        name: of its file.
    """

    model: str
    rows: Any
    name: str

    @property
    def n_bytes(self) -> int:
        """About what it takes."""
        return 64 * len(self.rows) * max(1, len(self.rows[:1].T))


@dataclass
class HeldScores:
    """Scores that may be downloaded.

    Attributes:
        columns: arrays (n,) by name.
    """

    columns: dict[str, np.ndarray]

    @property
    def n_bytes(self) -> int:
        """What they take."""
        return sum(values.nbytes for values in self.columns.values())


Held = HeldImage | Direction | HeldTable | HeldScores


class Handles:
    """Objects by random names; the ones that were not asked for longest go first.

    Args:
        most: how many are held.
        most_bytes: how much they may take together.

    Examples:
        >>> handles = Handles(most=2)
        >>> image = HeldImage("glow", np.zeros((1, 2, 2), np.uint8))
        >>> handle = handles.keep(image)
        >>> handles.get(handle, HeldImage) is image
        True
    """

    def __init__(self, most: int = 20_000, most_bytes: int = 1 << 29) -> None:
        self._held: OrderedDict[str, Any] = OrderedDict()
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, held: Held) -> str:
        """Hold an object, and return the handle by which a page may ask for it."""
        handle = secrets.token_urlsafe(12)
        with self._lock:
            self._held[handle] = held
            self._bytes += held.n_bytes
            while len(self._held) > self._most or self._bytes > self._most_bytes:
                _, gone = self._held.popitem(last=False)
                self._bytes -= gone.n_bytes
        return handle

    def get(self, handle: str, kind: type) -> Any:
        """The object of a handle.

        Raises:
            RequestError: where it is not held, or no longer, or is something else.
        """
        with self._lock:
            found = self._held.get(handle)
            if not isinstance(found, kind):
                raise RequestError(
                    "What this page showed is no longer held by the server. Load it again.",
                    404,
                )
            self._held.move_to_end(handle)
        return found

    def add_latent(self, image: HeldImage, under: Any, latent: np.ndarray) -> None:
        """Note the latent of an image that is held, so that it counts."""
        with self._lock:
            image.latents = {**(image.latents or {}), under: latent}
            self._bytes += latent.nbytes
