"""Tails of a marginal map: generalised Pareto as far as there are data, normal beyond.

A generalised Pareto (Pickands, *Statistical inference using extreme order statistics*, 1975) is
what excesses over a high threshold come to. Carried to a normal latent z it grows as
exp(shape z^2 / 2), so that a latent that is a little too wide makes samples of any size. The
data say nothing of how a tail goes on behind the largest value seen; from there on the map is a
straight line.
"""

import torch
from torch import Tensor, nn

from .numerics import LOG_2PI, log_ndtri

__all__ = ["Tails", "pareto"]

_SHAPE_MAX = 0.6  # heaviest tail index taken from data; from 0.5 on the variance is infinite
_FAR = 5.5  # a latent of N(0, 1) that is a whole range beyond the values seen
_ROOM = 2.0  # at least so much from the largest value seen to there
_TINY = 1e-300  # in place of zero as a divisor
_PARTS = ("edge", "log_mass", "shape", "scale", "last", "rise")


class Tails(nn.Module):
    """Generalised Pareto tails below and above a body, carried to the normal's tails.

    Buffers of shape (2, D), lower side first: ``edge`` where the tail starts, ``log_mass``
    of the tail, ``shape`` xi >= 0 and ``scale`` sigma of ``P(excess > t) = (1 + xi t /
    sigma)^(-1/xi)``, ``last`` the excess (in scales) up to which that holds, and ``rise`` the
    excess that a unit of the latent adds beyond it.
    """

    edge: Tensor
    log_mass: Tensor
    shape: Tensor
    scale: Tensor
    last: Tensor
    rise: Tensor

    def __init__(
        self,
        edge: Tensor,
        log_mass: Tensor,
        shape: Tensor,
        scale: Tensor,
        last: Tensor,
        rise: Tensor,
    ) -> None:
        super().__init__()
        self.register_buffer("edge", edge)
        self.register_buffer("log_mass", log_mass)
        self.register_buffer("shape", shape)
        self.register_buffer("scale", scale)
        self.register_buffer("last", last)
        self.register_buffer("rise", rise)
        self._turn = -log_ndtri(log_mass - _pareto_exponent(last, shape))  # latent at ``last``

    @classmethod
    def fit(
        cls,
        edge: Tensor,
        log_mass: Tensor,
        shape: Tensor,
        scale: Tensor,
        low: Tensor,
        high: Tensor,
    ) -> "Tails":
        """Fit the tails of values in [``low``, ``high``], both of shape (D,).

        Beyond them the map goes on as steeply as it was, but comes to a whole range beyond
        only where hardly a latent of N(0, 1) does.
        """
        last = torch.stack([edge[0] - low, high - edge[1]]).clamp_min(0) / scale
        turn = -log_ndtri(log_mass - _pareto_exponent(last, shape))
        hazard = torch.exp(-0.5 * turn * turn - 0.5 * LOG_2PI - torch.special.log_ndtr(-turn))
        steep = (1 + shape * last) * hazard
        width = ((high - low) / scale).clamp_min(1)  # a column may be constant in some rows
        most = width / (_FAR - turn).clamp_min(_ROOM)
        return cls(edge, log_mass, shape, scale, last, torch.minimum(steep, most))

    @classmethod
    def from_state(cls, state: dict[str, Tensor], prefix: str) -> "Tails":
        """Rebuild from the tensors of ``state_dict()``, whose names begin with ``prefix``.

        Raises:
            ValueError: for tensors that are no tails.
        """
        tails = cls(*(state[prefix + part] for part in _PARTS))
        rising = bool((tails.scale > 0).all() and (tails.rise > 0).all())
        bounded = bool((tails.shape >= 0).all() and (tails.last >= 0).all())
        if not rising or not bounded or not bool((tails.log_mass.exp().sum(0) < 1).all()):
            raise ValueError("the tails of a marginal map do not rise, or hold more than all")
        return tails

    def forward(self, x: Tensor, z: Tensor, log_derivative: Tensor) -> None:
        """Overwrite ``z`` and ``log_derivative`` (D, n) wherever ``x`` lies in a tail."""
        for side, sign in enumerate((-1.0, 1.0)):
            excess = sign * (x - self.edge[side][:, None])
            column, row = torch.nonzero(excess > 0, as_tuple=True)
            if len(column) == 0:
                continue
            shape, scale = self.shape[side][column], self.scale[side][column]
            log_mass = self.log_mass[side][column]
            last, rise = self.last[side][column], self.rise[side][column]
            t = excess[column, row] / scale
            within = torch.minimum(t, last)
            exponent = _pareto_exponent(within, shape)
            tail = -log_ndtri(log_mass - exponent)
            log_density = log_mass - exponent - torch.log1p(shape * within) - scale.log()
            slope = log_density + 0.5 * tail * tail + 0.5 * LOG_2PI
            beyond = t > last
            z[column, row] = sign * (tail + torch.where(beyond, (t - last) / rise, 0.0))
            log_derivative[column, row] = torch.where(beyond, -(rise * scale).log(), slope)

    def inverse(self, z: Tensor, x: Tensor) -> None:
        """Overwrite ``x`` (D, n) wherever ``z`` lies in a tail."""
        for side, sign in enumerate((-1.0, 1.0)):
            tail = -sign * z
            log_p = torch.special.log_ndtr(tail)
            column, row = torch.nonzero(log_p < self.log_mass[side][:, None], as_tuple=True)
            if len(column) == 0:
                continue
            shape, scale = self.shape[side][column], self.scale[side][column]
            last, rise = self.last[side][column], self.rise[side][column]
            exponent = self.log_mass[side][column] - log_p[column, row]
            exponent = torch.minimum(exponent, _pareto_exponent(last, shape))
            t = torch.where(
                shape > 0, torch.expm1(shape * exponent) / shape.clamp_min(1e-30), exponent
            )
            beyond = (-tail[column, row] - self._turn[side][column]).clamp_min(0)
            x[column, row] = self.edge[side][column] + sign * scale * (t + rise * beyond)


def _pareto_exponent(t: Tensor, shape: Tensor) -> Tensor:
    """Minus the log of the generalised Pareto's survival at ``t`` scales."""
    return torch.where(shape > 0, torch.log1p(shape * t) / shape.clamp_min(1e-30), t)


def pareto(excess: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and scale of each row's positive excesses by probability-weighted moments.

    Hosking & Wallis (1987): ``xi = 2 - a0 / (a0 - 2 a1)``, ``a0 = E t``,
    ``a1 = E t (1 - F(t))``; the shape is kept in [0, 0.6] and the scale then follows from
    the mean, so a light tail is never cut off at a largest value.

    Args:
        excess: (D, n) in rising order.
        share: (D, n) of each among all.

    Returns:
        Two tensors (D,), zero where no excess is positive.
    """
    first = int((excess <= 0).sum(1).min())
    t = excess[:, first:].clamp_min(0)
    w = share[:, first:] * (t > 0)
    w = w / w.sum(1, keepdim=True).clamp_min(_TINY)
    a0 = (w * t).sum(1)
    a1 = (w * t * (1 - (w.cumsum(1) - 0.35 * w))).sum(1)
    xi = (2 - a0 / (a0 - 2 * a1).clamp_min(1e-12 * a0).clamp_min(_TINY)).clamp(0, _SHAPE_MAX)
    xi = torch.where(a0 > 0, xi, 0.0)
    return xi, a0 * (1 - xi)
