"""Which coordinates of a table are modelled as the discrete values that they are."""

import math
import time

import torch
from torch import Tensor

from ...transport.dependencies import find_lookups
from ...transport.discrete_chain import DiscreteChain
from ...transport.rows import Rows
from .layer_growth import Layering
from .structure import Structure, fit_structure

__all__ = ["choose_chained"]

_MOST_CELLS = 4096  # a wider range of whole numbers is no list of values
_LOOKED = 3000  # rows the choice looks at
_FEW = 16  # values of a number that is tried as a list of values in any table
_WIDE = 20  # cells
_DOMINANT, _APART = 0.2, 10  # share of the rows, and times the rows of a neighbouring value
_QUICK = (
    Structure(False),  # numbers that are sums of others are so in their own units
    Structure(True),
    Structure(True, 4, 1.0),
    Structure(True, 16, 1.0),
)  # stand for what the others will become


def choose_chained(
    rows: Rows, layering: Layering, seed: int, deadline: float = math.inf
) -> Tensor:
    """Coordinates for :class:`~pushforward.transport.DiscreteChain`, by held-out density: (d,).

    Categories and two-valued columns always are: cells in a row have neighbours, categories have
    none. So are numbers of few values that determine a column or are determined by others: only
    as values are such functions kept exactly. And so are those of a wider range of which one value
    has many rows and its neighbours hardly any, such as zeros, from which a smooth density would
    spill. Of other numbers more and more are tried, those of few values first; the rest is
    dequantised and left to smooth densities.

    Args:
        rows: all rows.
        layering: how flow layers are made.
        seed: of everything random.
        deadline: ``time.monotonic()`` after which no further choice is tried.
    """
    cells = ((rows.x - rows.origin) / rows.width).floor()
    able = rows.discrete & (cells.amax(0) - cells.amin(0) < _MOST_CELLS)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_LOOKED]
    rows, cells = rows.take(order), cells[order]
    n, d = rows.x.shape
    count = torch.tensor([len(cells[:, j].unique()) for j in range(d)])
    always = able & (rows.nominal | (count <= 2))
    few = max(_FEW, n // 20)
    always |= _functional(cells, able & (rows.nominal | (count <= few)))
    always |= able & _dominated(cells)
    choices = [always]
    for most in (_FEW, few, max(_FEW, n // 4), n):
        more = always | (able & (count <= most))
        if bool((more != choices[-1]).any()):
            choices.append(more)
    if len(choices) == 1:
        return always
    train, out = rows.split(max(5, n // 4), seed)
    train, out = rows.take(train), rows.take(out)
    values, longest = [], 0.0
    for chained in choices:
        started = time.monotonic()
        if started + longest > deadline:
            break
        values.append(_value(train, out, chained, layering, seed))
        longest = max(longest, time.monotonic() - started)
    return choices[max(range(len(values)), key=values.__getitem__, default=0)]


def _functional(cells: Tensor, which: Tensor) -> Tensor:
    """Coordinates (d,) of those asked for that determine others or are determined by them."""
    places = torch.nonzero(which)[:, 0]
    found = torch.zeros_like(which)
    if len(places) < 2:
        return found
    value = torch.stack(
        [cells[:, j].unique(return_inverse=True)[1] for j in places.tolist()], dim=1
    )
    for j, lookup in find_lookups(value, (value.amax(0) + 1).tolist()).items():
        found[places[j]] = True
        found[places[lookup.keys]] = True
    return found


def _dominated(cells: Tensor) -> Tensor:
    """Wide coordinates (d,) of which a value has many rows and those beside it hardly any."""
    found = torch.zeros(cells.shape[1], dtype=torch.bool)
    for j in range(cells.shape[1]):
        values, count = cells[:, j].unique(return_counts=True)
        if values[-1] - values[0] < _WIDE:
            continue
        most = int(count.argmax())
        beside = (values - values[most]).abs() == 1
        near = int(count[beside].max()) if bool(beside.any()) else 0
        found[j] = count[most] >= max(_DOMINANT * len(cells), _APART * near)
    return found


def _value(train: Rows, out: Rows, chained: Tensor, layering: Layering, seed: int) -> float:
    """Mean log density of the rows ``out``, the smooth part by a density that is quick to fit."""
    value = out.log_det.clone()
    if bool(chained.any()):
        chain = DiscreteChain.fit(train, torch.nonzero(chained)[:, 0], seed, quick=True)
        value += chain.log_prob(out.x)
    if not bool(chained.all()):
        fit, held_out = train.coordinates(~chained), out.coordinates(~chained)
        scores = []
        for structure in _QUICK:
            if structure.components > max(1, (len(train) - 1) // 20):
                continue
            layer = fit.fit_margins() if structure.margins else None
            inner, behind = fit.through(layer), held_out.through(layer)
            density = fit_structure(
                structure, inner, behind, layering=layering, seed=seed, patience=3
            )
            scores.append(density.log_prob(behind.x) + behind.log_det - out.log_det)
        value += max(scores, key=out.mean)
    return out.mean(value)
