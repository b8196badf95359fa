"""What a fit has done so far, on disk, so that the same fit, interrupted and repeated, goes on.

A fit is a function of its data, settings and seed. Its checkpoint says which fit it is of
(the *identity* and the seed) and holds finished *steps* by name: the layers of a growth, or the
networks, optimisers and counters of a training run. Random state needs no room: every draw is a
function of the seed and of its place. What decides whether a fit may go on is here and nowhere
else.
"""

import hashlib
import json
import os
import re
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ..errors import ModelFileError, ParameterError, PushforwardError, stacklevel_of_caller
from . import atomic, strict_json
from .migrations import migrated_checkpoint, renamed_settings
from .model_folder import AGAIN, CONFIG, README, WEIGHTS, read_folder, write_folder
from .tensor_bytes import from_bytes, to_bytes

__all__ = [
    "Checkpoint", "Contents", "Folder", "RunCheckpoint", "Step", "digest", "read_checkpoint",
    "refuse_file",
]  # fmt: skip

Folder = str | os.PathLike[str]

_CLASS = "Checkpoint"
_EVERY = 10.0  # seconds of work between two writings, at least
_SHARE = 0.05  # of the time that writing may take
_DIGEST = re.compile("[0-9a-f]{64}")


class Step(NamedTuple):
    """A finished step: tensors and JSON values, each by name."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds.

    Attributes:
        identity: JSON values that say what the fit is of: class, settings, digests of data.
        seed: of the fit.
        seconds: wall seconds of work that were done when it was written.
        steps: by name.
    """

    identity: Mapping[str, Any]
    seed: int
    seconds: float
    steps: Mapping[str, Step]

    def difference(self, identity: Mapping[str, Any], seed: int) -> str:
        """What keeps a fit of that identity and seed from going on from here; "" for nothing."""
        if seed != self.seed:
            return "another seed (random_state)"
        for key in {**self.identity, **identity}:
            theirs, ours = self.identity.get(key), identity.get(key)
            if theirs != ours:
                if all(isinstance(x, str) and _DIGEST.fullmatch(x) for x in (theirs, ours)):
                    return f"other {key}"
                return f"{key} {theirs!r}, and this one {ours!r}"
        return ""


