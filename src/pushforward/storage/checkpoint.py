"""Finished steps of a fit, kept on disk, so that an interrupted fit goes on when repeated.

A fit is a function of its data, parameters and seed. What was interrupted is therefore run again
from the start, and every step that is found here is taken as it was instead of being computed:
the result is that of a fit which nothing interrupted.
"""

import hashlib
import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..errors import ModelFileError
from . import atomic
from .model_folder import CONFIG, README, WEIGHTS, read_folder, write_folder

__all__ = ["Checkpoint", "Folder", "digest"]

Folder = str | os.PathLike[str]

_EVERY = 10.0  # seconds of work between two writings, at least
_SHARE = 0.05  # of the time that writing may take
_NOTE = """# An unfinished fit of pushforward

The same fit, repeated, goes on from here and removes this folder when it is done. You may delete
it: the fit then begins anew.
"""


class Checkpoint:
    """Steps by name, each some tensors, in a folder of the format of models.

    Args:
        folder: where they are kept; None keeps nothing.

    Attributes:
        seconds: wall seconds of work that earlier runs of the same fit have done.

    Examples:
        >>> import tempfile, torch
        >>> folder = Path(tempfile.mkdtemp()) / "work"
        >>> first = Checkpoint(folder)
        >>> first.open("digest of data and parameters", seed=3)
        3
        >>> first.keep("step 1", {"result": torch.ones(2)})
        >>> first.write()
        >>> second = Checkpoint(folder)
        >>> second.open("digest of data and parameters", seed=4)
        3
        >>> second.get("step 1")
        {'result': tensor([1., 1.])}
        >>> second.discard()
    """

    def __init__(self, folder: Folder | None = None) -> None:
        self._folder = None if folder is None else Path(os.path.realpath(folder))
        self._steps: dict[str, Mapping[str, Tensor]] = {}
        self._digest, self._seed = "", 0
        self.seconds = 0.0
        self._begun = self._written = time.monotonic()
        self._pause = _EVERY

    def open(self, digest: str, seed: int, *, asked: bool = False) -> int:
        """Take up the steps in the folder if they are of the same fit.

        Args:
            digest: of everything that the result depends on but the seed.
            seed: of this run.
            asked: whether the user asked for that seed. One that was drawn by chance gives way
                to that of the run that was interrupted; one that was asked for begins anew where
                the interrupted run had another.

        Returns:
            The seed to use: that of the run that was interrupted, or ``seed``.
        """
        self._digest, self._seed = digest, seed
        if self._folder is None or not self._folder.is_dir():
            return seed
        try:
            config, tensors = read_folder(self._folder)
            if config.get("unfinished") != digest:
                raise ModelFileError("it is of other data, parameters or another version")
            theirs, seconds = int(config["seed"]), float(config["seconds"])
            if asked and theirs != seed:
                raise ModelFileError("it has another seed")
            self._seed, self.seconds = theirs, seconds
        except (ModelFileError, KeyError, TypeError, ValueError) as error:
            warnings.warn(
                f"the unfinished fit in {self._folder} cannot be continued: {error}. "
                "The fit begins anew.",
                stacklevel=2,
            )
            return seed
        for place, tensor in tensors.items():
            name, _, key = place.rpartition("::")
            # memory of torch's own alignment: linear algebra then rounds as it did before
            self._steps[name] = {**self._steps.get(name, {}), key: tensor.clone()}
        return self._seed

    def get(self, name: str) -> Mapping[str, Tensor] | None:
        """The tensors of a step, or None where it is still to be done."""
        return self._steps.get(name)

    @property
    def due(self) -> bool:
        """Whether :meth:`keep` would write: within a step, only then is it worth its cost."""
        return self._folder is not None and time.monotonic() - self._written >= self._pause

    def keep(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Remember a step, in place of the parts of it, ``name/...``; now and then, write."""
        if self._folder is None:
            return
        parts = [other for other in self._steps if other.startswith(f"{name}/")]
        for part in parts:
            del self._steps[part]
        self._steps[name] = tensors
        if self.due:
            self.write()

    def write(self) -> None:
        """Write all steps, so that a kill leaves these or those written before."""
        if self._folder is None:
            return
        begun = time.monotonic()
        seconds = self.seconds + begun - self._begun
        config = {"unfinished": self._digest, "seed": self._seed, "seconds": seconds}
        tensors = {f"{n}::{k}": t for n, step in self._steps.items() for k, t in step.items()}
        write_folder(self._folder, config, tensors, _NOTE)
        self._written = time.monotonic()
        self._pause = max(_EVERY, (self._written - begun) / _SHARE)

    def discard(self) -> None:
        """Remove the folder: the fit is done."""
        if self._folder is not None:
            names = (CONFIG, WEIGHTS, README)
            atomic.remove_folder(self._folder, names)
            atomic.remove_leftovers(self._folder, names)  # what a killed writing left


def digest(*parts: str | Tensor | None) -> str:
    """SHA-256 of texts and tensors: the same only for the same values.

    Examples:
        >>> import torch
        >>> digest("gis", torch.ones(2)) == digest("gis", torch.ones(2, 1))
        False
    """
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            total.update(f"{part.dtype} {tuple(part.shape)} ".encode())
            total.update(part.detach().cpu().contiguous().numpy().tobytes())
        else:
            total.update(f"{part!r} ".encode())
    return total.hexdigest()
