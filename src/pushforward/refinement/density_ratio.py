"""The density ratio of real to generated rows: whose logit it is, and how one is learned."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ParameterError
from ..validation import OneOf, check
from ..wording import setting
from .acceptance_test import RealRows
from .calibration import calibrate
from .logistic_refit import fit_last_layer
from .logit import Logit, uncalibrated
from .logit_gradients import BATCH, Score, in_batches
from .ratio_network import LineRatio, convolves, fit_ratio
from .ratio_trees import Numbers, TreeRatio
from .row_width import is_narrow
from .sample_spaces import Space
from .streams import Stream

__all__ = ["RATIOS", "OtherCritic", "RatioEstimator"]

#: How a logit is learned where a model has no critic of its own.
RATIOS = ("direct", "corrected", "residual")

# penalties; none is sharpest, and convolutions are smooth by themselves
_SMOOTH, _SMOOTH_WIDE, _SHARP_WIDE = 0.002, 0.05, 5e-5
_POOLED = 4000  # samples at the least that a network learns from, however few rows there are
_FOR_ONE = 4  # samples to a real row that a sharp network learns from: they cost little,
_ENOUGH, _TO_WEIGH = 64_000, 200_000  # and of so many it has enough, to move or to weigh them
_WIDTH, _BATCH = 128, 1024  # of a sharp network
_STEPS, _STEPS_THAT_WEIGH = 1000, 1500
_PASSES, _STEP = 30, 256  # of wide rows: more steps know them by heart; rows of a step
_TREES_TAKE = 2e-3  # seconds for a real row, about
_TIMED, _TRIED = 256, 4  # rows and steps that show what learning takes


@dataclass(frozen=True)
class OtherCritic:
    """The critic of another model, which "corrected" and "residual" begin with.

    Attributes:
        critic: its logit of rows.
        draw: (n, seed) rows of the model that it was trained against.
        model: that model, which is saved with what was learned from it.
    """

    critic: Score
    draw: Callable[[int, int], Tensor]
    model: Any = None


@dataclass(frozen=True)
class RatioEstimator:
    """Estimates the log ratio of densities of real rows to those that a space draws.

    Source: Sugiyama, Suzuki and Kanamori, "Density ratio estimation in machine learning", 2012;
    "corrected": Ansari, Ang and Soh, 2021, section 3.3.

    Attributes:
        real: rows in parts: those that learn are learned from, those that choose calibrate.
        ratio: one of :data:`RATIOS`.
        features: of rows, which the network has in their place.
        other: the critic that "corrected" and "residual" begin with.
        seed: of all that is drawn.
        lines: whether rows are lines of text, as shares of letters.
        batch_size: rows whose activations are held at once.
        numbers: of rows of tables with categories, which are weighed by trees of them.
    """

    real: RealRows
    ratio: str = "direct"
    features: Callable[[Tensor], Tensor] | None = None
    other: OtherCritic | None = None
    seed: int = 0
    lines: bool = False
    batch_size: int = BATCH
    numbers: Numbers | None = None

    def __post_init__(self) -> None:
        check({"ratio": OneOf(*RATIOS)}, {"ratio": self.ratio})
        if (self.ratio == "direct") != (self.other is None):
            raise ParameterError(
                f"{setting('ratio', self.ratio)} and {setting('critic_of')} is "
                f"{None if self.other is None else 'a model'}. Expected both or neither: "
                "'corrected' and 'residual' begin with the critic of another model."
            )

    @property
    def narrow(self) -> bool:
        """Whether the network has few numbers of a row."""
        return is_narrow(self._shape)

    @cached_property
    def _shape(self) -> torch.Size:
        return self._features(self.real.train[:2]).shape[1:]

    def _features(self, rows: Tensor) -> Tensor:
        return in_batches(self.features or _all_of, rows, self.batch_size)

    def calibrated(self, kind: str, score: Score, space: Space, *, number: int = 0) -> Logit:
        """A logit that is there already, on the scale of what the space draws.

        Args:
            kind: "given" or "critic".
            score: of rows.
            space: whose samples count as generated.
            number: of logits that were learned before, from which its random numbers follow.
        """
        return self._with_line(Logit(kind, uncalibrated(), frozen=score), space, number)

    def learned(
        self,
        space: Space,
        *,
        moves: bool,
        near: bool = False,
        number: int = 1,
        minutes: float | None = None,
    ) -> Logit:
        """A logit of what the space draws.

        What weighs samples is sharp. What moves them is smooth, so that it leads them a long
        way; near the data there is none to go and only fine structure is left, and for rows of
        few numbers it is sharp too.

        Args:
            space: whose samples count as generated.
            moves: whether points are to move along its gradient, or only to be weighed.
            near: whether a stage has brought them near the data.
            number: which logit of a refinement it is, from 1; its random numbers follow from it.
            minutes: time to stop after; None takes what it needs.
        """
        seed = self.seed + number
        if self._by_trees(moves):
            assert self.numbers is not None
            pool = max(_POOLED, _FOR_ONE * len(self.real.train))
            drawn = space.quantised(pool, seed, Stream.RATIO)
            trees = TreeRatio.fit(self.real.train, drawn, self.numbers, seed, minutes)
            return self._with_line(
                Logit(self.ratio, uncalibrated(), network=trees), space, number, moves
            )
        sharp = self._sharp(moves, near)
        pool = self._pool(moves, sharp)
        generated = self._drawn(space, moves)(pool, seed, Stream.RATIO)
        start, real = self._start(space, number), self.real.train
        if self.ratio == "corrected":
            assert self.other is not None
            real = self.other.draw(pool, seed).to(real)
        options = self._options(len(real) + len(generated), moves, sharp)
        both = self._features(real), self._features(generated)
        offset = Logit("critic", start.line, start.frozen) if self.ratio == "residual" else None
        network: Any = fit_ratio(
            *both, **options, random_state=seed, offset=offset, minutes=minutes,
            network=self._network(real, moves, seed) if self.lines else None,
        )  # fmt: skip
        if self.narrow and not moves and not self.lines:
            fit_last_layer(network, *both, offset)
        if self.features is not None:
            network = FeatureRatio(self.features, network)
        logit = replace(start, network=network, line=uncalibrated())
        return self._with_line(logit, space, number, moves)

    def without_features(self, logit: Logit) -> Logit:
        """A logit as a folder holds it: its network alone, without the features of the user."""
        if isinstance(logit.network, FeatureRatio):
            return replace(logit, network=logit.network.network)
        return logit

    def restored(
        self, config: dict[str, Any], tensors: dict[str, Tensor], score: Score | None = None
    ) -> Logit:
        """What :meth:`calibrated` or :meth:`learned` gave, from what a folder holds of it.

        Args:
            config, tensors: of :meth:`without_features`.
            score: the score that was calibrated; None for a logit that was learned.
        """
        others = None
        if score is None and self.other is not None:
            score, others = self.other.critic, self.other.model
        device = self.real.train.device
        logit = Logit.from_config(config, tensors, score, others, device)
        if isinstance(logit.network, TreeRatio):
            logit.network.numbers = self.numbers
        elif logit.network is not None and self.features is not None:
            return replace(logit, network=FeatureRatio(self.features, logit.network))
        return logit

    def seconds(self, rows: Tensor, *, moves: bool, near: bool = False) -> float:
        """Seconds that :meth:`learned` takes to train, from a few steps that are timed.

        Args:
            rows: some that the space drew.
            moves, near: as there.
        """
        real = self.real.train
        if self._by_trees(moves):
            return _TREES_TAKE * len(real)
        count = max(_POOLED, len(real)) + len(real)
        options = self._options(count, moves, self._sharp(moves, near))
        both = [self._features(x[:_TIMED]) for x in (real, rows)]
        each = 0.0
        for steps in (1, _TRIED):  # the first finds its kernels, which takes as long as many
            network = self._network(real, moves, self.seed) if self.lines else None
            started = time.perf_counter()
            fit_ratio(*both, **options | {"steps": steps}, network=network)
            each = (time.perf_counter() - started) / steps
        return each * options["steps"]

    def _start(self, space: Space, number: int) -> Logit:
        """The part of the logit that is there before learning; its line is that of a residual."""
        none = uncalibrated()
        if self.other is None:
            return Logit(self.ratio, none)
        frozen = self.other.critic
        if self.ratio == "corrected":
            return Logit(self.ratio, none, frozen, others=self.other.model)
        line = self._with_line(Logit("critic", none, frozen), space, number).line
        shift, share = line.values.tolist()
        return Logit(self.ratio, line, frozen, share, shift, others=self.other.model)

    def _by_trees(self, moves: bool) -> bool:
        plain = self.features is None and self.other is None
        return self.numbers is not None and not moves and plain

    def _sharp(self, moves: bool, near: bool) -> bool:
        return not moves or (near and self.narrow)

    def _pool(self, moves: bool, sharp: bool) -> int:
        """Samples that a network learns from."""
        pool = max(_POOLED, len(self.real.train))
        if sharp and self.narrow:
            pool = max(pool, min(_FOR_ONE * pool, _ENOUGH if moves else _TO_WEIGH))
        return pool

    def _options(self, rows: int, moves: bool, sharp: bool) -> dict[str, Any]:
        """Options of :func:`fit_ratio` for so many rows."""
        if not sharp:
            smooth = self.narrow or convolves(self._shape)
            steps = _STEPS if self.narrow else min(_STEPS, math.ceil(_PASSES * rows / _STEP))
            return {"penalty": _SMOOTH if smooth else _SMOOTH_WIDE, "steps": steps}
        options = {"penalty": _SHARP_WIDE, "steps": _STEPS_THAT_WEIGH, "width": _WIDTH}
        if self.narrow:
            options |= {"penalty": 0.0, "batch_size": _BATCH}
        if self.lines and not moves:
            options["penalty"] = 0.0  # letters that are chosen have no gradient
        return options

    def _network(self, real: Tensor, moves: bool, seed: int) -> LineRatio:
        return LineRatio((real.shape[1], real.shape[2]), hard=not moves, random_state=seed)

    def _drawn(self, space: Space, moves: bool) -> Callable[..., Tensor]:
        """Rows as the user gets them; of lines that move, shares of letters."""
        return space.rows if self.lines and moves else space.quantised

    def _with_line(self, logit: Logit, space: Space, number: int, moves: bool = True) -> Logit:
        """The logit with Platt's line, from rows that nothing has learned from."""
        draw = self._drawn(space, moves)
        held_out = draw(len(self.real.validation), self.seed + number, Stream.CALIBRATION)
        both = (self.real.validation, held_out)
        parts = (in_batches(logit.raw, rows, self.batch_size) for rows in both)
        return replace(logit, line=calibrate(*parts, kind="platt"))


class FeatureRatio(nn.Module):
    """A network of features of rows, which are the user's and cannot be saved."""

    def __init__(self, features: Callable[[Tensor], Tensor], network: nn.Module) -> None:
        super().__init__()
        self._features, self.network = features, network

    def forward(self, x: Tensor) -> Tensor:
        """The logit (n,) of rows (n, ...)."""
        return self.network(self._features(x))


def _all_of(rows: Tensor) -> Tensor:
    return rows
