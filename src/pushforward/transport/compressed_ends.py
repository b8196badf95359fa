"""A monotone map, the identity inside a range, whose inverse draws points beyond it nearer.

A flow learns where rows are. Beyond them it goes on as it was at the last of them, and where
columns depend closely on one another its samples can come to lie many ranges away.
"""

import torch
from torch import Tensor, nn

__all__ = ["CompressedEnds"]

_SHARE = 0.125  # of the range: what is five ranges beyond comes to lie one range beyond


class CompressedEnds(nn.Module):
    """A monotone map of each coordinate, the identity inside of a range.

    A point a distance s beyond the range is carried to the distance ``s + s^2 / (2 r)``, and by
    the inverse from t to ``r (sqrt(1 + 2 t / r) - 1)``; slope 1 where it begins.

    Args:
        low, high: (d,) ends of the ranges.
        reach: (d,) distances r; where it is 0 the whole coordinate is left as it is.
    """

    low: Tensor
    high: Tensor
    reach: Tensor

    def __init__(self, low: Tensor, high: Tensor, reach: Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.register_buffer("reach", reach)
        self._varies = (reach > 0)[:, None]
        self._scale = torch.where(reach > 0, reach, 1.0)[:, None]

    @classmethod
    def fit(cls, x: Tensor, cells: Tensor | float = 0.0) -> "CompressedEnds":
        """Fit to the range of points (n, d), n > 0, with a reach of an eighth of it.

        Args:
            x: the points.
            cells: (d,) how much of a range is wide for a density's sake alone: the cells of
                point masses, each of which is one value of the table.
        """
        low, high = x.amin(0), x.amax(0)
        return cls(low, high, _SHARE * (high - low - cells).clamp_min(0))

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "CompressedEnds":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that are no ends.
        """
        low, high, reach = (state[name] for name in ("low", "high", "reach"))
        if not bool((low <= high).all()) or not bool((reach >= 0).all()):
            raise ValueError("the ends of a flow have changed sides")
        return cls(low, high, reach)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Data to inputs of the flow: (d, n) -> (d, n), log-det (n,)."""
        inside, beyond = self._parted(x)
        ratio = beyond / self._scale
        return inside + beyond * (1 + 0.5 * ratio.abs()), ratio.abs().log1p().sum(0)

    def inverse(self, y: Tensor) -> Tensor:
        """Outputs of the flow to data: (d, n) -> (d, n)."""
        inside, beyond = self._parted(y)
        # 2 t / (1 + sqrt(1 + 2 t / r)): the same without a difference of near equals
        return inside + 2 * beyond / (1 + (1 + 2 * beyond.abs() / self._scale).sqrt())

    def _parted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest points inside, and what is beyond them, with its sign."""
        inside = torch.minimum(torch.maximum(x, self.low[:, None]), self.high[:, None])
        inside = torch.where(self._varies, inside, x)
        return inside, x - inside
