"""The last layer of a ratio of densities, fitted to convergence."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.functional import softplus

from .logit_gradients import in_batches
from .ratio_network import RatioNetwork, labelled

__all__ = ["fit_last_layer"]

_DOUBT = 1.0  # nats that the last layer may add


def fit_last_layer(
    network: RatioNetwork,
    real: Tensor,
    generated: Tensor,
    offset: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Fit the last layer of a network to convergence, which is a logistic regression.

    At the minimum each hidden feature has the same mean over real rows as over generated ones
    that are weighed by the ratio, up to the prior: steps on batches leave that to chance, and with
    it the weights of far modes. The prior is normal around the weights there are, and lets the
    logit change by a nat. For a ratio that only weighs: what points move by gets worse.

    Source: Qin, "Inferences for case-control and semiparametric two-sample density ratio models",
    1998: the maximum likelihood of a log-linear ratio of densities is a logistic regression.

    Args:
        network: of :func:`fit_ratio`; changed.
        real, generated, offset: what it learned from.
    """
    last = network.layers[-1]
    assert isinstance(last, nn.Linear)
    rows, label, weight, start = labelled(real, generated, offset)
    label, weight, start = (x.double() for x in (label, weight, start))
    hidden = in_batches(lambda x: network.layers[:-1](network.features(x)), rows).double()
    scale = hidden.std(dim=0).clamp(min=1e-6)
    middle = hidden.mean(dim=0)
    features = torch.cat([(hidden - middle) / scale, torch.ones_like(hidden[:, :1])], dim=1)
    precision = torch.full((features.shape[1],), hidden.shape[1] / _DOUBT**2).to(features)
    precision[-1] = 0.0
    present = start + in_batches(network, rows).double()

    def loss(change: np.ndarray) -> tuple[float, np.ndarray]:
        by = torch.from_numpy(change).to(features)
        logit = present + features @ by
        value = (weight * (softplus(logit) - label * logit)).sum()
        slope = features.T @ (weight * (logit.sigmoid() - label)) + precision * by
        return float(value + 0.5 * (precision * by).dot(by)), slope.cpu().numpy()

    found = minimize(loss, np.zeros(len(precision)), jac=True, method="L-BFGS-B")
    change = torch.from_numpy(found.x).to(features)
    by_feature = change[:-1] / scale
    with torch.no_grad():
        last.weight.add_(by_feature.to(last.weight))
        last.bias.add_((change[-1] - by_feature @ middle).to(last.bias))
