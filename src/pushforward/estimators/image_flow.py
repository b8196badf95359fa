"""What every flow of images can do: likelihoods, one latent for an image, samples, diagnosis."""

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..deprecation import renamed
from ..devices import inference, on_host
from ..errors import DataError, ParameterError, TrainingError, stacklevel_of_caller
from ..validation import COUNT, Number, as_seed, check
from ..wording import setting
from .capabilities import LatentSpace
from .image_model import ImageModel
from .latent_edits import LatentEdits
from .prior import Prior

__all__ = ["ImageFlow"]

_LN2 = math.log(2)
_DRAWN = 64  # latents that are drawn at once, on every device, for the same samples on all


class ImageFlow(ImageModel, LatentEdits):
    """An invertible network between images and a standard normal latent.

    Subclasses build one network, called "flow", with the methods of a flow network
    (``log_prob``, ``encode``, ``decode``, ``sample_latent``).
    """

    @renamed(n_samples="n_draws")
    def score_samples(
        self, X: Any, y: Any = None, *, n_draws: int = 1, per_level: bool = False
    ) -> np.ndarray:
        """Log-probability of each discrete image in nats; higher is more normal.

        It is estimated from below: log (1/k) sum_i p(x + u_i) over k draws of the dequantisation
        noise, which tightens as k grows (Burda et al. 2016, eq. 8). The noise of an image depends
        on nothing but the image, so its score is the same in every batch.

        Args:
            X: uint8 images like those of ``fit``.
            y: (n,) labels or one for all, for conditional models; None takes the mean probability
                over the classes, all as likely.
            n_draws: draws k.
            per_level: return the share of each level of the flow instead, finest first, (n, L).
                A level's share is the log-density of its latents plus the log-determinant
                of its steps; the last level's alone is a strong detector of foreign images
                (Schirrmeister et al. 2020). One draw is used.

        Returns:
            (n,) float64, always finite; (n, L) with ``per_level``.

        Raises:
            DataError: for images of another shape, and for images whose log-probability is not
                a finite number.
        """
        self._check_fitted()
        check({"n_draws": COUNT}, {"n_draws": n_draws})
        if per_level and n_draws != 1:
            raise ParameterError("per_level takes one draw: leave n_draws at 1.")
        labels = None if y is None else self._given_labels(y, len(X), X)
        parts = []
        with inference():
            for rows, images in self._chunks(X):
                own = None if labels is None else labels[rows]
                draws = [self._scored(images, own, k, per_level) for k in range(int(n_draws))]
                mean = torch.stack(draws).logsumexp(0) - math.log(n_draws)
                parts.append(draws[0] if per_level else mean)
        scores = torch.cat(parts).numpy()
        if not np.isfinite(scores).all():
            bad = np.flatnonzero(~np.isfinite(scores.reshape(len(scores), -1)).all(1))
            raise DataError(
                f"The log-probability of {len(bad)} image(s) is not a finite number, the first "
                f"being image {bad[0]}: the flow is not stable there. See diagnose()."
            )
        return scores

    def _scored(
        self, images: np.ndarray, labels: Tensor | None, draw: int, per_level: bool = False
    ) -> Tensor:
        """Scores of one draw of noise, float64 on the CPU: (n,) or (n, L)."""
        x, log_det = self.pixels_.encode(images, draw)
        x = x.to(self._device())

        y = None if labels is None else labels.to(x.device)
        value = self._flow.log_prob(x, y, per_level=per_level).double().cpu()
        if not per_level:
            return value + log_det
        value[:, 0] += log_det
        return value

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-probability of the images, in nats an image."""
        return float(self.score_samples(X, y).mean())

    @renamed(n_samples="n_draws")
    def bits_per_dim(self, X: Any, y: Any = None, *, n_draws: int = 1) -> float:
        """Mean bits per dimension of the images; lower is better.

        Of 8-bit images; with ``bits`` below 8 of the reduced images, which are not comparable.

        Args:
            X, y, n_draws: as of :meth:`score_samples`.
        """
        scores = self.score_samples(X, y, n_draws=n_draws)
        return float(-scores.mean() / (self.pixels_.n_values * _LN2))

    # The latent

    def encode(self, X: Any, y: Any = None) -> np.ndarray:
        """Latents of images: (n, D) float32, standard normal under the model, finest level first.

        No noise is added: each byte counts as the middle of its cell, so ``decode`` gives back
        every pixel.

        Args:
            X: n uint8 images like those of ``fit``.
            y: (n,) labels or one for all, for conditional models.
        """
        self._check_fitted()
        labels = self._given_labels(y, len(X), X)
        parts = []
        with inference():
            for rows, images in self._chunks(X):
                x, _ = self.pixels_.encode(images, None)
                own = None if labels is None else labels[rows].to(self._device())
                eps = self._inference.encode(x.to(self._device()), own)
                parts.append(torch.cat([e.flatten(1) for e in eps], 1).cpu())
        return torch.cat(parts).numpy()

    def decode(self, Z: Any, y: Any = None) -> np.ndarray:
        """Images of latents: (n, D) -> uint8 in the layout of ``fit``.

        Args:
            Z: latents, as of :meth:`encode`.
            y: (n,) labels or one for all, for conditional models.

        Raises:
            DataError: for latents of another shape, and where the image is not finite.
        """
        self._check_fitted()
        z = torch.from_numpy(np.array(on_host(Z), dtype=np.float32))  # a copy: Z may be read-only
        if z.ndim != 2 or z.shape[1] != self.pixels_.n_values:
            raise DataError(
                f"Z has shape {tuple(z.shape)}. Expected (n, {self.pixels_.n_values})."
            )
        labels = self._given_labels(y, len(z))
        size = self._at_once()
        with inference():
            parts = [
                self._decoded(z[k : k + size], None if labels is None else labels[k : k + size])
                for k in range(0, len(z), size)
            ]
        return self.pixels_.decode(torch.cat(parts))

    def _decoded(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Decoded flat latents, (n, C, H, W) on the CPU."""
        shapes = self._flow.latent_shapes
        parts = z.to(self._device()).split([math.prod(s) for s in shapes], 1)
        eps = [part.reshape(len(z), *s) for part, s in zip(parts, shapes, strict=True)]
        y = None if labels is None else labels.to(self._device())
        return self._inference.decode(eps, y).cpu()

    def _given_labels(self, y: Any, n: int, X: Any = None) -> Tensor | None:
        """Labels, or one for all, as class numbers (n,), where the model is conditional."""
        if self.classes_ is None:
            return None
        if y is None:
            raise DataError(
                "This model is conditional: give the labels y, of "
                f"{list(self.class_names_ or self.classes_.tolist())}."
            )
        numbers = torch.from_numpy(self._class_numbers(np.atleast_1d(y), X))
        if numbers.shape not in ((n,), (1,)):
            raise DataError(f"y has shape {tuple(numbers.shape)}. Expected ({n},), or one label.")
        return numbers.expand(n)

    def reconstruct(self, X: Any, y: Any = None) -> np.ndarray:
        """Images through the latent and back: exactly the images, up to ``bits``."""
        return self.decode(self.encode(X, y), y)

    # Samples

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        temperature: float = 1.0,
        y: Any = None,
    ) -> np.ndarray:
        """Draw images, uint8 in the layout of ``fit``.

        Args:
            n_samples: images to draw.
            random_state: seed, RandomState, or None for numpy's global one.
            temperature: standard deviation of the latent; below 1 images are plainer and
                cleaner. It is p^(1/T^2) exactly only for additive coupling.
            y: label or labels of the images, for conditional models; None draws them evenly.

        Raises:
            TrainingError: if more than half of the images are not finite. Fewer are drawn anew,
                with a warning that counts them.
        """
        return super().sample(n_samples, random_state, temperature=temperature, y=y)

    def _make(
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Any = None
    ) -> Tensor:
        labels = None
        if self.classes_ is not None:
            labels = (
                torch.randint(len(self.classes_), (n,), generator=generator)
                if y is None
                else self._given_labels(y, n)
            )
        elif y is not None:
            raise ParameterError("This model is not conditional: it has no labels to ask for.")
        check({"temperature": Number(0, 10, ends="[]")}, {"temperature": temperature})
        made, wanted, bad = [], n, 0
        while wanted:
            count = min(wanted, self._at_once())
            z = self._latents(count, float(temperature), generator)
            own = None if labels is None else labels[n - wanted : n - wanted + count]
            x = self._decoded(z, own)
            finite = torch.isfinite(x).flatten(1).all(1)
            if labels is not None and not bool(finite.all()):
                finite &= finite.cumprod(0).bool()  # labels stay in order: redraw from there
            bad += int(count - finite.sum())
            if bad > max(n // 2, 8):
                raise TrainingError(
                    f"{bad} samples at temperature {temperature} are not finite. Train longer, "
                    "or at a lower learning_rate; sample at a lower temperature; or use "
                    f"{setting('goal', 'pictures')}."
                )
            made.append(x[finite])
            wanted -= int(finite.sum())
        if bad:
            warnings.warn(
                f"{bad} samples were not finite and were drawn anew.",
                stacklevel=stacklevel_of_caller(),
            )
        return torch.cat(made)

    def _latents(self, n: int, temperature: float, generator: torch.Generator) -> Tensor:
        """n latents (n, D), finest level first."""
        counts = [min(_DRAWN, n - k) for k in range(0, n, _DRAWN)]
        drawn = (self._flow.sample_latent(k, temperature, generator) for k in counts)
        return torch.cat([torch.cat([e.flatten(1) for e in eps], 1) for eps in drawn])

    # Diagnosis

    @renamed(seed="random_state")
    def diagnose(
        self, X: Any, y: Any = None, *, n_samples: int = 256, random_state: Any = 0
    ) -> dict[str, float]:
        """How invertible and how stable the flow is.

        Args:
            X: images like those of ``fit``, a few dozen.
            y: (n,) labels or one for all, for conditional models; None takes the first class.
                Noise, constant images and samples have the labels of the first images.
            n_samples: samples drawn at each temperature.
            random_state: for noise and samples.

        Returns:
            Largest round-trip errors in grey levels (256 for those that are not finite) of the
            images, of noise and of constant images; shares of non-finite samples at
            temperatures 0.7 and 1; what the network tells of itself, such as the worst condition
            number of its convolutions.
        """
        seed = as_seed(random_state)
        self._check_fitted()
        generator = torch.Generator().manual_seed(seed)
        labels = None if y is None else self._given_labels(y, len(X), X)
        images = np.concatenate([images for _, images in self._chunks(X)])
        rng = np.random.default_rng(seed)
        noise = rng.integers(0, 256, (16, *self.pixels_.shape), dtype=np.uint8)
        greys = np.linspace(0, 255, 16).round().astype(np.uint8)[:, None, None, None]
        constant = np.broadcast_to(greys, noise.shape)
        found: dict[str, float] = {}
        size = self._at_once()
        with inference():
            for name, batch in (("data", images), ("noise", noise), ("constant", constant)):
                x, _ = self.pixels_.encode(np.ascontiguousarray(batch), None)
                own = self._cycled(labels, len(x))
                parts = [None] * len(x) if own is None else own.split(size)
                error = max(map(self._round_trip, x.split(size), parts))
                found[f"round_trip.{name}"] = error
            for temperature in (0.7, 1.0):
                bad = 0
                for start in range(0, n_samples, size):
                    count = min(size, n_samples - start)
                    z = self._latents(count, temperature, generator)
                    made = self._decoded(z, self._cycled(labels, count))
                    bad += int((~torch.isfinite(made).flatten(1).all(1)).sum())
                found[f"non_finite.{temperature:g}"] = bad / n_samples
            x, _ = self.pixels_.encode(images[:size], None)
            return found | self._signs(x.to(self._device()))

    def _round_trip(self, x: Tensor, y: Tensor | None) -> float:
        """Largest error of decode(encode(x)) in grey levels of the model's interval."""
        y = None if y is None else y.to(self._device())
        eps = self._inference.encode(x.to(self._device()), y)
        back = self._inference.decode(eps, y).cpu()
        if self.pixels_.logit is not None:
            x, back = x.sigmoid(), back.sigmoid()
        width = (self.pixels_.high - self.pixels_.low) if self.pixels_.logit is None else 1.0
        error = ((x - back).abs().max() * 256 / width).item()
        return min(error, 256.0) if math.isfinite(error) else 256.0

    def _signs(self, x: Tensor) -> dict[str, float]:
        """Further measures of the network's stability on images ``x``."""
        return {}

    def _cycled(self, labels: Tensor | None, n: int) -> Tensor | None:
        """Class numbers of n images: those given, again and again; without any the first."""
        if self.classes_ is None:
            return None
        if labels is None:
            return torch.zeros(n, dtype=torch.long)
        return labels.repeat(-(-n // len(labels)))[:n]

    def _abilities(self) -> dict[str, Any]:
        def draw(n: int, generator: torch.Generator) -> Tensor:
            return self._make(n, generator).to(self._device())

        levels = tuple(math.prod(shape) for shape in self._flow.latent_shapes)
        known = {
            **super()._abilities(),
            "density": True,
            "temperature": True,
            "latent_levels": levels,
        }
        if self.classes_ is None:
            return {**known, "latent_space": self._latent_space()}
        return {**known, "draw": draw}

    def _latent_space(self) -> LatentSpace:
        """Latents (n, D), finest level first, as of :meth:`encode`."""
        flow, device = self._flow, self._device()
        sizes = [math.prod(shape) for shape in flow.latent_shapes]

        def sample(n: int, generator: torch.Generator) -> Tensor:
            parts = flow.sample_latent(n, 1.0, generator)
            return torch.cat([part.flatten(1) for part in parts], dim=1).to(device)

        def decode(z: Tensor) -> Tensor:
            parts = z.split(sizes, dim=1)
            shaped = zip(parts, flow.latent_shapes, strict=True)
            return flow.decode([part.reshape(len(z), *shape) for part, shape in shaped])

        def encode(x: Tensor) -> Tensor:
            return torch.cat([part.flatten(1) for part in flow.encode(x)], dim=1)

        normal = self.settings_.get("prior", "normal") == "normal"
        prior = Prior(sample, Prior.normal(1).log_prob if normal else None)
        return LatentSpace(prior, decode, encode, invertible=True)

    # The network

    @property
    def _flow(self) -> Any:
        return self.networks_["flow"]

    @property
    def _inference(self) -> Any:
        """What encodes and decodes images: the network itself, or a faster form of it."""
        return self._flow
