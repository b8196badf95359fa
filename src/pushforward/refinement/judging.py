"""Real rows in three parts, and the two-sample test that chooses and gates on two of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from ..metrics.measure import Measure
from ..metrics.two_sample import classifier_two_sample

__all__ = ["RealRows", "improves"]

_LEAST = 200
_Z = 1.645  # one-sided, 5 %: a useless stage passes once in twenty


@dataclass(frozen=True)
class RealRows:
    """Real rows, split so that none both teaches, chooses and judges.

    Attributes:
        learn: half of them, to teach ratio networks.
        choose: a quarter, to calibrate and to choose settings.
        judge: a quarter, to gate and to report.
        features: what the test sees of rows.
    """

    learn: Tensor
    choose: Tensor
    judge: Tensor
    features: Callable[[Tensor], Tensor]

    @classmethod
    def split(cls, rows: Tensor, features: Callable[[Tensor], Tensor], seed: int) -> "RealRows":
        """Split at random.

        Raises:
            DataError: for under 200 rows, or values that are not finite.
        """
        if len(rows) < _LEAST:
            raise DataError(
                f"data has {len(rows)} rows. Expected at least {_LEAST}: a quarter of them must "
                "tell whether refinement helps."
            )
        if not rows.isfinite().all():
            bad = int((~rows.flatten(1).isfinite().all(dim=1)).sum())
            raise DataError(f"data has {bad} row(s) with NaN or infinity. Leave them out first.")
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(rows)))
        quarter = len(rows) // 4
        choose, judge, learn = order.split([quarter, quarter, len(rows) - 2 * quarter])
        return cls(rows[learn], rows[choose], rows[judge], features)

    def auc(self, samples: Tensor, real: Tensor, seed: int = 0) -> Measure:
        """AUC of 15 nearest neighbours, cross-validated, between samples and one part."""
        parts = (self.features(x).flatten(1).cpu().numpy() for x in (real, samples))
        return classifier_two_sample(*parts, classifier="neighbours", seed=seed)


def improves(before: Measure, after: Measure) -> bool:
    """Whether the test finds samples nearer to the data than before, beyond chance."""
    variance = sum((_ends(m)[1] - _ends(m)[0]) ** 2 for m in (before, after)) / (2 * 1.96) ** 2
    return before.value - after.value > _Z * variance**0.5


def _ends(measure: Measure) -> tuple[float, float]:
    return measure.interval or (measure.value, measure.value)
