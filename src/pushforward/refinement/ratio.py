"""A smooth network of the density ratio, for generators that have no critic."""

import math
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import DataError
from ..training import Batch, Loop, Optimiser, Phase, TensorSource, generator_of

__all__ = ["RatioNetwork", "fit_ratio"]

_FOURIER_BELOW = 5  # dimensions: in more, random frequencies are noise
_FOURIER = 64
_WEIGHTS, _SPLIT = 0, 1  # what a seed is for


class RatioNetwork(nn.Module):
    """Logit of real against generated rows (n, ...) -> (n,).

    Rows are flattened and standardised. In few dimensions random Fourier features are added,
    without which a network of raw coordinates does not learn fine structure at all (spectral
    bias: Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", 2020).

    Args:
        mean, scale: (d,) of the rows.
        width: units of both hidden layers.
        bandwidth: standard deviation of the frequencies, radians per standard deviation.
        generator: of weights and frequencies.
    """

    mean: Tensor
    scale: Tensor
    frequencies: Tensor

    def __init__(
        self,
        mean: Tensor,
        scale: Tensor,
        *,
        width: int = 64,
        bandwidth: float = 8.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        d = len(mean)
        count = _FOURIER if d < _FOURIER_BELOW else 0
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        frequencies = bandwidth * torch.randn(d, count, generator=generator)
        self.register_buffer("frequencies", frequencies.to(mean))
        sizes = [d + 2 * count, width, width, 1]
        layers = []
        for fan_in, fan_out in pairwise(sizes):
            with torch.device("meta"):
                layer = nn.Linear(fan_in, fan_out)
            layer = layer.to_empty(device="cpu")
            nn.init.normal_(layer.weight, std=math.sqrt(1 / fan_in), generator=generator)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """The logit, log of real over generated density."""
        x = (x.flatten(1).to(self.mean) - self.mean) / self.scale
        if self.frequencies.numel():
            phase = x @ self.frequencies
            x = torch.cat([x, phase.sin(), phase.cos()], dim=1)
        return self.layers(x)[:, 0]


def fit_ratio(
    real: Tensor,
    generated: Tensor,
    *,
    steps: int = 1000,
    penalty: float = 0.002,
    batch_size: int = 256,
    seed: int = 0,
) -> RatioNetwork:
    """Learn the log ratio of densities by telling real from generated rows.

    Cross-entropy with a gradient penalty, on an average of the weights, stopped where a held-out
    fifth says. The penalty is what makes the network fit for moving points: without it the
    cross-entropy is lower and the moved points are worse.

    Source: Sugiyama, Suzuki and Kanamori, "Density ratio estimation in machine learning", 2012;
    penalty on the squared gradient of both sides: Mescheder, Geiger and Nowozin,
    "Which training methods for GANs do actually converge?", 2018.

    Args:
        real, generated: (n, ...) and (m, ...), floating point, at least 20 each.
        steps: of Adam.
        penalty: weight of the mean squared gradient, by standardised coordinates. 0 for a ratio
            that only weighs points and moves none.
        batch_size: rows of a step, of both kinds.
        seed: of weights, batches and the held-out rows.

    Returns:
        The network in evaluation mode, parameters frozen.

    Raises:
        DataError: for too few rows, other shapes, or values that are not finite.

    Examples:
        >>> draw = torch.Generator().manual_seed(0)
        >>> x = torch.randn(2, 500, 1, generator=draw)
        >>> logit = fit_ratio(x[0] + 1, x[1], steps=200)
        >>> bool(logit(torch.tensor([[2.0]])) > 0.5 > -0.5 > logit(torch.tensor([[-1.0]])))
        True
    """
    real, generated = (x.detach().flatten(1).float() for x in (real, generated))
    if min(len(real), len(generated)) < 20 or real.shape[1] != generated.shape[1]:
        raise DataError(
            f"Real rows have shape {tuple(real.shape)} and generated {tuple(generated.shape)}. "
            "Expected at least 20 of each and the same width."
        )
    both = torch.cat([real, generated])
    if not both.isfinite().all():
        raise DataError("There are rows that are not finite. Leave them out first.")
    label = torch.cat([torch.ones(len(real)), torch.zeros(len(generated))]).to(both)
    # rows of the rarer kind count more, so that the prior odds are even
    weight = torch.where(label > 0, len(both) / len(real), len(both) / len(generated)) / 2
    scale = real.std(dim=0)
    scale = torch.where(scale > 0, scale, 1.0)
    network = RatioNetwork(real.mean(dim=0), scale, generator=generator_of(seed, _WEIGHTS))
    network.to(real.device)
    order = np.random.default_rng([seed, _SPLIT]).permutation(len(both))
    held_out, learn = (torch.from_numpy(part) for part in np.split(order, [len(both) // 5]))

    def cross_entropy(logit: Tensor, rows: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logit, label[rows], weight=weight[rows])

    def loss(batch: Batch) -> dict[str, Tensor]:
        assert batch.y is not None
        x = batch.x.requires_grad_()
        logit = network(x)
        (slope,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
        square = (slope * scale).square().sum(dim=1).mean()
        return {"nats": cross_entropy(logit, batch.y), "penalty": penalty * square}

    def judge() -> dict[str, float]:
        return {"nats": float(cross_entropy(network(both[held_out]), held_out))}

    phase = Phase("ratio", ("ratio",), loss, Optimiser("adam", 3e-3, decay="linear"))
    loop = Loop(
        {"ratio": network},
        [phase],
        TensorSource(both[learn], learn),
        batch_size=batch_size,
        seed=seed,
        ema=0.98,
    )
    with torch.enable_grad():
        loop.run(steps=steps, judge=judge)
    return network.requires_grad_(False)
