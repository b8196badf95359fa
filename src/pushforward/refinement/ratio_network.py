"""A smooth network of the density ratio, for generators that have no critic."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..deprecation import renamed
from ..errors import DataError, ParameterError
from ..networks import CharacterCritic, find_architecture, halvings
from ..training import Batch, Loop, Optimiser, Phase, TensorSource, generator_of
from ..training.gradients import with_gradients
from ..validation import as_seed
from .logit_gradients import in_batches
from .ratio_trees import TreeRatio
from .row_width import is_narrow
from .streams import Stream

__all__ = [
    "ImageRatio", "LineRatio", "RatioNetwork", "convolves", "fit_ratio", "labelled", "network_of",
]  # fmt: skip

_FOURIER_BELOW = 5  # dimensions: in more, random frequencies are noise
_FOURIER = 64
_WIDTH = 32  # channels of the finest layer
_BLOCKS = 2
_FLOOR = 0.3  # of the root mean square scale of the numbers of a wide row, the smallest
_FAR = 30.0  # standard deviations: what lies farther out would outweigh all else


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
        self.width = width
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
            # to_empty() would load what torch's compiler is made of, for a third of a second
            layer.weight = nn.Parameter(torch.empty(fan_out, fan_in))
            layer.bias = nn.Parameter(torch.empty(fan_out))
            nn.init.normal_(layer.weight, std=math.sqrt(1 / fan_in), generator=generator)
            nn.init.zeros_(layer.bias)
            layers += [layer, nn.SiLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def features(self, x: Tensor) -> Tensor:
        """Rows as the first layer has them: standardised, with their Fourier features."""
        x = (x.flatten(1).to(self.mean) - self.mean) / self.scale
        x = x.clamp(-_FAR, _FAR)
        if self.frequencies.numel():
            phase = x @ self.frequencies
            x = torch.cat([x, phase.sin(), phase.cos()], dim=1)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """The logit, log of real over generated density."""
        return self.layers(self.features(x))[:, 0]

    def to_config(self) -> dict[str, Any]:
        """What :func:`network_of` needs besides the weights."""
        return {"kind": "rows", "dimension": len(self.mean), "width": self.width}


@renamed(seed="random_state")
class ImageRatio(nn.Module):
    """Logit of real against generated images (n, C, H, W) -> (n,): a small DCGAN critic.

    Args:
        shape: (C, H, W), with sides that halve at least twice.
        mean, scale: of all pixels, scalars.
        width: channels of the finest layer.
        random_state: of the weights.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        mean: Tensor,
        scale: Tensor,
        *,
        width: int = _WIDTH,
        random_state: Any = 0,
    ) -> None:
        seed = as_seed(random_state)
        super().__init__()
        self.shape, self.width = shape, width
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.critic = find_architecture("conv", shape, width).critic("none")

    def forward(self, x: Tensor) -> Tensor:
        """The logit, log of real over generated density."""
        return self.critic((x.to(self.mean) - self.mean) / self.scale)

    def to_config(self) -> dict[str, Any]:
        """What :func:`network_of` needs besides the weights."""
        return {"kind": "images", "shape": list(self.shape), "width": self.width}


@renamed(seed="random_state")
class LineRatio(nn.Module):
    """Logit of real against generated lines (n, length, symbols) -> (n,).

    Args:
        shape: (length, symbols).
        hard: whether letters count as the likeliest ones; then it moves nothing.
        width: channels.
        random_state: of the weights.
    """

    scale: Tensor

    def __init__(
        self, shape: tuple[int, int], *, hard: bool, width: int = 2 * _WIDTH, random_state: Any = 0
    ) -> None:
        seed = as_seed(random_state)
        super().__init__()
        self.shape, self.hard, self.width = shape, hard, width
        self.register_buffer("scale", torch.ones(()))
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.critic = CharacterCritic(*shape, width, _BLOCKS)

    def forward(self, x: Tensor) -> Tensor:
        """The logit, log of real over generated density."""
        if self.hard:
            x = F.one_hot(x.argmax(dim=-1), self.shape[1]).to(x)
        return self.critic(x).flatten()

    def to_config(self) -> dict[str, Any]:
        """What :func:`network_of` needs besides the weights."""
        facts = {"shape": list(self.shape), "width": self.width, "hard": self.hard}
        return {"kind": "lines", **facts}


def network_of(config: dict[str, Any]) -> RatioNetwork | ImageRatio | LineRatio | TreeRatio:
    """A network, or trees, as ``to_config`` described it, with weights of nothing yet."""
    if config["kind"] == "trees":
        return TreeRatio(int(config["trees"]), int(config["nodes"]))
    width = int(config["width"])
    if config["kind"] == "lines":
        length, symbols = (int(side) for side in config["shape"])
        return LineRatio((length, symbols), hard=bool(config["hard"]), width=width)
    if config["kind"] == "images":
        c, h, w = (int(side) for side in config["shape"])
        return ImageRatio((c, h, w), torch.zeros(()), torch.ones(()), width=width)
    d = int(config["dimension"])
    return RatioNetwork(torch.zeros(d), torch.ones(d), width=width)


