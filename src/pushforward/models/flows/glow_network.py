"""Glow as a network: levels, priors and latents. It knows nothing of pixels or of training."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ... import errors
from ...errors import DataError, ParameterError
from ...validation import COUNT, SHARE, OneOf, check
from ...wording import setting
from .channel_mixing import PERMUTATIONS
from .gaussian_start import LatentGaussian, PixelMargins
from .glow_backward import MEMORY
from .glow_frozen import FrozenGlow
from .glow_frozen_level import FrozenLevel
from .glow_level import FoldedLevel, GlowLevel, Reduce
from .glow_priors import SplitPrior, TopPrior, normal_log_prob, of_class
from .glow_step import LOG_SCALE_RATE, Coupling
from .squeeze import squeeze

__all__ = ["GlowNetwork"]


_RULES = {
    "coupling": OneOf("affine", "additive"),
    "permutation": OneOf(*PERMUTATIONS),
    "memory": OneOf(*MEMORY),
    "levels": COUNT,
    "steps": COUNT,
    "width": COUNT,
    "gate_floor": SHARE,
}


class GlowNetwork(nn.Module):
    """Glow, the flow of images.

    Kingma & Dhariwal, *Glow: Generative Flow with Invertible 1x1 Convolutions* (2018). Levels of K
    steps (actnorm, invertible 1x1 convolution, coupling); after each but the last,
    half of the channels leave, with a Gaussian prior given the half that stays. All of the
    published code is there: actnorms in the coupling networks, the edge channel, the conditional
    split prior, the spatial top prior, log-scales learned threefold.

    Args:
        shape: (C, H, W) of an image; H and W divisible by ``2**levels``.
        levels: L.
        steps: K, of each level.
        width: channels inside the coupling networks.
        coupling: ``"affine"`` or ``"additive"``.
        permutation: ``"lu"``, ``"direct"``, ``"reverse"`` or ``"shuffle"``, see
            :class:`~pushforward.models.flows.channel_mixing.InvertibleConvolutions`.
        gate_floor: smallest scale of an affine coupling; 0 is the published gate, see
            :class:`~pushforward.models.flows.glow_step.Coupling`.
        learn_top: learn mean and scale of the last latent.
        classes: number of classes on which the prior of the last latent depends, or None.
        memory: what a training step keeps for its gradient. ``"reversible"``: nothing but the
            output of each level; memory does not grow with K. ``"checkpoint"``: the input of
            each step. ``"store"``: every activation, the fastest.
        coupling_dtype: type the coupling networks compute in while training, such as
            ``torch.bfloat16``; latents, log-determinants and 1x1 convolutions stay in the type of
            the parameters. Outside of training it is not used: rounding differs between the two
            directions of a step, which would cost the round trip half a grey level.
        seed: of the initial weights.
        margins: what makes pixels normal before the first level. With them there is a Gaussian of
            all latents together at the end; :meth:`start` fits both. None is the published
            network.

    Attributes:
        initialised: whether :meth:`initialise` was called; saved with the weights.
        latent_shapes: (C, H, W) of each part of the latent, finest first.

    Raises:
        ParameterError: for an argument that cannot be used.

    Example:
        >>> network = GlowNetwork((3, 8, 8), levels=2, steps=2, width=8)
        >>> x = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> network.initialise(x)
        >>> network.log_prob(x).shape, network.latent_shapes
        (torch.Size([16]), [(6, 4, 4), (24, 2, 2)])
        >>> bool((network.decode(network.encode(x)) - x).abs().max() < 1e-5)
        True
    """

    initialised: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        *,
        levels: int = 3,
        steps: int = 32,
        width: int = 512,
        coupling: str = "affine",
        permutation: str = "lu",
        gate_floor: float = 0.0,
        learn_top: bool = True,
        classes: int | None = None,
        memory: str = "reversible",
        coupling_dtype: torch.dtype | None = None,
        seed: int = 0,
        margins: PixelMargins | None = None,
    ) -> None:
        super().__init__()
        words = {"coupling": coupling, "permutation": permutation, "memory": memory}
        sizes = {"levels": levels, "steps": steps, "width": width}
        check(_RULES, words | sizes | {"gate_floor": gate_floor})
        _check_size(shape, levels)
        self.shape = tuple(shape)
        self.classes = classes
        self.memory = memory
        self.coupling_dtype = coupling_dtype

        generator = torch.Generator().manual_seed(seed)
        rule = Coupling(coupling == "affine", float(gate_floor))
        channels, height, side = shape
        self.latent_shapes: list[tuple[int, int, int]] = []
        self.levels = nn.ModuleList()
        self.split_priors = nn.ModuleList()
        for level in range(levels):
            channels, height, side = 4 * channels, height // 2, side // 2
            self.levels.append(GlowLevel(channels, steps, width, rule, permutation, generator))
            if level < levels - 1:
                channels //= 2
                self.split_priors.append(SplitPrior(channels))
            self.latent_shapes.append((channels, height, side))
        self.top_prior = TopPrior(channels, learn_top, classes)
        if classes:
            self.classifier = nn.Parameter(torch.zeros(channels + 1, classes))
            self.classifier_logs = nn.Parameter(torch.zeros(classes))
        self.margins = margins
        self.latent = None if margins is None else LatentGaussian(math.prod(shape))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        self._known_initialised = False  # so that a device is asked once, not at every call
        self.register_load_state_dict_post_hook(_forget)

    @property
    def _levels(self) -> list[GlowLevel]:
        return cast("list[GlowLevel]", list(self.levels))

    @property
    def _split_priors(self) -> list[SplitPrior]:
        return cast("list[SplitPrior]", list(self.split_priors))

    # initialisation

    @torch.no_grad()
    def initialise(
        self, x: Tensor, y: Tensor | None = None, *, reduce: Reduce | None = None
    ) -> None:
        """Set the actnorms, in order, from one large batch.

        Args:
            x: (n, C, H, W), typically 256 images.
            y: not used; a flow network takes labels everywhere.
            reduce: for several processes, returns a tensor summed over them; the statistics are
                then those of the joined batch.

        Raises:
            DataError: for images of another shape or with values that are not finite.
        """
        z, _ = self._pixels_first(x)
        if not len(x) or not bool(torch.isfinite(x).all()):
            raise DataError(
                f"Initialisation got {len(x)} images with values that are not finite or none at "
                "all. Expected a batch of finite images."
            )
        for number, level in enumerate(self._levels):
            z = level.initialise(squeeze(z), reduce or _alone)
            if number < len(self.split_priors):
                z = z.chunk(2, -1)[0]
        self.initialised.fill_(True)

    @torch.no_grad()
    def start(self, batches: Callable[[], Iterable[Tensor]], first: Tensor) -> None:
        """Initialise a network with margins so that it is a Gaussian copula of the images.

        Args:
            batches: gives the images (n, C, H, W) anew at every call, some at a time.
            first: (n, C, H, W), as of :meth:`initialise`.
        """
        assert self.margins is not None
        assert self.latent is not None
        self.margins.fit(batches())
        self.initialise(first)
        latents = [torch.cat([e.flatten(1) for e in self._eps(x)], 1) for x in batches()]
        self.latent.fit(torch.cat(latents))

    def _eps(self, x: Tensor) -> list[Tensor]:
        """Latents (n, h, w, c) before the Gaussian of all of them, of the first class."""
        _, top, fine = self._descend(x)
        mean, logs = self.top_prior(*top.shape[1:3], like=top)
        return [*fine, (top - mean[:1]) * torch.exp(-logs[:1])]

    def _pixels_first(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """Images as (n, H, W, C), made normal where there are margins; the log-determinant."""
        self._check_shape(x)
        z, log_det = (x, 0.0) if self.margins is None else self.margins(x)
        if isinstance(log_det, Tensor):
            log_det = log_det.to(self.dtype)
        return z.to(self.dtype).permute(0, 2, 3, 1), log_det

    def _check_shape(self, x: Tensor) -> None:
        if tuple(x.shape[1:]) != self.shape:
            raise DataError(
                f"Images have shape {tuple(x.shape)}. Expected {('n', *self.shape)}, as the "
                "network was built for."
            )

    def _require_initialised(self) -> None:
        if self._known_initialised:
            return
        self._known_initialised = bool(self.initialised)
        if not self._known_initialised:
            raise errors.NotFittedError(
                "This network is not initialised: its actnorms know no data. Call "
                "initialise(x) on one large batch, or load the weights of a trained network."
            )

    @property
    def dtype(self) -> torch.dtype:
        """Type of parameters, latents and log-determinants."""
        return self._levels[0].first.dtype

    # density

    def log_prob(self, x: Tensor, y: Tensor | None = None, *, per_level: bool = False) -> Tensor:
        """Log density of continuous images, in nats; differentiable once.

        Args:
            x: (n, C, H, W).
            y: (n,) int64 classes. None in a class-conditional network gives the density of an
                image of unknown class, all classes being as likely.
            per_level: give the share of each level instead.

        Returns:
            (n,), or (n, L) with ``per_level``, finest level first: the log-determinant of its
            steps and the log density of what leaves after it. The shares sum to the log density.

        Raises:
            DataError: for images of another shape.
            NotFittedError: before :meth:`initialise`.
        """
        return self._finish(*self._descend(x), y, per_level)

    def log_prob_and_label_logits(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both terms of class-conditional training from one pass: (n,) and (n, classes)."""
        shares, top, fine = self._descend(x)
        return self._finish(shares, top, fine, y, False), self._classify(top)

    def label_logits(self, x: Tensor) -> Tensor:
        """Log odds of the classes by a linear classifier on the last latent, (n, classes).

        Raises:
            ParameterError: where the network has no classes.
        """
        return self._classify(self._descend(x)[1])

    def _descend(self, x: Tensor) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Shares (n,) of the levels, that of the top prior left out, the last latent, the others.

        The others, standardised, are given where there is a Gaussian of all latents.
        """
        z, log_det = self._pixels_first(x)
        self._require_initialised()
        coupling_dtype = self.coupling_dtype if self.training else None
        shares, fine = [], []
        for number, level in enumerate(self._levels):
            z, share = level(squeeze(z), self.memory, coupling_dtype or z.dtype)
            if number < len(self.split_priors):
                z, leaving = z.chunk(2, -1)
                mean, logs = self._split_priors[number](z)
                share = share + normal_log_prob(leaving, mean, logs)
                if self.latent is not None:
                    fine.append((leaving - mean) * torch.exp(-logs))
            shares.append(share)
        shares[0] = shares[0] + log_det
        return shares, z, fine

    def _finish(
        self,
        shares: list[Tensor],
        top: Tensor,
        fine: list[Tensor],
        y: Tensor | None,
        per_level: bool,
    ) -> Tensor:
        """Add the prior of the last latent, and of all of them together."""
        mean, logs = self.top_prior(*top.shape[1:3], like=top)
        if self.classes and y is None:
            prior = normal_log_prob(top[:, None], mean, logs, first=2)
            if self.latent is not None:
                ratios = [
                    self.latent.log_ratio([*fine, (top - mean[k]) * torch.exp(-logs[k])])
                    for k in range(self.classes)
                ]
                prior = prior + torch.stack([ratio[-1] for ratio in ratios], 1)
                shares = _added(shares, ratios[0][:-1])  # the class is no part of these
            prior = prior.logsumexp(1) - math.log(self.classes)
        else:
            mean, logs = of_class(mean, y), of_class(logs, y)
            prior = normal_log_prob(top, mean, logs)
            if self.latent is not None:
                *ratios, last = self.latent.log_ratio([*fine, (top - mean) * torch.exp(-logs)])
                shares, prior = _added(shares, ratios), prior + last
        shares = [*shares[:-1], shares[-1] + prior]
        return torch.stack(shares, 1) if per_level else torch.stack(shares).sum(0)

    def _classify(self, top: Tensor) -> Tensor:
        if not self.classes:
            raise ParameterError(
                "This network has no classes to tell apart. Build it with classes=."
            )
        scores = top.mean((1, 2)) @ self.classifier[:-1] + self.classifier[-1]
        return scores * torch.exp(LOG_SCALE_RATE * self.classifier_logs)

    # latents

    def folded(self) -> FrozenGlow:
        """The network for inference, differentiable in the parameters. See :meth:`freeze`."""
        sizes = [(height, side) for _, height, side in self.latent_shapes]
        levels = [level.folded(*size) for level, size in zip(self._levels, sizes, strict=True)]
        return self._with_priors(levels)

    @torch.no_grad()
    def freeze(self) -> FrozenGlow:
        """A copy for inference: inverses, scales and permutations computed once.

        For results with gradients use the network itself.

        Raises:
            NotFittedError: before :meth:`initialise`.
        """
        if self._levels[0].first.device.type != "cpu":
            return self.folded()
        return self._with_priors([level.frozen() for level in self._levels])

    def _with_priors(self, levels: Sequence[FoldedLevel | FrozenLevel]) -> FrozenGlow:
        self._require_initialised()
        sizes = [(height, side) for _, height, side in self.latent_shapes]
        return FrozenGlow(
            levels,
            [prior.folded(*size) for prior, size in zip(self._split_priors, sizes, strict=False)],
            self.top_prior(*sizes[-1], like=self._levels[0].first),
            self.classes,
            self.margins,
            self.latent,
        )

    def encode(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """Latents of images: (n, C, H, W) -> list of ``latent_shapes``, finest first.

        They are standard normal under the model. Class-conditional networks need ``y``.
        """
        self._check_shape(x)
        return self.folded().encode(x.to(self.dtype), y)

    def decode(self, eps: list[Tensor], y: Tensor | None = None) -> Tensor:
        """Images of latents: the inverse of :meth:`encode`; differentiable."""
        return self.folded().decode(eps, y)

    def sample_latent(
        self, n: int, temperature: float, generator: torch.Generator
    ) -> list[Tensor]:
        """Draw latents: normal with deviation ``temperature``, on the generator's device."""
        make: dict[str, Any] = {"generator": generator, "device": generator.device}
        return [
            torch.randn(n, *shape, dtype=self.dtype, **make) * temperature
            for shape in self.latent_shapes
        ]

    # health

    @torch.no_grad()
    def diagnose(self, x: Tensor | None = None) -> dict[str, float]:
        """Signs of trouble with the inverse.

        Args:
            x: (n, C, H, W), images to look at.

        Returns:
            ``condition_number``: the worst of the 1x1 convolutions; ``smallest_gate``, with
            ``x``: the smallest scale any coupling applied to it (1 for additive coupling).
        """
        worst = [torch.linalg.cond(level.mixing()[0]).max() for level in self._levels]
        found = {"condition_number": torch.stack(worst).max().item()}
        if x is not None:
            found["smallest_gate"] = self.freeze().smallest_gate(x.to(self.dtype))
        return found


def _added(shares: list[Tensor], ratios: Sequence[Tensor]) -> list[Tensor]:
    """Shares with what the finest levels have from the Gaussian of all latents."""
    return [*(a + b for a, b in zip(shares, ratios, strict=False)), *shares[len(ratios) :]]


def _forget(network: nn.Module, _: object) -> None:
    """Ask the buffer anew, once other weights are loaded."""
    assert isinstance(network, GlowNetwork)
    network._known_initialised = False


def _alone(tensor: Tensor) -> Tensor:
    return tensor


def _check_size(shape: tuple[int, int, int], levels: int) -> None:
    _, height, width = shape
    sides = math.gcd(height, width)
    most = (sides & -sides).bit_length() - 1  # how often 2 divides both
    if most == 0:
        raise ParameterError(
            f"Images are {height} x {width} pixels. Every level of Glow halves the sides, so both "
            "have to be even: crop, pad or resize the images."
        )
    if levels > most:
        raise ParameterError(
            f"levels is {levels}, but {height} x {width} pixels can be halved {most} times. Take "
            f"{setting('levels', most)} or less, or crop, pad or resize the images."
        )
