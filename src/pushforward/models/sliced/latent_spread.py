"""How wide the latents of one flow are, so that its samples are as wide as the rows."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...transport import Rows, SlicedDensity
from ...transport.numerics import effective_size
from ...transport.row_blocks import Division

__all__ = ["matched_spread", "rows_to_match"]

_DRAWS = 512  # samples whose standard deviations are compared, of a Sobol sequence
_CLOSE = 2e-3  # mean log ratio of standard deviations that counts as none
_TRIES = 8  # of a spread; three or four are enough as a rule
_HALVINGS = 30  # of the interval of the widest spread, which costs nothing
_ERRORS = 2.0  # standard errors by which held-out rows may seem less dense
_FAR = 3.0  # latents farther out than this count as at this
_ROWS = 1 << 17  # whose standard deviations are compared, at most
_LEAST = 1e-9  # share of the normal distribution that lies beyond an even point
_CUT = 0.01  # share of the rows at either end whose distance does not count


def rows_to_match(train: Rows, seed: int) -> Rows:
    """Those of the fitted rows whose standard deviations are compared: all, or many at random."""
    if len(train) <= _ROWS:
        return train
    generator = torch.Generator().manual_seed(seed)
    return train.take(torch.randperm(len(train), generator=generator)[:_ROWS])


def matched_spread(
    flow: SlicedDensity,
    train: Rows,
    held_out: Rows,
    seed: int,
    division: Division | None = None,
) -> float:
    """Standard deviation of the latents with which samples have the rows' standard deviations.

    Layers contract space around the rows they were fitted to, also by what is chance in them;
    most of a normal latent in many dimensions lies elsewhere, and is carried back too close
    together. The spread is the one at which the standard deviations of samples and of rows, cut
    off at the rows' percentiles 1 and 99, have ratios of geometric mean 1; or the widest at which
    held-out rows are not significantly less dense than at a spread of 1, where that comes first.
    It is at least 1.

    Args:
        flow: one flow, of spread 1, of coordinates behind any marginal layer.
        train: the rows it was fitted to, or some of them, in those coordinates.
        held_out: rows it was not fitted to, likewise.
        seed: of the samples.
        division: of the held-out rows, of which each process computes the latents of a part;
            None where this one computes them all.
    """
    if train.x.shape[1] == 0 or len(train) < 2 or len(held_out) == 0:
        return 1.0

    def squares(place: slice) -> Tensor:
        x = held_out.x[place]
        latent = flow.to_latent(x, torch.zeros(len(x), dtype=torch.long))
        return latent.square().clamp_max(_FAR**2).mean(1)

    square = (division or Division(len(held_out))).joined(squares)
    noise = float(square.std(correction=0)) / math.sqrt(
        effective_size(len(held_out), held_out.weight)
    )
    widest = _widest(held_out.mean(square) + _ERRORS * noise)
    rows = train.evenly().x
    cuts = np.quantile(rows.numpy(), (_CUT, 1 - _CUT), axis=0)  # torch's sorts them all
    low, high = torch.from_numpy(cuts)
    deviation = rows.clamp(low, high).std(0)
    varies = deviation > 0
    z = _even_normals(_DRAWS, rows.shape[1], seed)
    which = torch.zeros(_DRAWS, dtype=torch.long)

    def log_ratio(spread: float) -> float:
        samples = flow.from_latent(spread * z, which).clamp(low, high).std(0)
        return float((samples / deviation)[varies].clamp_min(1e-9).log().mean())

    return _root(log_ratio, 1.0, widest) if bool(varies.any()) else 1.0


def _even_normals(n: int, d: int, seed: int) -> Tensor:
    """Points (n, d) of a standard normal distribution, more even than at random.

    Normal quantiles of a scrambled Sobol sequence (Owen 1998): 512 of them tell the standard
    deviations of samples better than 2,048 random points do.
    """
    sequence = torch.quasirandom.SobolEngine(d, scramble=True, seed=seed)
    shares = sequence.draw(n, dtype=torch.float64)
    return torch.special.ndtri(shares.clamp(_LEAST, 1 - _LEAST))


def _widest(square: float) -> float:
    """Spread at which points of this mean squared latent are as dense as at a spread of 1.

    Per coordinate: ``log s = square (1 - 1 / s^2) / 2``, whose root above 1 there is where
    ``square > 1``.
    """
    if square <= 1:
        return 1.0
    low, high = math.sqrt(square), math.exp(0.5 * square)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        less = math.log(middle) < 0.5 * square * (1 - middle**-2)
        low, high = (middle, high) if less else (low, middle)
    return low


def _root(log_ratio: Callable[[float], float], low: float, high: float) -> float:
    """About where a rising function is 0; the end beyond which it would be, if that is outside.

    Each try costs a walk through the flow. The first is where the root were if samples were as
    wide as the spread, the others follow the secant of the ends that enclose it (Illinois; Dowell
    and Jarratt 1971).
    """
    at_low = log_ratio(low)
    if at_low >= 0 or low >= high:
        return low
    at_high, tried, value = math.nan, min(low * math.exp(-at_low), high), math.nan
    for _ in range(_TRIES):
        before, value = value, log_ratio(tried)
        if abs(value) < _CLOSE or (tried == high and value < 0):
            return tried
        same_side = value * before > 0
        if value < 0:
            low, at_low, at_high = tried, value, at_high * (0.5 if same_side else 1.0)
        else:
            high, at_high, at_low = tried, value, at_low * (0.5 if same_side else 1.0)
        if math.isnan(at_high):  # nothing above the root was tried yet
            tried = min(tried * math.exp(-2 * value), high)
        else:
            tried = low - at_low * (high - low) / (at_high - at_low)
    return tried
