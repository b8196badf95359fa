"""Constraints that are kept by leaving draws out, and what that costs."""

import math
import sys

import torch
from torch import Tensor

from ..data import Columns
from ..errors import DataError
from ..transport import Density, Novelty, TrimmedPair

__all__ = ["FEWEST_KEPT", "KeptConstraints"]

_TRIED = 20_000  # draws by which the share that keeps to constraints is counted
#: Share of draws that keep to the constraints, below which rows cannot be drawn.
FEWEST_KEPT = 0.001


class KeptConstraints:
    """Draws of a density of a table that keep to its constraints.

    A mixin of :class:`~pushforward.estimators.table_density.TableDensity`.
    """

    columns_: Columns
    density_: Density
    detector_: Novelty | TrimmedPair | None
    held_out_: float
    offset_: float
    kept_: float
    verbose: bool

    def _count_kept(self) -> None:
        """What share of the draws of the density keep to the constraints, and what follows.

        Raises:
            DataError: where it is too few to draw rows.
        """
        self.kept_ = 1.0
        if not self.columns_.rejecting:
            return
        z = self.density_.sample(_TRIED, torch.Generator().manual_seed(0))
        self.kept_ = float(self.columns_.allowed(z).double().mean())
        rules = ", ".join(repr(rule.text) for rule in self.columns_.constraints if not rule.built)
        if self.kept_ < FEWEST_KEPT:
            raise DataError(
                f"The density meets {rules} in {100 * self.kept_:.2g} % of its draws, though all "
                "rows do: they lie within less than it tells apart. Leave the constraint out, or "
                "give the difference as a column of its own."
            )
        if self.verbose:
            print(self._kept_text(), file=sys.stderr)
        self.held_out_ -= math.log(self.kept_)
        if self.detector_ is None:
            self.offset_ -= math.log(self.kept_)

    def _kept_text(self) -> str:
        """What keeping to the constraints costs, in a sentence."""
        rules = [repr(rule.text) for rule in self.columns_.constraints if not rule.built]
        return f"{', '.join(rules)}: by leaving draws out, {100 * self.kept_:.3g} % are kept"

    def _draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw coordinates (n, D) of rows that keep to the constraints."""
        if not self.columns_.rejecting:
            return self.density_.sample(n, generator)
        parts: list[Tensor] = []
        while (left := n - sum(map(len, parts))) > 0:
            z = self.density_.sample(math.ceil(1.1 * left / self.kept_) + 8, generator)
            parts.append(z[self.columns_.allowed(z)][:left])
        return torch.cat(parts)
