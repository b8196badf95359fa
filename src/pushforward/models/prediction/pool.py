"""Conditional densities of a target, pooled by what they say of rows that none was fitted to."""

import math
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from ...data import Columns
from ...errors import DataError, LeftOutWarning, ModelFileError
from ...estimators.base import packed, unpacked
from ...estimators.piecewise import Pieces
from ...storage.checkpoint import Checkpoint
from ...transport.joint_density import JointDensity
from ...transport.numerics import with_prefix
from ..sliced.auto import AutoDensity
from .completed_rows import averaged, regrouped

if TYPE_CHECKING:
    import pandas as pd

    from ...estimators.conditional_table import ConditionalTable

__all__ = ["TARGET", "Component", "Pool", "Tables", "density_of", "kept_or_fitted"]

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

    @classmethod
    def of_rows(
        cls, columns: Columns, numbers: Tensor, location: Tensor, spread: Tensor | None
    ) -> Self:
        """The tables of rows.

        Args:
            columns: of the inputs.
            numbers: (n, D) coordinates of the inputs, none of them missing.
            location: (n, K) what regressions say of the target.
            spread: (n,) and of the logarithm of the size of their errors; None of classes.
        """
        import pandas as pd

        names = [f"location {i}" for i in range(location.shape[1])]
        frames = {"location": pd.DataFrame(location.numpy(), columns=names)}
        kinds: dict[str, dict[str | int, str]] = {"location": dict.fromkeys(names, "continuous")}
        if spread is not None:
            table = frames["location"].assign(**{"log spread": spread.numpy()})
            frames["location and spread"] = table
            kinds["location and spread"] = kinds["location"] | {"log spread": "continuous"}
        d = columns.n_coordinates
        if 0 < d <= _MOST_COLUMNS:
            frames["joint"], kinds["joint"] = joint_table(columns, numbers[:, :d])
        return cls(frames, kinds)

    def take(self, rows: np.ndarray) -> "Tables":
        """The tables of the chosen rows, by their numbers."""
        taken = {k: frame.iloc[rows].reset_index(drop=True) for k, frame in self.frames.items()}
        return Tables(taken, self.kinds)


def joint_table(columns: Columns, numbers: Tensor) -> tuple["pd.DataFrame", dict[str | int, str]]:
    """The table of the inputs that the joint density is given, and the kinds of its columns.

    Args:
        columns: of the inputs.
        numbers: (n, D) coordinates of them, NaN where they are missing.
    """
    import pandas as pd

    names = [f"input {j}" for j in range(numbers.shape[1])]
    frame = pd.DataFrame(numbers.numpy(), columns=names)
    kinds: dict[str | int, str] = {}
    for j, name in enumerate(names):
        kinds[name] = "continuous"
        if bool(columns.discrete[j]):
            frame[name] = frame[name].astype("Int64" if numbers[:, j].isnan().any() else np.int64)
            kinds[name] = "category" if bool(columns.nominal[j]) else "integer"
    return frame, kinds


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


