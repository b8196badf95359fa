"""Splines at many points in one pass over them, compiled by Numba where it is installed.

PyTorch goes over the points once for each operation, and looks up each coefficient of the interval
of a point by itself, which takes it most of the time. Here the points and the knots of one spline
stay in the first cache, and the loops have no branches, so that the processor does several points
at a time. Results differ from PyTorch's in the last digits.
"""

import functools
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

__all__ = ["WORTH", "displaced", "help_with", "installed", "solved"]

#: Numbers that go through splines from which on it pays to compile loops, which takes seconds.
WORTH = 1 << 28
_THREAD = 1 << 16  # points that are worth a thread of their own
_FEW = 64  # points of a spline for which a table of buckets takes longer than it saves
_BUCKETS = 512
# products may be fused with sums; what is infinite or no number keeps its meaning
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}


def help_with(*tensors: Tensor) -> bool:
    """Whether the compiled loops can take these tensors, and Numba is there to compile them."""
    usual = all(t.device.type == "cpu" and not t.requires_grad for t in tensors)
    return usual and installed()


@functools.cache
def installed() -> bool:
    """Whether Numba is there and goes with the NumPy that is."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def displaced(x: Tensor, y: Tensor, slope: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """How far splines move points, and their derivatives there.

    Args:
        x, y, slope: (..., M) knots, values and derivatives of splines between linear tails.
        points: (..., n).

    Returns:
        Two tensors of the shape of ``points``.
    """
    moved, derivative = (points.new_empty(points.shape) for _ in range(2))
    _run(_compiled(_displace), [x, y, slope, points], [moved, derivative])
    return moved, derivative


def solved(x: Tensor, y: Tensor, slope: Tensor, values: Tensor) -> Tensor:
    """The points that splines carry to ``values``.

    Args:
        x, y, slope: as of :func:`displaced`.
        values: (..., n).

    Returns:
        A tensor of the shape of ``values``.
    """
    points = values.new_empty(values.shape)
    _run(_compiled(_solve), [x, y, slope, values], [points])
    return points


def _run(loop: Callable, given: list[Tensor], results: list[Tensor]) -> None:
    """One loop over all splines, shared by as many threads as PyTorch would take."""
    points = given[-1]
    each = [t.contiguous().view(-1, t.shape[-1]).numpy() for t in given]
    each += [t.view(-1, t.shape[-1]).numpy() for t in results]  # themselves, not copies
    rows = len(each[0])
    threads = min(torch.get_num_threads(), rows, 1 + points.numel() // _THREAD)
    if threads < 2:
        loop(*each)
        return
    ends = [rows * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(loop, *(t[a:b] for t in each)) for a, b in itertools.pairwise(ends)]
    for part in parts:
        part.result()


@functools.cache
def _compiled(loop: Callable) -> Callable:
    """A loop that is compiled for each type of numbers at its first call."""
    import numba

    _compile_search()
    return numba.njit(**_OPTIONS)(loop)


@functools.cache
def _compile_search() -> None:
    """Have loops that are compiled call a search that is."""
    import numba.extending

    numba.extending.register_jitable(**_OPTIONS)(_search)


def _search(knots: np.ndarray, points: np.ndarray, found: np.ndarray, room: np.ndarray) -> None:
    """How many knots are at or below each point, by a table of buckets.

    As of :class:`~pushforward.transport.knot_search.KnotSearch`, of one spline: all points
    take the same steps, one for each doubling of the most knots in a bucket.
    """
    m, number = len(knots), points.dtype.type
    room[:m] = knots  # what follows is no number, which is at or below nothing
    buckets = _BUCKETS if len(points) >= _FEW else 1
    none, most = number(0), number(buckets - 1)
    low, rate = room[0], most / (room[m - 1] - room[0])
    lower = np.zeros(buckets, np.int32)
    for knot in room[:m]:
        place = (knot - low) * rate
        lower[np.int32(place if place < most else most)] += 1
    below = fullest = np.int32(0)
    for bucket in range(buckets):
        count = lower[bucket]
        lower[bucket] = below
        below += count
        fullest = max(fullest, count)
    for i in range(len(points)):
        place = (points[i] - low) * rate
        place = place if place > none else none  # also of what is not a number
        found[i] = lower[np.int32(place if place < most else most)]
    step = np.int32(1)
    while 2 * step <= fullest:
        step *= 2
    while step > 0:
        for i in range(len(points)):
            last = found[i] + step
            found[i] = last if room[last - 1] <= points[i] else found[i]
        step //= 2


def _displace(
    x: np.ndarray,
    y: np.ndarray,
    slope: np.ndarray,
    points: np.ndarray,
    moved: np.ndarray,
    derivative: np.ndarray,
) -> None:
    number, (rows, n), m = points.dtype.type, points.shape, x.shape[1]
    one, found = number(1), np.empty(n, np.int32)
    room, knot = np.full(3 * m, np.nan, points.dtype), np.empty((m, 4), x.dtype)
    for row in range(rows):
        p, far, rate = points[row], moved[row], derivative[row]
        knot[:, 0], knot[:, 1], knot[:, 2] = x[row], y[row], slope[row]
        _search(x[row], p, found, room)
        for i in range(n):
            left, right = max(found[i] - 1, 0), min(found[i], m - 1)
            x0, y0, d0 = number(knot[left, 0]), number(knot[left, 1]), number(knot[left, 2])
            x1, y1, d1 = number(knot[right, 0]), number(knot[right, 1]), number(knot[right, 2])
            # in a tail all slopes are that of its end
            width, rise = (x1 - x0, y1 - y0) if left < right else (one, d0)
            beyond, s = p[i] - x0, rise / width
            xi = beyond / width
            q, r = d0 + xi * (s - d0), s + xi * (d1 - s)
            ratio = s / (r + xi * (q - r))
            far[i] = (y0 - x0) + beyond * (q * ratio - one)
            rate[i] = (q + xi * (r - q)) * ratio * ratio


def _solve(
    x: np.ndarray, y: np.ndarray, slope: np.ndarray, values: np.ndarray, points: np.ndarray
) -> None:
    number, (rows, n), m = values.dtype.type, values.shape, x.shape[1]
    none, half, one = number(0), number(0.5), number(1)
    found, two = np.empty(n, np.int32), number(2)
    room, knot = np.full(3 * m, np.nan, values.dtype), np.empty((m, 4), x.dtype)
    for row in range(rows):
        v, p = values[row], points[row]
        knot[:, 0], knot[:, 1], knot[:, 2] = x[row], y[row], slope[row]
        _search(y[row], v, found, room)
        for i in range(n):
            left, right = max(found[i] - 1, 0), min(found[i], m - 1)
            x0, y0, d0 = number(knot[left, 0]), number(knot[left, 1]), number(knot[left, 2])
            x1, y1, d1 = number(knot[right, 0]), number(knot[right, 1]), number(knot[right, 2])
            width, rise = (x1 - x0, y1 - y0) if left < right else (one, d0)
            per_rise = one / rise
            t, per_chord = (v[i] - y0) * per_rise, width * per_rise
            q, bend = d0 * per_chord, (d0 + d1) * per_chord - two
            q, bend = (q, bend) if left < right else (one, none)  # to the last digit
            b = q - t * bend
            square = (one - b) * t + half * half * b * b
            xi = t / (np.sqrt(square if square > none else none) + half * b)
            p[i] = x0 + xi * width
