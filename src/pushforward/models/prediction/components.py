"""Conditional densities of a target, pooled by what they say of rows that none was fitted to."""

import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError, LeftOutWarning
from ...estimators.base import packed, unpacked
from ...storage.checkpoint import Checkpoint
from ...transport.joint_density import JointDensity
from ..sliced.auto import AutoDensity

if TYPE_CHECKING:
    import pandas as pd

    from ...estimators.conditional_table import ConditionalTable

__all__ = ["TARGET", "Component", "Tables", "components_of"]

#: Name of the target in the small tables that components are densities of.
TARGET = "target"
_LEAST = 0.05  # weight below which a component is left out
_STEPS = 200  # of expectation maximisation of the weights
_HELD_OUT, _MOST_HELD = 0.2, 1000  # of the rows that choose, and how many they are at most
_FEW = 40  # rows of which none are held out
_MOST_COLUMNS = 30  # of a joint density of inputs and target


@dataclass(frozen=True)
class Tables:
    """The tables of numbers that components are given, by name.

    Attributes:
        frames: "location", "location and spread", "joint": frames of n rows each.
        kinds: kinds of their columns, as AutoDensity takes them.
    """

    frames: dict[str, "pd.DataFrame"]
    kinds: dict[str, dict[str | int, str]]

    def take(self, rows: np.ndarray) -> "Tables":
        """The tables of the chosen rows, by their numbers."""
        taken = {k: frame.iloc[rows].reset_index(drop=True) for k, frame in self.frames.items()}
        return Tables(taken, self.kinds)


@dataclass(frozen=True)
class Component:
    """One conditional density of the target.

    Attributes:
        name: of the table that it is given.
        density: of the columns of the table and the target.
        weight: in the pool.
    """

    name: str
    density: AutoDensity
    weight: float = 1.0

    def conditional(self, tables: Tables) -> "ConditionalTable":
        """The conditional density of the target of rows."""
        return self.density.given(tables.frames[self.name], random_state=0)

    def log_prob(self, tables: Tables, y: Any) -> Tensor:
        """Log densities (n,) of targets; of classes log probabilities."""
        columns = self.density.columns_
        kind = columns.kinds[columns.labels.index(TARGET)]
        if kind == "category":
            return self._log_probability(tables, y)
        whole = tables.frames[self.name].assign(**{TARGET: y})
        found = self.conditional(tables).score_samples(whole)
        if kind == "integer":
            # of samples, which keep to the range of the fit: at its ends is what lies beyond
            values, _, weight = self.conditional(tables).pieces(TARGET)
            mass = np.where(values == np.asarray(y, dtype=float)[:, None], weight, 0.0).sum(1)
            found = np.where(mass > 0, np.log(np.maximum(mass, 1e-300)), found)
        return torch.from_numpy(found)

    def _log_probability(self, tables: Tables, y: Any) -> Tensor:
        """Log probabilities of classes; of those never seen that of one row more."""
        found = self.conditional(tables).probabilities(TARGET)
        found = found.reindex(columns=sorted({*found.columns, *y.tolist()}), fill_value=0.0)
        place = found.columns.get_indexer(y)
        least = 1 / (len(y) + self.density.columns_.n_rows)
        p = found.to_numpy()[np.arange(len(y)), place]
        return torch.from_numpy(np.log(np.maximum(p, least)))


def components_of(
    tables: Tables,
    y: Any,
    *,
    kind: str,
    bounds: tuple[float | None, float | None] | None,
    seed: int,
    deadline: float | None,
    work: Checkpoint,
) -> tuple[list[Component], list[dict[str, Any]], float]:
    """Fit a density to each table and the target, and pool them.

    A fifth of the rows are held out: they stop the densities, and weigh them.

    Args:
        tables: of n rows.
        y: pandas series of n targets.
        kind, bounds: of the target.
        seed: of everything random.
        deadline: ``time.monotonic()`` to be done by; None for no end.
        work: keeps finished densities.

    Returns:
        The components with weight, what was tried, and the mean log density of the targets of
        the rows held out.
    """
    n = len(y)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    count = 0 if n < _FEW else min(_MOST_HELD, round(_HELD_OUT * n))
    out, fitted = order[:count].sort().values.numpy(), order[count:].sort().values.numpy()
    found: list[Component] = []
    scores: list[Tensor] = []
    for i, (name, frame) in enumerate(tables.frames.items()):
        minutes = None
        if deadline is not None:
            left = (deadline - time.monotonic()) / 60 / (len(tables.frames) - i)
            if found and left < 0.01:
                break
            minutes = max(left, 1e-6)
        density = AutoDensity(
            columns={**tables.kinds[name], TARGET: kind},
            bounds=None if bounds is None else {TARGET: bounds},
            missing="error",
            minutes=minutes,
            random_state=seed,
        )
        whole = frame.assign(**{TARGET: y})
        held_out = whole.iloc[out] if count else None
        density = kept_or_fitted(work, name, density, whole.iloc[fitted], validation=held_out)
        component = Component(name, density)
        if name == "joint" and _slow(density):
            continue
        found.append(component)
        if not count:
            break
        held = Tables({name: frame.iloc[out]}, tables.kinds)
        try:
            scores.append(component.log_prob(held, y.iloc[out]))
        except DataError:  # a density under which some rows cannot be is none of theirs
            found.pop()
    if not count:
        return found, [{"density": found[0].name, "held_out": None, "weight": 1.0}], math.nan
    log_prob = torch.stack(scores, 1)
    weight = _pooled(log_prob)
    value = float((log_prob + weight.log()).logsumexp(1).mean())
    tried = [
        {"density": c.name, "held_out": float(s.mean()), "weight": float(w)}
        for c, s, w in zip(found, scores, weight, strict=True)
    ]
    pool = [
        Component(c.name, c.density, float(w)) for c, w in zip(found, weight, strict=True) if w > 0
    ]
    return pool, tried, value


def kept_or_fitted(
    work: Checkpoint, step: str, density: AutoDensity, X: Any, **options: Any
) -> AutoDensity:
    """A density of rows, taken from the work of an interrupted fit if it was finished there.

    Args:
        work: where finished ones are kept.
        step: its name there.
        density: not fitted yet.
        X, options: what its ``fit`` takes.
    """
    config = work.facts(step)
    if config is not None:
        return unpacked(dict(config), dict(work.get(step) or {}), "an unfinished fit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)  # it was said of the same rows before
        density.fit(X, **options)
    config, tensors = packed(density)
    work.put(step, tensors, config)
    work.write()
    return density


def worth_a_joint(columns: int) -> bool:
    """Whether a joint density of so many columns and the target is tried."""
    return columns <= _MOST_COLUMNS


def _slow(density: AutoDensity) -> bool:
    """Whether every place of a smooth target asks the trees of all discrete inputs anew."""
    found, place = density.density_, list(density.columns_.modelled).index(TARGET)
    return isinstance(found, JointDensity) and bool(found.chain.smooth[place])


def _pooled(log_prob: Tensor) -> Tensor:
    """Weights (K,) of the linear pool that says most of rows, from log densities (n, K).

    Expectation maximisation of the weights of a mixture whose terms are fixed, with one row more
    that is even (Genest & Zidek, *Combining probability distributions*, 1986).
    """
    n, k = log_prob.shape
    weight = torch.full((k,), 1 / k, dtype=log_prob.dtype)
    for _ in range(_STEPS):
        share = (log_prob + weight.log()).softmax(1).sum(0)
        weight = (share + 1 / k) / (n + 1)
    weight[weight < _LEAST] = 0.0
    return weight / weight.sum()
