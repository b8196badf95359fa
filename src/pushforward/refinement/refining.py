"""Refinement of any generator: move, then thin, and return only what helps on held-out rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from ..citations import bibtex
from ..errors import DataError, ParameterError, UnsupportedError
from ..metrics.measure import Measure
from ..training import generator_of
from .calibration import calibrate
from .judging import RealRows, improves
from .outcome import RefinementReport, Stage
from .ratio import fit_ratio
from .resampling import effective_sample_size, importance_weights
from .slopes import BATCH, Score, frozen
from .spaces import Prior, Space
from .stages import METHODS, Made, make

__all__ = ["RefinedModel", "refine"]

_MOVES_DATA_BELOW = 17  # dimensions: in more, a logit is easier to fool than a decoder
_RATIO, _POOL, _START = range(7, 10)  # what a seed is for, beside the number of a stage

_LOOKED_AT = 1000  # samples that displacement and weights are measured on
_MOVE = ("dgflow", "dot", "ddls")
_SMOOTH = (
    0.002  # gradient penalty of what points move by; what only weighs them is sharper without
)

_CITES = {
    "auto": ("ansari2021refining", "verine2024optimal"),
    "dgflow": ("ansari2021refining",),
    "dot": ("tanaka2019discriminator",),
    "ddls": ("che2020your",),
    "mh": ("turner2019metropolis",),
    "drs": ("azadi2019discriminator",),
    "rejection": ("verine2024optimal",),
    "resampling": ("rubin1987calculation",),
}


@dataclass(frozen=True)
class RefinedModel:
    """A generator with what made its samples better.

    Attributes:
        report_: what was tried, what helped, and by how much.
        method: as it was asked for.
    """

    report_: RefinementReport
    method: str
    _space: Space
    _base: Space
    _logit: Score
    _functions: tuple[Any, ...]
    _as_array: bool

    def sample(self, n: int = 1, random_state: Any = None) -> Any:
        """Draw refined rows (n, ...).

        Args:
            n: how many.
            random_state: an int repeats them, whatever the batch size.

        Returns:
            A tensor where the generator was a function of latents, an array where it was a model.
        """
        return self._out(self._drawn(self._space, n, random_state)[0])

    def weighted_sample(self, n: int, random_state: Any = None) -> tuple[Any, Any]:
        """Draw rows of the generator as it was, and importance weights (n,) of sum 1.

        For means rather than samples: nothing is thrown away and nothing moved.
        """
        rows, logit = self._drawn(self._base, n, random_state)
        return self._out(rows), self._out(importance_weights(logit))

    def cite(self) -> str:
        """BibTeX of the papers the method is from."""
        return bibtex(_CITES[self.method])

    def _drawn(self, space: Space, n: int, random_state: Any) -> tuple[Tensor, Tensor]:
        if n < 1:
            raise ParameterError(f"n is {n!r}. Expected at least 1.")
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        with torch.no_grad(), frozen(*self._functions):
            points = space.draw(n, generator_of(seed))
            return space.decoded(points), space.logits(self._logit, points)

    def _out(self, rows: Tensor) -> Any:
        return rows.cpu().numpy() if self._as_array else rows


def refine(
    generator: Any,
    data: Any,
    *,
    prior: Prior | int | None = None,
    logit: Score | None = None,
    method: str = "auto",
    space: str = "auto",
    settings: Mapping[str, Any] | None = None,
    features: Callable[[Tensor], Tensor] | None = None,
    seed: int = 0,
    batch_size: int = BATCH,
    report: Callable[[str, float], None] | None = None,
) -> RefinedModel:
    """Make the samples of a trained generator better, and say honestly whether that worked.

    ``method="auto"`` learns a smooth ratio of densities where no critic is given; moves samples
    by DGflow with a step, noise and number of steps chosen by a two-sample test on rows that
    taught nothing; learns the ratio anew on what was moved; and thins by optimal budgeted
    rejection. Every stage is judged on further held-out rows, and one that does not help beyond
    chance is left out: the model that comes back may be the generator as it was.

    Args:
        generator: a model with ``sample(n, random_state=)`` that gives rows of numbers (n, d);
            or, with ``prior``, a function of latents (n, ...) to rows (n, ...) in PyTorch. Its
            networks are used in evaluation mode and stay exactly as they are.
        data: real rows (n, ...) that the generator makes, at least 200. Best are rows it was not
            trained on.
        prior: of the latents; a number k stands for k standard normal ones.
        logit: of rows, log of real over generated density: the generator's own critic. It is
            calibrated by a line. By default a network is trained.
        method: "auto", or one of "dgflow", "dot", "ddls", "mh", "drs", "rejection" (optimal
            budgeted) and "resampling" by itself.
        space: what is moved, "data" or "latent"; "auto" is latents for rows of more than 16
            numbers.
        settings: of the method, as the function of that name takes them; for "dgflow" also
            ``{"preset": name}`` of the published ones, for "auto" ``{"budget": draws}``.
        features: what the two-sample test and the learned ratio see of rows: a differentiable
            function (n, ...) to (n, d).
        seed: of everything that is drawn here.
        batch_size: rows whose activations are held in memory at once; changes nothing else.
        report: called with a line of text and the share done.

    Raises:
        DataError: for rows that do not fit each other, or a network whose rows depend on their
            neighbours in the batch.
        ParameterError: for an unknown method, space or setting.
        UnsupportedError: for what can be neither sampled nor called, or a method that needs
            latents where there are none.

    Examples:
        A generator that is off by one, and a logit that knows it:

        >>> draw = torch.Generator().manual_seed(0)
        >>> data = torch.randn(1000, 1, generator=draw) + 1
        >>> model = refine(lambda z: z, data, prior=1, logit=lambda x: x[:, 0] - 0.5,
        ...                method="dgflow")
        >>> model.report_.helped, model.report_.before.value - model.report_.after.value > 0.1
        (True, True)
        >>> abs(float(model.sample(1000, random_state=0).mean()) - 1) < 0.2
        True
    """
    if method != "auto" and method not in METHODS:
        raise ParameterError(
            f"method is {method!r}. Expected 'auto' or one of {', '.join(METHODS)}."
        )
    wanted, settings = ("dgflow", "rejection"), dict(settings or {})
    if method != "auto":
        wanted = (method,)
    elif set(settings) - {"budget"}:
        raise ParameterError(f"settings are {settings}. Expected only 'budget' with 'auto'.")
    tell = report or (lambda text, share: None)
    rows = torch.as_tensor(_numbers(data), dtype=torch.float32)
    functions = tuple(f for f in (generator, logit, features) if f is not None)
    with torch.no_grad(), frozen(*functions):
        base = _space(generator, prior, space, batch_size)
        real = RealRows.split(rows, features or (lambda x: x), seed)
        before_rows = base.rows(len(real.judge), generator_of(seed, _START))
        if before_rows.shape[1:] != rows.shape[1:]:
            raise DataError(
                f"The generator makes rows of shape {tuple(before_rows.shape[1:])} and data has "
                f"{tuple(rows.shape[1:])}. Expected the same."
            )
        if logit is not None:
            _check_rows_alone("logit", logit, before_rows[:8])
        tell("learning the ratio of densities", 0.0)
        first = _calibrated(logit, base, real, features, wanted[0] in _MOVE, seed)
        floor, before = real.auc(real.choose, real.judge), real.auc(before_rows, real.judge)
        current, best, latest, stages = base, before, first, []
        for number, name in enumerate(wanted):
            if number and (logit is None or current is not base):
                tell("learning the ratio of what was moved", number / len(wanted))
                latest = _calibrated(None, current, real, features, name in _MOVE, seed + 1)
            tell(f"trying {name}", (number + 0.5) / len(wanted))
            own = settings if method != "auto" or name == "rejection" else {}
            made = make(name, current, latest, real, own, seed)
            if made is None:
                continue
            stage = _judged(name, made, current, latest, best, real, generator_of(seed, number))
            stages.append(stage)
            tell(str(stage), (number + 1) / len(wanted))
            if stage.kept:
                current, best = made.space, stage.auc
        after_rows = current.rows(len(real.judge), generator_of(seed, _START))
        told = {"real": real.judge, "before": before_rows, "after": after_rows}
        logits = {name: _quartiles(first(part)) for name, part in told.items()}
    sizes = (len(real.learn), len(real.choose), len(real.judge))
    outcome = RefinementReport(floor, before, tuple(stages), logits, sizes)
    return RefinedModel(outcome, method, current, base, first, functions, prior is None)


def _numbers(data: Any) -> Any:
    if isinstance(data, Tensor):
        return data.detach()
    array = np.asarray(data)
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"The rows are {array.dtype}. Expected numbers of shape (n, d): refinement moves "
            "rows through space, which text and categories have none of."
        )
    return array


def _space(generator: Any, prior: Prior | int | None, space: str, batch_size: int) -> Space:
    """Where points are drawn, by what is known of the generator."""
    if space not in ("auto", "data", "latent"):
        raise ParameterError(f"space is {space!r}. Expected 'auto', 'data' or 'latent'.")
    if prior is None:
        if not hasattr(generator, "sample") or space == "latent":
            raise UnsupportedError(
                f"{type(generator).__name__} came without a prior. Expected a model with "
                "sample(n, random_state=) whose samples are moved, or a function of latents and "
                "their prior=."
            )

        def rows(n: int, draw: torch.Generator) -> Tensor:
            number = int(torch.randint(2**31 - 1, (1,), generator=draw))
            drawn = generator.sample(n, random_state=number)
            return torch.as_tensor(_numbers(drawn), dtype=torch.float32)

        return Space(rows, lambda x: x, batch_size=batch_size)
    if not isinstance(prior, Prior):
        prior = Prior.normal(int(prior))
    _check_rows_alone("generator", generator, prior.sample(8, generator_of(0)))
    latent = Space(prior.sample, generator, prior.log_prob, batch_size=batch_size)
    if space == "auto":
        few = latent.rows(1, generator_of(0)).numel() < _MOVES_DATA_BELOW
        space = "data" if few else "latent"
    return latent if space == "latent" else Space(latent.rows, lambda x: x, batch_size=batch_size)


def _calibrated(
    logit: Score | None,
    space: Space,
    real: RealRows,
    features: Callable[[Tensor], Tensor] | None,
    smooth: bool,
    seed: int,
) -> Score:
    """The logit of rows, learned where none is given, and Platt-scaled on held-out rows."""
    see = features or (lambda x: x)
    if logit is None:
        pool = space.rows(len(real.learn), generator_of(seed, _RATIO))
        penalty = _SMOOTH if smooth else 0.0
        network = fit_ratio(see(real.learn), see(pool), penalty=penalty, seed=seed)

    def raw(x: Tensor) -> Tensor:
        return network(see(x)) if logit is None else logit(x).reshape(len(x))

    held_out = space.rows(len(real.choose), generator_of(seed, _POOL))
    parts = (
        torch.cat([raw(part) for part in rows.split(space.batch_size)])
        for rows in (real.choose, held_out)
    )
    line = calibrate(*parts, kind="platt")
    return lambda x: line(raw(x))


def _check_rows_alone(name: str, function: Score, points: Tensor) -> None:
    together, alone = function(points)[:1], function(points[:1])
    if not torch.allclose(together, alone, rtol=1e-2, atol=1e-3):
        raise DataError(
            f"What {name} gives for a row changes by {float((together - alone).abs().max()):.3g} "
            "when seven others stand beside it. Expected no change: put its networks in "
            "evaluation mode (.eval()), batch norm above all."
        )


def _judged(
    name: str,
    made: Made,
    current: Space,
    logit: Score,
    best: Measure,
    real: RealRows,
    generator: torch.Generator,
) -> Stage:
    """What a stage is worth, by fresh samples and rows that chose nothing."""
    rows = made.space.rows(len(real.judge), generator)
    if not rows.isfinite().all():
        raise DataError(f"{name} with {made.settings} moved samples to infinity. Lower the step.")
    auc = real.auc(rows, real.judge)
    points = current.draw(min(_LOOKED_AT, len(real.judge)), generator)
    displacement = None
    if made.mover is not None:
        start = current.decoded(points).flatten(1)
        end = current.decoded(made.mover(points, generator)).flatten(1)
        spread = (start - start.mean(dim=0)).square().sum(dim=1).mean().clamp(min=1e-30)
        displacement = float(((end - start).square().sum(dim=1).mean() / spread).sqrt())
    return Stage(
        name,
        made.settings,
        auc,
        improves(best, auc),
        displacement,
        made.space.draws,
        made.space.evaluations,
        effective_sample_size(current.logits(logit, points)) / len(points),
    )


def _quartiles(values: Tensor) -> tuple[float, float, float]:
    share = torch.tensor([0.25, 0.5, 0.75], dtype=values.dtype, device=values.device)
    low, middle, high = torch.quantile(values, share).tolist()
    return low, middle, high
