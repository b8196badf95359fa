"""Margins as a method: numbers whose values repeat get the values of the data."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor

from ..logit_gradients import Score
from ..repeated_values import Margins
from ..sample_spaces import Space
from ..streams import Stream
from .base import Context, Method

__all__ = ["RepeatedMargins", "no_logit"]


@dataclass(frozen=True)
class RepeatedMargins(Method):
    """One-dimensional optimal transport of the columns whose values repeat; it goes by no logit.

    It is a stage of the automatic refinement of mixed tables, and not asked for by name.

    Attributes:
        columns: that have the margins of the data, by name.
        names: of all coordinates, among which :meth:`tune` finds those.
    """

    columns: str = ""
    names: tuple[str, ...] = ()

    name: ClassVar[str] = "margins"
    _only_tuned_by: ClassVar[frozenset[str]] = frozenset({"names"})

    def tune(self, context: Context) -> Self | None:
        """Learn the maps from all rows that are not judged; None where no value repeats."""
        real, space = context.real, context.space
        points = space.points(real.drawn, context.seed, Stream.MARGINS)
        margins = Margins.learn(torch.cat([real.train, real.validation]), space.decoded(points))
        if margins is None:
            return None
        columns = ", ".join(self.names[j] for j in margins.coordinates)
        return self.tuned(margins.to_config(), columns=columns, names=())

    def apply(self, space: Space, logit: Score) -> Space:
        """The space whose rows have the margins of the data."""
        margins = Margins.from_config(dict(self.constants))
        return replace(space, decode=_Mapped(margins, space))


@dataclass(frozen=True)
class _Mapped:
    """Decodes points, and maps the margins of their rows."""

    margins: Margins
    space: Space

    def __call__(self, points: Tensor) -> Tensor:
        return self.margins(self.space.decode(points))


def no_logit(rows: Tensor) -> Tensor:
    """The logit (n,) of a method that goes by none: real rows and samples are alike."""
    return torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
