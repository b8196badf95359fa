"""A fitted table density as a ``torch.distributions.Distribution``."""

from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

from ..data import Columns
from ..errors import UnsupportedError
from ..transport import Density

__all__ = ["TableDistribution"]


class TableDistribution(Distribution):
    """Density over rows of p continuous columns; ``log_prob`` is differentiable.

    Build it with ``model.distribution()``.

    Args:
        density: over standardised coordinates.
        loc, scale: (p,) of the columns.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012 (torch's own form)
    has_rsample = False

    def __init__(self, density: Density, loc: Tensor, scale: Tensor) -> None:
        self._density, self._loc, self._scale = density, loc, scale
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
        return cls(density, columns.loc, columns.scale)

    @property
    def support(self) -> constraints.Constraint:
        """All of R^p."""
        return constraints.real_vector

    def log_prob(self, value: Tensor) -> Tensor:
        """Log density in nats: (..., p) -> (...)."""
        z = (value.to(torch.float64) - self._loc) / self._scale
        flat = self._density.log_prob(z.reshape(-1, z.shape[-1]))
        return flat.reshape(z.shape[:-1]) - self._scale.log().sum()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw rows: (*sample_shape, p) float64, from torch's global generator."""
        shape = Size(sample_shape)
        with torch.no_grad():
            z = self._density.sample(shape.numel())
        return (z * self._scale + self._loc).reshape(*shape, -1)