class Checkpoint:
    """The steps of a fit, in a folder of the format of models that goes when the fit is done.

    A folder that is damaged or of another fit is left out with a warning, and the fit begins
    anew.

    Args:
        folder: where steps are kept; None keeps nothing.
        writes: whether this process writes; of several that fit together, one does.

    Attributes:
        seconds: wall seconds of work that earlier runs of the same fit have done.

    Raises:
        ParameterError: where a file stands in the place of the folder, or of one above it.

    Examples:
        >>> import tempfile, torch
        >>> folder = Path(tempfile.mkdtemp()) / "work"
        >>> first = Checkpoint(folder)
        >>> first.open({"model": "GIS", "data": digest(torch.zeros(3))}, seed=3)
        3
        >>> first.keep("step 1", {"result": torch.ones(2)})
        >>> first.write()
        >>> second = Checkpoint(folder)
        >>> second.open({"model": "GIS", "data": digest(torch.zeros(3))}, seed=4, asked=False)
        3
        >>> second.get("step 1")
        {'result': tensor([1., 1.])}
        >>> second.discard()
    """

    _note = """# An unfinished fit of pushforward

The same fit, repeated, goes on from here and removes this folder when it is done. You may delete
it: the fit then begins anew.
"""

    def __init__(self, folder: Folder | None = None, *, writes: bool = True) -> None:
        self._folder = None if folder is None else Path(os.path.realpath(folder))
        if self._folder is not None:
            refuse_file(self._folder)
        self._writes = writes and folder is not None
        self._remembers = folder is not None
        self._steps: dict[str, Step] = {}
        self._identity: dict[str, Any] = {}
        self._seed = 0
        self.seconds = 0.0
        self._begun = self._written = time.monotonic()
        self._pause = _EVERY

    @property
    def folder(self) -> Path | None:
        """Where steps are kept."""
        return self._folder

    def open(self, identity: Mapping[str, Any], seed: int, *, asked: bool = True) -> int:
        """Take up the steps in the folder if they are of the same fit.

        Args:
            identity: JSON values of all that the result depends on but the seed; data and
                weights by their :func:`digest`.
            seed: of this fit.
            asked: whether the user asked for that seed. One that was drawn by chance gives way
                to that of the fit in the folder; one that was asked for keeps a fit of another
                seed from going on.

        Returns:
            The seed to use: that of the fit in the folder, or ``seed``.

        Raises:
            ParameterError: for an identity that JSON cannot hold.
        """
        self._seed = seed
        if self._folder is None:
            return seed
        try:
            self._identity = strict_json.plain(dict(identity), "identity")
        except ValueError as error:
            raise ParameterError(f"This fit cannot be kept in a folder: {error}.") from error
        found = self._found()
        if found is None:
            return seed
        if other := found.difference(self._identity, seed if asked else found.seed):
            self._refuse(ParameterError(f"it has {other}"))
            return seed
        self._seed, self.seconds = found.seed, found.seconds
        # memory of torch's own alignment: linear algebra then rounds as it did before
        self._steps = {
            name: Step({key: value.clone() for key, value in step.tensors.items()}, step.facts)
            for name, step in found.steps.items()
        }
        return self._seed

    def chosen_seed(self, seed: int, *, asked: bool) -> int:
        """The seed that :meth:`open` would return, for an identity that depends on the seed."""
        found = None if asked else self._found()
        return seed if found is None else found.seed

    def get(self, name: str) -> Mapping[str, Tensor] | None:
        """The tensors of a step, or None where it is still to be done."""
        step = self._steps.get(name)
        return None if step is None else step.tensors

    def facts(self, name: str) -> Mapping[str, Any] | None:
        """The JSON values of a step, or None where it is still to be done."""
        step = self._steps.get(name)
        return None if step is None else step.facts

    @property
    def due(self) -> bool:
        """Whether :meth:`keep` would write: within a step, only then is it worth its cost."""
        return self._writes and time.monotonic() - self._written >= self._pause

    def put(
        self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None
    ) -> None:
        """Remember a step, in place of the parts of it, ``name/...``, for the next writing."""
        if not self._remembers:
            return
        for part in [other for other in self._steps if other.startswith(f"{name}/")]:
            del self._steps[part]
        self._steps[name] = Step(tensors, facts or {})

    def keep(
        self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None
    ) -> None:
        """Remember a step as :meth:`put` does; now and then, write."""
        self.put(name, tensors, facts)
        if self.due:
            self.write()

    def share_out(
        self,
        tasks: Sequence[Callable[[], object]],
        rank: int,
        count: int,
        gather: Callable[[bytes], list[bytes]],
    ) -> None:
        """Let several processes do one task each in turn, and give the steps they keep to all.

        What comes after finds all steps done, in every process.

        Args:
            tasks: that depend on nothing but the data, the same in every process.
            rank, count: of the processes.
            gather: gives the bytes of every process to each; see :class:`..training.Processes`.
        """
        if count == 1 or len(tasks) < 2:
            return
        self._remembers = True
        before = dict(self._steps)
        for task in tasks[rank::count]:
            task()
        names = [name for name, step in self._steps.items() if before.get(name) is not step]
        tensors = {
            f"{name}::{key}": tensor
            for name in names
            for key, tensor in self._steps[name].tensors.items()
        }
        facts = json.dumps({name: dict(self._steps[name].facts) for name in names})
        parts = zip(gather(facts.encode()), gather(to_bytes(tensors)), strict=True)
        for place, (named, packed) in enumerate(parts):
            if place == rank:
                continue
            held: dict[str, dict[str, Tensor]] = {name: {} for name in json.loads(named)}
            for key, tensor in from_bytes(packed).items():
                name, _, own = key.rpartition("::")
                held[name][own] = tensor
            for name, more in json.loads(named).items():
                self.put(name, held[name], more)

    def write(self, seconds: float | None = None) -> None:
        """Write all steps, so that a kill leaves these or those written before.

        Args:
            seconds: wall seconds of the fit so far; None for those since this object was made,
                and of earlier runs.

        Raises:
            ModelFileError: if the disk refuses; what was written before is still whole.
        """
        if self._folder is None or not self._writes:
            return
        begun = time.monotonic()
        if seconds is None:
            seconds = self.seconds + begun - self._begun
        config = {
            "class": _CLASS,
            "identity": self._identity,
            "seed": self._seed,
            "seconds": seconds,
            "steps": {name: dict(step.facts) for name, step in self._steps.items()},
        }
        tensors = {
            f"{name}::{key}": tensor
            for name, step in self._steps.items()
            for key, tensor in step.tensors.items()
        }
        write_folder(self._folder, config, tensors, self._note)
        self._written = time.monotonic()
        self._pause = max(_EVERY, (self._written - begun) / _SHARE)

    def discard(self) -> None:
        """Remove the folder: the fit is done."""
        if self._folder is not None and self._writes:
            names = (CONFIG, WEIGHTS, README)
            atomic.remove_folder(self._folder, names)
            atomic.remove_leftovers(self._folder, names)  # what a killed writing left

    def _found(self) -> Contents | None:
        """What the folder holds; None where there is nothing to go on from."""
        if self._folder is None or not self._folder.is_dir():
            return None
        try:
            return read_checkpoint(self._folder)
        except ModelFileError as error:
            self._refuse(error)
            return None

    def _refuse(self, reason: PushforwardError) -> None:
        """What is done about a folder from which this fit cannot go on."""
        warnings.warn(
            f"The unfinished fit in {self._folder} cannot be continued: {_clause(reason)}. "
            "The fit begins anew.",
            stacklevel=stacklevel_of_caller(),
        )


