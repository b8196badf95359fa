"""A fitted table density as a ``torch.distributions.Distribution``."""

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from ..data import Columns
from ..data.tables.log_transform import LogTransform
from ..errors import UnsupportedError
from ..transport import Density

__all__ = ["TableDistribution"]


class TableDistribution(Distribution):
    """Density over rows of p continuous columns; ``log_prob`` is differentiable.

    Build it with ``model.distribution()``.

    Args:
        density: over standardised coordinates.
        loc, scale: (p,) of the columns.
        logarithms: the logarithmic scales that some of the columns have, by their number.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012 (torch's own form)
    has_rsample = False

    def __init__(
        self, density: Density, loc: Tensor, scale: Tensor, logarithms: dict[int, LogTransform]
    ) -> None:
        self._density, self._loc, self._scale = density, loc, scale
        self._logarithms = logarithms
        super().__init__(event_shape=loc.shape, validate_args=False)

    @classmethod
    def of(cls, columns: Columns, density: Density) -> "TableDistribution":
        """The distribution of a fitted model.

        Raises:
            UnsupportedError: unless all columns are continuous and unbounded.
        """
        odd = [
            f"{entry['name']} ({entry['kind'] if entry['bounds'] is None else 'bounded'})"
            for entry in columns.describe()
            if entry["kind"] != "continuous" or entry["bounds"] is not None
        ]
        if odd:
            raise UnsupportedError(
                "distribution() needs plain continuous columns, which rows of tensors can be; "
                f"got {', '.join(odd[:5])}. Use score_samples and sample, which know columns, "
                "or fit without these columns."
            )
        logarithms = {
            i: column.transform
            for i, column in enumerate(columns.columns)
            if isinstance(column.transform, LogTransform)
        }
        return cls(density, columns.loc, columns.scale, logarithms)

    @property
    def support(self) -> constraints.Constraint:
        """All of R^p."""
        return constraints.real_vector

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats: (..., p) -> (...)."""
        x = value.to(torch.float64)
        flat = x.reshape(-1, x.shape[-1])
        y, log_slope = list(flat.unbind(1)), flat.new_zeros(len(flat))
        for i, own in self._logarithms.items():
            shifted = y[i] + own.shift
            seen = shifted if own.last is None else shifted.clamp(max=own.last)
            near = shifted.detach().clamp(own.low, own.high)
            inside = (shifted >= own.low) & (shifted <= own.high)
            near = torch.where(inside, shifted, near)
            y[i] = near.log() + (seen - near) / near + (shifted - seen) / own.rise
            beyond = -math.log(own.rise)
            log_slope = log_slope + torch.where(shifted > seen, beyond, -near.log())
        z = (torch.stack(y, dim=1) - self._loc) / self._scale
        log_prob = self._density.log_prob(z) + log_slope - self._scale.log().sum()
        return log_prob.reshape(x.shape[:-1])

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw rows: (*sample_shape, p) float64, from torch's global generator."""
        shape = Size(sample_shape)
        with torch.no_grad():
            z = self._density.sample(shape.numel())
        x = z * self._scale + self._loc
        for i, own in self._logarithms.items():
            x[:, i] = torch.from_numpy(own.inverse(x[:, i].numpy()))
        return x.reshape(*shape, -1)
