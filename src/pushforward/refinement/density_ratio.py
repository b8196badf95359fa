"""Logits of real against generated: whose they are, how they are learned, how they are kept."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ParameterError
from ..storage.weights import load_weights
from .acceptance_test import RealRows
from .calibration import Calibration, calibrate
from .logistic_refit import settle
from .logit_gradients import BATCH, Score, in_batches
from .ratio_network import LineRatio, convolves, fit_ratio, network_of
from .ratio_trees import Numbers, TreeRatio
from .row_width import is_narrow
from .sample_spaces import Space
from .streams import Stream

__all__ = ["RATIOS", "Logit", "Teacher"]

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
_TIMED, _TRIED = 256, 4  # rows and steps that tell what learning takes


@dataclass(frozen=True)
class Logit:
    """The calibrated logit of rows: log of real over generated density.

    ``intercept + slope * (share * frozen(x) + shift + network(x))``, of which not every logit has
    every part.

    Attributes:
        kind: "given", "critic", or one of :data:`RATIOS`.
        line: Platt's, on rows that taught nothing.
        frozen: the logit of a critic that was trained before.
        share, shift: its own line, of a "residual".
        network: what was learned afterwards.
        others: the model whose critic is frozen, where it is not the generator's own.
    """

    kind: str
    line: Calibration
    frozen: Score | None = None
    share: float = 1.0
    shift: float = 0.0
    network: Any = None
    others: Any = None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (n,) of rows (n, ...), differentiable."""
        return self.line(self.raw(x))

    def raw(self, x: Tensor) -> Tensor:
        """The logit before its line."""
        total: Tensor | float = 0.0
        if self.frozen is not None:
            total = self.share * self.frozen(x).reshape(len(x)) + self.shift
        return total if self.network is None else total + self.network(x)  # type: ignore

    def to_config(self) -> dict[str, Any]:
        """All but tensors and the frozen part, as JSON values."""
        return {
            "kind": self.kind,
            "line": self.line.values.tolist(),
            "share": self.share,
            "shift": self.shift,
            "network": None if self.network is None else self.network.to_config(),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The weights of what was learned."""
        return {} if self.network is None else self.network.state_dict()

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        tensors: dict[str, Tensor],
        frozen: Score | None,
        others: Any,
        device: torch.device,
    ) -> "Logit":
        """The logit that :meth:`to_config` and :meth:`tensors` described.

        Args:
            config, tensors: of those.
            frozen: the critic that it is about.
            others: the model whose critic that is, where it is not the generator's own.
            device: where its network is to be.
        """
        network = None
        if config["network"] is not None:
            network = network_of(config["network"])
            load_weights(network, tensors)
            network.to(device).eval().requires_grad_(False)
        line = Calibration(
            "platt", torch.empty(0), torch.tensor(config["line"], dtype=torch.float64)
        )
        kind = str(config["kind"])
        frozen = None if kind == "direct" else frozen
        share, shift = float(config["share"]), float(config["shift"])
        return cls(kind, line, frozen, share, shift, network, others)


@dataclass
class Teacher:
    """Learns logits of what a space draws, from real rows or from another model's critic.

    Attributes:
        real: rows in parts.
        ratio: one of :data:`RATIOS`.
        see: what the network sees of rows.
        other: the frozen critic that "corrected" and "residual" begin with.
        others_rows: (n, seed) rows of the model it was trained against.
        seed: of all that is drawn.
        left: minutes there are left, or None.
        lines: whether rows are lines of text, as shares of letters.
        others: the model whose critic ``other`` is.
        batch_size: rows whose activations are held at once.
        numbers: what trees see of rows, by which those of tables with categories are weighed.
    """

    real: RealRows
    ratio: str = "direct"
    see: Callable[[Tensor], Tensor] | None = None
    other: Score | None = None
    others_rows: Callable[[int, int], Tensor] | None = None
    seed: int = 0
    left: Callable[[], float | None] = lambda: None
    lines: bool = False
    others: Any = None
    batch_size: int = BATCH
    numbers: Numbers | None = None
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.ratio not in RATIOS:
            raise ParameterError(f"ratio is {self.ratio!r}. Expected one of {', '.join(RATIOS)}.")
        if (self.ratio == "direct") != (self.other is None):
            raise ParameterError(
                f"ratio={self.ratio!r} and critic_of="
                f"{None if self.other is None else 'a model'}. Expected both or neither: "
                "'corrected' and 'residual' begin with the critic of another model."
            )

    @property
    def few(self) -> bool:
        """Whether a network sees few numbers of a row."""
        return is_narrow(self._shape)

    @cached_property
    def _shape(self) -> torch.Size:
        return self._all_seen(self.real.learn[:2]).shape[1:]

    def _seen(self, rows: Tensor) -> Tensor:
        return rows if self.see is None else self.see(rows)

    def _all_seen(self, rows: Tensor) -> Tensor:
        return in_batches(self._seen, rows, self.batch_size)

    def calibrated(self, kind: str, raw: Score, space: Space) -> Logit:
        """A logit that is there already, on the scale of what the space draws."""
        return self._with_line(Logit(kind, _none(), frozen=raw), space)

    def learned(
        self,
        space: Space,
        *,
        moves: bool,
        near: bool = False,
        report: Callable[[str, float], None] | None = None,
    ) -> Logit:
        """A logit of what the space draws.

        What weighs samples is sharp. What moves them is smooth, so that it leads them a long
        way; near the data there is none to go and only fine structure is left, and for rows of
        few numbers it is sharp too.

        Args:
            space: whose samples count as generated.
            moves: whether points are to move along its gradient, or only to be weighed.
            near: whether a stage has brought them near the data.
            report: called with a line of text and the share done.
        """
        self._count += 1
        seed = self.seed + self._count
        left = self.left()
        half = None if left is None else left / 2  # the other is for what is done with it
        if self._by_trees(moves):
            assert self.numbers is not None
            drawn = space.quantised(
                max(_POOLED, _FOR_ONE * len(self.real.learn)), seed, Stream.RATIO
            )
            trees = TreeRatio.fit(self.real.learn, drawn, self.numbers, seed, half)
            return self._with_line(Logit(self.ratio, _none(), network=trees), space, moves)
        sharp = self._sharp(moves, near)
        pool = max(_POOLED, len(self.real.learn))
        if sharp and self.few:
            pool = max(pool, min(_FOR_ONE * pool, _ENOUGH if moves else _TO_WEIGH))
        generated = self._drawn(space, moves)(pool, seed, Stream.RATIO)
        real, frozen, share, shift, offset = self.real.learn, self.other, 1.0, 0.0, None
        if self.ratio == "corrected":
            assert self.others_rows is not None
            real = self.others_rows(pool, seed).to(real)
        elif self.ratio == "residual":
            assert frozen is not None
            line = self._with_line(Logit("critic", _none(), frozen=frozen), space).line
            shift, share = line.values.tolist()
            offset = Logit("critic", line, frozen=frozen)
        how = self._how(len(real) + len(generated), moves, sharp)
        seen = self._all_seen(real), self._all_seen(generated)
        network: Any = fit_ratio(
            *seen, **how, random_state=seed, offset=offset, minutes=half, report=report,
            network=self._network(real, moves, seed) if self.lines else None,
        )  # fmt: skip
        if self.few and not moves and not self.lines:
            settle(network, *seen, offset)
        if self.see is not None:
            network = _Seen(self.see, network)
        others = None if frozen is None else self.others
        logit = Logit(self.ratio, _none(), frozen, share, shift, network, others)
        return self._with_line(logit, space, moves)

    def seconds(self, rows: Tensor, *, moves: bool, near: bool = False) -> float:
        """What :meth:`learned` takes to train, from a few steps that are timed.

        Args:
            rows: some that the space drew.
            moves, near: as there.
        """
        real = self.real.learn
        if self._by_trees(moves):
            return _TREES_TAKE * len(real)
        how = self._how(max(_POOLED, len(real)) + len(real), moves, self._sharp(moves, near))
        seen = [self._all_seen(x[:_TIMED]) for x in (real, rows)]
        each = 0.0
        for steps in (1, _TRIED):  # the first finds its kernels, which takes as long as many
            network = self._network(real, moves, self.seed) if self.lines else None
            began = time.perf_counter()
            fit_ratio(*seen, **how | {"steps": steps}, network=network)
            each = (time.perf_counter() - began) / steps
        return each * how["steps"]

    def _by_trees(self, moves: bool) -> bool:
        return self.numbers is not None and not moves and (self.see, self.other) == (None, None)

    def _sharp(self, moves: bool, near: bool) -> bool:
        return not moves or (near and self.few)

    def _how(self, rows: int, moves: bool, sharp: bool) -> dict[str, Any]:
        """How so many rows teach."""
        if not sharp:
            smooth = self.few or convolves(self._shape)
            steps = _STEPS if self.few else min(_STEPS, math.ceil(_PASSES * rows / _STEP))
            return {"penalty": _SMOOTH if smooth else _SMOOTH_WIDE, "steps": steps}
        how = {"penalty": _SHARP_WIDE, "steps": _STEPS_THAT_WEIGH, "width": _WIDTH}
        if self.few:
            how |= {"penalty": 0.0, "batch_size": _BATCH}
        if self.lines and not moves:
            how["penalty"] = 0.0  # letters that are chosen have no gradient
        return how

    def _network(self, real: Tensor, moves: bool, seed: int) -> LineRatio:
        return LineRatio((real.shape[1], real.shape[2]), hard=not moves, random_state=seed)

    def _drawn(self, space: Space, moves: bool) -> Callable[..., Tensor]:
        """Rows as the user gets them; of lines that move, shares of letters."""
        return space.rows if self.lines and moves else space.quantised

    def _with_line(self, logit: Logit, space: Space, moves: bool = True) -> Logit:
        """The logit with Platt's line, from rows that taught nothing."""
        draw = self._drawn(space, moves)
        held_out = draw(len(self.real.choose), self.seed + self._count, Stream.CALIBRATION)
        both = (self.real.choose, held_out)
        parts = (in_batches(logit.raw, rows, self.batch_size) for rows in both)
        return replace(logit, line=calibrate(*parts, kind="platt"))


class _Seen(nn.Module):
    """A network of features of rows, which are the user's and cannot be saved."""

    def __init__(self, see: Callable[[Tensor], Tensor], network: nn.Module) -> None:
        super().__init__()
        self._see, self.network = see, network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self._see(x))


def _none() -> Calibration:
    return Calibration("platt", torch.empty(0), torch.tensor([0.0, 1.0], dtype=torch.float64))