class RunCheckpoint(Checkpoint):
    """The state of a training run, which stays when the run is done: its budget may grow.

    A run took hours and has logs and pictures beside it: one that is damaged or of something
    else is no more put aside with a warning, but refused.
    """

    _note = """# A checkpoint of a training run of pushforward

Repeat the command that wrote it to go on, or give it a larger budget.
"""

    def _refuse(self, reason: PushforwardError) -> None:
        """Raise the reason.

        Raises:
            ParameterError: for a run of something else.
            ModelFileError: for a damaged folder.
        """
        assert self._folder is not None
        advice = "Choose another folder, remove that one, or give what it was begun with."
        if isinstance(reason, ModelFileError):
            advice = (
                f"Choose another folder, remove {self._folder} to begin anew, or put a whole copy "
                "of it there."
            )
        raise type(reason)(
            f"The run in {self._folder.parent} cannot be continued: {_clause(reason)}. {advice}"
        ) from reason


def refuse_file(folder: Path) -> None:
    """Raise where a file stands in the way of a folder, before the work that goes into it.

    Raises:
        ParameterError: naming the file.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise ParameterError(
            f"{there} is a file. Expected a folder for the work of the fit: one that is there, or "
            "a name that is free."
        )


def _clause(reason: PushforwardError) -> str:
    """The text of an error as part of a sentence, without advice about saved models."""
    return str(reason).removesuffix(AGAIN).strip().rstrip(".")


def read_checkpoint(folder: Folder) -> Contents:
    """What a folder holds, also where an earlier version wrote it.

    Raises:
        ModelFileError: if the folder is missing, damaged, or no checkpoint.
    """
    config, tensors = read_folder(folder)
    try:
        config, tensors = migrated_checkpoint(config, tensors)
        if config["class"] != _CLASS:
            raise ModelFileError(f"{folder} holds a saved model, no unfinished fit")
        held: dict[str, dict[str, Tensor]] = {name: {} for name in config["steps"]}
        for place, tensor in tensors.items():
            name, _, key = place.rpartition("::")
            held[name][key] = tensor
        return Contents(
            renamed_settings(config["identity"]),
            int(config["seed"]),
            float(config["seconds"]),
            {name: Step(held[name], dict(facts)) for name, facts in config["steps"].items()},
        )
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(
            f"{folder} is no checkpoint as it was written: {type(error).__name__}: {error}"
        ) from error


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
