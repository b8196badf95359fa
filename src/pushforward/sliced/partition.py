"""Which coordinates of a table are modelled as the discrete values that they are."""

import math
import time

import torch
from torch import Tensor

from ..transport.density import SlicedDensity
from ..transport.discrete_chain import DiscreteChain
from ..transport.rows import Rows
from .greedy import Layering
from .structure import Structure, fit_structure

__all__ = ["choose_chained"]

_MOST_CELLS = 4096  # a wider range of whole numbers is no list of values
_LOOKED = 3000  # rows the choice looks at
_QUICK = (
    Structure(True),
    Structure(True, 4, 1.0),
    Structure(True, 16, 1.0),
)  # stand for what the others will become


def choose_chained(
    rows: Rows, layering: Layering, seed: int, deadline: float = math.inf
) -> Tensor:
    """Coordinates for :class:`~pushforward.transport.DiscreteChain`, by held-out density: (d,).

    Categories and two-valued columns always are: cells in a row have neighbours, categories have
    none. Of numbers with more values, more and more are tried, those of few values first; the
    others are dequantised and left to smooth densities.

    Args:
        rows: all rows.
        layering: how flow layers are made.
        seed: of everything random.
        deadline: ``time.monotonic()`` after which no further choice is tried.
    """
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    rows = rows.take(order[:_LOOKED])
    count = torch.tensor([_values(rows, j) for j in range(rows.x.shape[1])])
    able = rows.discrete & (count > 0)
    always = able & (rows.nominal | (count <= 2))
    n = len(rows)
    choices = [always]
    for most in (16, max(16, n // 20), max(16, n // 4), n):
        more = always | (able & (count <= most))
        if bool((more != choices[-1]).any()):
            choices.append(more)
    if len(choices) == 1:
        return always
    train, out = rows.split(max(5, n // 4), seed)
    train, out = rows.take(train), rows.take(out)
    values, longest = [], 0.0
    for chained in choices:
        begun = time.monotonic()
        if begun + longest > deadline:
            break
        values.append(_value(train, out, chained, layering, seed))
        longest = max(longest, time.monotonic() - begun)
    return choices[max(range(len(values)), key=values.__getitem__, default=0)]


def _values(rows: Rows, j: int) -> int:
    """How many cells of a discrete coordinate are seen; 0 where they are no list of values."""
    if not bool(rows.discrete[j]):
        return 0
    cell = ((rows.x[:, j] - rows.origin[j]) / rows.width[j]).floor()
    return len(cell.unique()) if float(cell.max() - cell.min()) < _MOST_CELLS else 0


def _value(train: Rows, out: Rows, chained: Tensor, layering: Layering, seed: int) -> float:
    """Mean log density of the rows ``out``, the smooth part by a density that is quick to fit."""
    value = out.log_det.clone()
    if bool(chained.any()):
        chain = DiscreteChain.fit(train, torch.nonzero(chained)[:, 0], seed, quick=True)
        value += chain.log_prob(out.x)
    if not bool(chained.all()):
        fit, judged = train.coordinates(~chained), out.coordinates(~chained)
        layer = fit.fit_margins()
        inner, behind = fit.through(layer), judged.through(layer)
        densities = [
            SlicedDensity.assemble(
                fit_structure(s, inner, behind, layering=layering, seed=seed, patience=3)
            )
            for s in _QUICK
            if s.components < len(train) / 20 or s.components == 1
        ]
        change = behind.log_det - out.log_det
        scores = [density.log_prob(behind.x) + change for density in densities]
        value += max(scores, key=out.mean)
    return out.mean(value)
