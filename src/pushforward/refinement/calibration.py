"""Calibration: logits whose sigmoid is the share of such points that is real."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, ParameterError

__all__ = ["Calibration", "calibrate", "calibration_statistic"]


@dataclass(frozen=True)
class Calibration:
    """A monotone map of logits, fitted on rows the logit was not trained on.

    Attributes:
        kind: "platt" or "isotonic".
        knots, values: corners of a piecewise linear map; for "platt", ``values`` are intercept
            and slope of a line, and there are no knots.
    """

    kind: str
    knots: Tensor
    values: Tensor

    def __call__(self, logit: Tensor) -> Tensor:
        """Calibrated logits, of the shape given; differentiable for "platt"."""
        if self.kind == "platt":
            return self.values[0].to(logit) + self.values[1].to(logit) * logit
        mapped = np.interp(logit.detach().cpu().double().numpy(), self.knots, self.values)
        return torch.from_numpy(np.asarray(mapped)).to(logit)


def calibrate(real: Tensor, generated: Tensor, kind: str = "platt") -> Calibration:
    """Fit a calibration to logits of held-out real and generated rows.

    Platt's is a line in the logit; isotonic regression any rising map. Both weigh the two sides
    alike, so that the calibrated logit is the log ratio of densities. Probabilities of isotonic
    regression are kept one observation away from 0 and 1, and logits finite.

    Source: Platt, "Probabilistic outputs for support vector machines", 1999; Zadrozny and Elkan,
    "Transforming classifier scores into accurate multiclass probability estimates", 2002.

    Args:
        real, generated: (n,) and (m,) logits.
        kind: "platt" or "isotonic".

    Raises:
        DataError: for logits that are not finite, or none.
        ParameterError: for another kind.

    Examples:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x = torch.randn(2, 4000, generator=draw)
        >>> three_times_too_sure = calibrate(3 * (x[0] + 0.5), 3 * (x[1] - 0.5))
        >>> 0.3 < float(three_times_too_sure.values[1]) < 0.37
        True
    """
    if not (len(real) and len(generated) and real.isfinite().all() and generated.isfinite().all()):
        raise DataError("Calibration needs finite logits of real and of generated rows.")
    logit = torch.cat([real.flatten(), generated.flatten()]).double().cpu().numpy()
    counts = [real.numel(), generated.numel()]
    label = np.repeat([1, 0], counts)
    weight = np.repeat(0.5 / np.array(counts), counts)
    if kind == "platt":
        from sklearn.linear_model import LogisticRegression

        scale = max(float(logit.std()), 1e-12)
        line = LogisticRegression(C=1e6, max_iter=1000)
        line.fit(logit[:, None] / scale, label, sample_weight=weight * len(logit))
        # a falling line: the logit has no information, and no point is better than another
        slope = max(0.0, float(np.ravel(line.coef_)[0]) / scale)
        intercept = float(np.ravel(line.intercept_)[0]) if slope else 0.0
        values = torch.tensor([intercept, slope], dtype=torch.float64)
        return Calibration(kind, torch.empty(0), values)
    if kind == "isotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(out_of_bounds="clip").fit(logit, label, sample_weight=weight)
        edge = 1 / (len(logit) + 2)
        share = np.clip(fitted.y_thresholds_, edge, 1 - edge)
        knots = torch.from_numpy(np.asarray(fitted.X_thresholds_, dtype=np.float64))
        return Calibration(kind, knots, torch.from_numpy(np.log(share / (1 - share))))
    raise ParameterError(f"kind is {kind!r}. Expected 'platt' or 'isotonic'.")


def calibration_statistic(real: Tensor, generated: Tensor) -> float:
    """Z of a calibrated logit: standard normal when its probabilities are right.

    ``sum(y - p) / sqrt(sum p (1 - p))``.

    Source: Turner, Hung, Frank, Saatci and Yosinski, "Metropolis-Hastings generative adversarial
    networks", 2019.

    >>> calibration_statistic(torch.zeros(10), torch.zeros(10))
    0.0
    """
    share = torch.cat([real, generated]).double().sigmoid()
    off = len(real) - share.sum()
    return float(off / (share * (1 - share)).sum().clamp(min=1e-300).sqrt())