def _network_for(real: Tensor, width: int, seed: int) -> RatioNetwork | ImageRatio:
    """A network for such rows, with the weights it begins with."""
    if convolves(real.shape[1:]):
        c, h, w = real.shape[1:]
        scale = real.std().clamp(min=1e-6)
        return ImageRatio((c, h, w), real.mean(), scale, width=_WIDTH, random_state=seed).to(
            real.device
        )
    flat = real.flatten(1)
    scale = flat.std(dim=0)
    if not is_narrow(scale.shape):  # of pixels and the like, some of which hardly ever move
        scale = scale.clamp(min=_FLOOR * float(scale.square().mean().sqrt()))
    scale = torch.where(scale > 0, scale, 1.0)
    generator = generator_of(seed, Stream.RATIO_WEIGHTS)
    return RatioNetwork(flat.mean(dim=0), scale, width=width, generator=generator).to(real.device)


def convolves(shape: torch.Size) -> bool:
    """Whether rows are images that halve twice; smaller ones are rows of numbers."""
    if len(shape) != 3:
        return False
    try:
        return halvings(*shape[1:]) > 1
    except ParameterError:
        return False


@with_gradients
@renamed(seed="random_state")
def fit_ratio(
    real: Tensor,
    generated: Tensor,
    *,
    steps: int = 1000,
    penalty: float = 0.002,
    width: int = 64,
    batch_size: int = 256,
    random_state: Any = 0,
    network: LineRatio | None = None,
    offset: Callable[[Tensor], Tensor] | None = None,
    minutes: float | None = None,
    report: Callable[[str, float], None] | None = None,
) -> RatioNetwork | ImageRatio | LineRatio:
    """Learn the log ratio of densities by telling real from generated rows.

    Cross-entropy with a gradient penalty, on an average of the weights, stopped where a held-out
    tenth says. The penalty is what makes the network fit for moving points: without it the
    cross-entropy is lower and the moved points are worse. Images whose sides halve twice get
    convolutions, all other rows two hidden layers.

    Source: Sugiyama, Suzuki and Kanamori, "Density ratio estimation in machine learning", 2012;
    penalty on the squared gradient of both sides: Mescheder, Geiger and Nowozin,
    "Which training methods for GANs do actually converge?", 2018.

    Args:
        real, generated: (n, ...) and (m, ...), floating point, at least 20 each.
        steps: of Adam.
        penalty: weight of the mean squared gradient, by standardised coordinates. Next to 0 for
            a ratio that only weighs points and moves none.
        width: units of both hidden layers, for rows.
        batch_size: rows of a step, of both kinds.
        random_state: of weights, batches and the held-out rows.
        network: to train, for lines of text; others are made here.
        offset: a frozen logit, to which the network learns what is missing.
        minutes: time to stop after, where ``steps`` take longer.
        report: called with a line of text and the share done.

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
    seed = as_seed(random_state)
    real, generated = (x.detach().float() for x in (real, generated))
    if min(len(real), len(generated)) < 20 or real.shape[1:] != generated.shape[1:]:
        raise DataError(
            f"Real rows have shape {tuple(real.shape)} and generated {tuple(generated.shape)}. "
            "Expected at least 20 of each and the same width."
        )
    both, *known = labelled(real, generated, offset)
    if not both.isfinite().all():
        raise DataError("There are rows that are not finite. Leave them out first.")
    facts = torch.stack(known, dim=1)
    trained = _network_for(real, width, seed) if network is None else network.to(real.device)
    order = np.random.default_rng([seed, Stream.RATIO_HELD_OUT]).permutation(len(both))
    held_out, learn = (torch.from_numpy(part) for part in np.split(order, [len(both) // 10]))

    def cross_entropy(logit: Tensor, facts: Tensor) -> Tensor:
        label, weight, start = facts.unbind(dim=1)
        return F.binary_cross_entropy_with_logits(logit + start, label, weight=weight)

    def loss(batch: Batch) -> dict[str, Tensor]:
        assert batch.y is not None
        x = batch.x.requires_grad_(penalty > 0)
        logit = trained(x)
        terms = {"nats": cross_entropy(logit, batch.y)}
        if penalty > 0:
            (slope,) = torch.autograd.grad(logit.sum(), x, create_graph=True)
            slope = slope.flatten(1) * trained.scale
            terms["penalty"] = penalty * slope.square().sum(dim=1).mean()
        return terms

    def measure() -> dict[str, float]:
        return {"nats": float(cross_entropy(in_batches(trained, both[held_out]), facts[held_out]))}

    phase = Phase("ratio", ("ratio",), loss, Optimiser("adam", 3e-3, decay="linear"))
    if not isinstance(trained, RatioNetwork):
        adam = Optimiser("adam", 1e-3, {"betas": (0.5, 0.99)}, decay="linear")
        phase = Phase("ratio", ("ratio",), loss, adam)
    loop = Loop(
        {"ratio": trained},
        [phase],
        TensorSource(both[learn], facts[learn]),
        batch_size=batch_size,
        seed=seed,
        ema=0.98,
    )
    loop.run(steps=steps, minutes=minutes, judge=measure, report=report)
    return trained.requires_grad_(False)


def labelled(
    real: Tensor, generated: Tensor, offset: Callable[[Tensor], Tensor] | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All rows; whether each is real, its weight, and the logit that is there already."""
    both = torch.cat([real, generated])
    label = torch.cat([torch.ones(len(real)), torch.zeros(len(generated))]).to(both)
    start = torch.zeros_like(label) if offset is None else in_batches(offset, both).to(both)
    # rows of the rarer kind count more, so that the prior odds are even
    weight = torch.where(label > 0, len(both) / len(real), len(both) / len(generated)) / 2
    return both, label, weight, start