@dataclass(frozen=True)
class Pool:
    """The linear pool of conditional densities of a target.

    Attributes:
        components: with weight.
        trials: what was tried: density, held-out nats a row, and weight of each.
        held_out: mean log density of the targets of the rows held out, in nats; NaN where there
            are none.
        joint: the density of inputs and target, by which missing inputs are completed, whether it
            has weight or not; None of too many inputs.
    """

    components: list[Component]
    trials: list[dict[str, Any]]
    held_out: float
    joint: AutoDensity | None = None

    @classmethod
    def fit(
        cls,
        tables: Tables,
        y: Any,
        *,
        kind: str,
        bounds: tuple[float | None, float | None] | None,
        seed: int,
        deadline: float | None,
        work: Checkpoint,
    ) -> Self:
        """Fit a density to each table and the target, and pool them.

        A fifth of the rows are held out: they stop the densities, and weigh them.

        Args:
            tables: of n rows.
            y: pandas series of n targets.
            kind, bounds: of the target.
            seed: of everything random.
            deadline: ``time.monotonic()`` to be done by; None for no end.
            work: keeps finished densities.
        """
        out, fitted = _held_out(y, seed)
        count, kind = len(out), _kind_of_some(kind, y.iloc[fitted])
        found: list[Component] = []
        scores: list[Tensor] = []
        joint: AutoDensity | None = None
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
            joint = density if name == "joint" else None
            if name == "joint" and _slow(density):
                continue
            found.append(component)
            if not count:
                return cls(found, [{"density": name, "held_out": None, "weight": 1.0}], math.nan)
            held = Tables({name: frame.iloc[out]}, tables.kinds)
            try:
                scores.append(component.log_prob(held, y.iloc[out]))
            except DataError:  # a density under which some rows cannot be is none of theirs
                found.pop()
        return cls._weighted(found, scores, joint)

    @classmethod
    def _weighted(
        cls, found: list[Component], scores: list[Tensor], joint: AutoDensity | None
    ) -> Self:
        """The pool of components, from their log densities (n,) of the rows held out."""
        log_prob = torch.stack(scores, 1)
        weight = _weights(log_prob)
        tried = [
            {"density": c.name, "held_out": float(s.mean()), "weight": float(w)}
            for c, s, w in zip(found, scores, weight, strict=True)
        ]
        pool = [
            Component(c.name, c.density, float(w))
            for c, w in zip(found, weight, strict=True)
            if w > 0
        ]
        return cls(pool, tried, float((log_prob + weight.log()).logsumexp(1).mean()), joint)

    def pieces(self, tables: Tables, of: np.ndarray) -> Pieces:
        """The distributions of rows in pieces; ``of`` is the row that each of the tables' is of.

        A row with missing cells has several rows of the tables, one for each completion.
        """
        parts = [
            regrouped(c.conditional(tables).pieces(TARGET), c.weight, of) for c in self.components
        ]
        return Pieces(*(np.concatenate(part, 1) for part in zip(*parts, strict=True)))

    def log_prob(self, tables: Tables, y: Any, of: np.ndarray) -> np.ndarray:
        """Log densities (n,) of targets of rows; ``y`` are those of the tables' rows."""
        own = [math.log(c.weight) + c.log_prob(tables, y) for c in self.components]
        return averaged(torch.stack(own).logsumexp(0), of, int(of[-1]) + 1 if len(of) else 0)

    def probabilities(self, tables: Tables, of: np.ndarray, classes: int) -> np.ndarray:
        """Probabilities (n, C) of the classes of rows."""
        total = np.zeros((len(of), classes))
        for component in self.components:
            found = component.conditional(tables).probabilities(TARGET)
            codes = [int(code) for code in found.columns]
            total[:, codes] += component.weight * found.to_numpy()
        count = np.bincount(of)[:, None]
        mean = np.zeros((len(count), classes))
        np.add.at(mean, of, total)
        return mean / count

    def config(self) -> dict[str, Any]:
        """What beside :meth:`tensors` rebuilds the pool, as JSON has it."""
        components = [
            {"name": c.name, "weight": c.weight, "density": packed(c.density)[0]}
            for c in self.components
        ]
        held_out = None if math.isnan(self.held_out) else self.held_out
        found = {"components": components, "trials": self.trials, "held_out": held_out}
        apart = self._joint_apart()
        return found if apart is None else {**found, "joint": packed(apart)[0]}

    def _joint_apart(self) -> AutoDensity | None:
        """The joint density, where it is none of the components."""
        return None if any(c.name == "joint" for c in self.components) else self.joint

    def tensors(self) -> dict[str, Tensor]:
        """The tensors of the components, by their number."""
        tensors = {
            f"components.{i}.{key}": value
            for i, component in enumerate(self.components)
            for key, value in packed(component.density)[1].items()
        }
        apart = self._joint_apart()
        if apart is not None:
            tensors |= {f"joint.{key}": value for key, value in packed(apart)[1].items()}
        return tensors

    @classmethod
    def from_state(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """Rebuild from :meth:`config` and :meth:`tensors`.

        Raises:
            ValueError: for what is no pool.
        """
        components = []
        for i, one in enumerate(config["components"]):
            density = density_of(one["density"], with_prefix(tensors, f"components.{i}."))
            if density is not None:
                components.append(Component(str(one["name"]), density, float(one["weight"])))
        weights = [c.weight for c in components]
        if not all(0 < w <= 1 for w in weights) or abs(sum(weights) - 1) > 1e-6:
            raise ValueError("the weights of a pool are no shares")
        trials = [
            {
                "density": str(t["density"]),
                "held_out": None if t["held_out"] is None else float(t["held_out"]),
                "weight": float(t["weight"]),
            }
            for t in config["trials"]
        ]
        held_out = config["held_out"]
        joint = density_of(config.get("joint"), with_prefix(tensors, "joint."))
        joint = next((c.density for c in components if c.name == "joint"), joint)
        return cls(components, trials, math.nan if held_out is None else float(held_out), joint)

    def check(self, tables: Tables) -> None:
        """Refuse densities of other tables than these, before the first prediction.

        Raises:
            ValueError: then.
        """
        of_pool = [(c.name, c.density) for c in self.components]
        apart = self._joint_apart()
        for name, density in of_pool if apart is None else [*of_pool, ("joint", apart)]:
            frame, columns = tables.frames[name], density.columns_
            if list(columns.labels) != [*frame.columns, TARGET]:
                raise ValueError("a conditional density is of other columns")
            drawn = density.sample(1, random_state=0)[TARGET].iloc[0]
            columns.encode(frame.assign(**{TARGET: drawn}))


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


def density_of(config: Any, tensors: dict[str, Tensor]) -> AutoDensity | None:
    """A density within a predictor, or None.

    Raises:
        ModelFileError: for a model of another class.
    """
    if config is None:
        return None
    if not isinstance(config, dict) or config.get("class") != "AutoDensity":
        raise ModelFileError("A density within a Predictor is no AutoDensity.")
    return unpacked(config, tensors, "a density within the Predictor")


def _held_out(y: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that are held out, and of those that densities are fitted to.

    The latter have two values of the target at least, as all of them together have.
    """
    n = len(y)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).numpy()
    count = 0 if n < _FEW else min(_MOST_HELD, round(_HELD_OUT * n))
    out, fitted = order[:count], order[count:]
    if y.iloc[fitted].nunique() == 1:
        (other, *_) = np.flatnonzero((y.iloc[out] != y.iloc[fitted[0]]).to_numpy())
        out, fitted = np.delete(out, other), np.append(fitted, out[other])
    return np.sort(out), np.sort(fitted)


def _kind_of_some(kind: str, y: "pd.Series") -> str:
    """The kind of the target in some of its rows: a value that comes again may not do so there."""
    if kind == "mixed":
        try:
            Columns.learn(y.to_frame(TARGET), columns={TARGET: kind})
        except DataError:
            return "continuous"
    return kind


def _slow(density: AutoDensity) -> bool:
    """Whether every place of a smooth target asks the trees of all discrete inputs anew."""
    found, place = density.density_, list(density.columns_.modelled).index(TARGET)
    return isinstance(found, JointDensity) and bool(found.chain.smooth[place])


def _weights(log_prob: Tensor) -> Tensor:
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
