"""What a page shows of each model: its name and colour, some samples, the scores it gives."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import DataError
from ..metrics import auroc, input_complexity, typicality
from ..metrics.evaluation_inputs import EvaluationInputs, Reference, is_source, take

__all__ = ["Subject", "subsample"]


def subsample(X: Any, n: int, seed: int) -> Any:
    """n rows at random, in their order, of a table, an array or a source of images."""
    if len(X) <= n:
        return X
    rows = np.sort(np.random.default_rng(seed).choice(len(X), n, replace=False))
    return take(X, rows)


@dataclass(frozen=True)
class Subject:
    """One model, or a set of samples, on the page.

    Attributes:
        name: as the user says.
        place: among the models, from 0; it gives the colour.
        inputs: the model with a few samples, beside the real data.
        areas: AUROC by the name of the measure, as far as they are known.
    """

    name: str
    place: int
    inputs: EvaluationInputs
    areas: dict[str, float] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        """The model, or None where only samples were given."""
        return self.inputs.model

    @property
    def reference(self) -> Reference:
        """The real data."""
        return self.inputs.reference

    @cached_property
    def parts(self) -> dict[str, Any]:
        """Rows that scores are shown of: train, held out, sampled, other, as far as there are.

        Of tables those without missing cells: log densities of rows that lack other cells do not
        compare.
        """
        reference = self.reference
        train = reference.train
        if train is not None:  # the rows that the measures take
            n = min(len(train), len(reference.real))
            train = take(train, np.arange(n))
        found = {
            "train": train,
            "held out": reference.real,
            "sampled": self.inputs.samples,
            "other": reference.other,
        }
        there = {name: X[:] if is_source(X) else X for name, X in found.items() if X is not None}
        if reference.kind != "table":
            return there
        return {name: X for name, rows in there.items() if len(X := self._whole(rows))}

    def _whole(self, X: Any) -> Any:
        """The rows of a table without missing cells; none where every row has some."""
        try:
            return self.inputs.whole_rows(X)
        except DataError:
            return ()

    @cached_property
    def scores(self) -> dict[str, np.ndarray]:
        """Log densities of :attr:`parts` in nats; empty where held-out rows have none.

        Parts that cannot be scored, such as samples out of the bounds of a column, are left out.
        """
        if not self.inputs.scoring:
            return {}
        found = {}
        for name, X in self.parts.items():
            try:
                found[name] = self.inputs.scores(X)
            except DataError:  # the measures say why
                continue
        return found if "held out" in found else {}

    @property
    def bits(self) -> float:
        """Nats an image to bits per dimension; -1 times, for less is more likely there."""
        return -1 / (math.prod(self.reference.real.shape) * math.log(2))

    def other_scores(self) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
        """Scores of held-out and other rows with their AUROC, by the kind of score."""
        if "other" not in self.scores:
            return {}
        inside, outside = self.scores["held out"], self.scores["other"]
        pairs = {"log density": ("auroc", inside, outside)}
        if "train" in self.scores:
            train = self.scores["train"]
            typical = typicality(train, inside), typicality(train, outside)
            pairs["typicality"] = ("auroc [typicality]", *typical)
        if self.reference.kind == "images":
            a, b = (
                input_complexity(self.parts[name], self.scores[name])
                for name in ("held out", "other")
            )
            pairs["input complexity"] = ("auroc [input complexity]", a, b)
            if self.inputs.can("inlier_scores"):
                a, b = (
                    self.inputs.model.inlier_scores(self.parts[name])
                    for name in ("held out", "other")
                )
                pairs["inlier scores"] = ("auroc [inlier scores]", a, b)
            levels = self._levels()
            if levels is not None:
                a, b = levels
                pairs["last level"] = (f"auroc [level {a.shape[1]}]", a[:, -1], b[:, -1])
        return {
            kind: (a, b, self.areas.get(name) or auroc(a, b).value)
            for kind, (name, a, b) in pairs.items()
        }

    def _levels(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Scores by level of held-out and other images, for models that have levels."""
        inside, outside = self.parts["held out"], self.parts["other"]
        try:
            levels = tuple(self.inputs.scores(X, per_level=True) for X in (inside, outside))
        except TypeError:
            return None
        return levels[0], levels[1]
