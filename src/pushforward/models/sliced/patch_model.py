"""What a grown flow of images can do: latents, maps, p-values, classes, saving."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...deprecation import warn_of_old_name
from ...devices import inference, on_host, sizes_of
from ...errors import DataError, ModelFileError, UnsupportedError
from ...estimators.image_flow import ImageFlow
from ...transport.patches import PatchFlow, PatchGrid, PatchLayer
from ...wording import setting
from .principal_bands import PrincipalBands

__all__ = ["PatchModel"]

Progress = Callable[[str], None]

_FEWEST = 64  # images that go through the layers at once, at least
_HELD_OUT = "held_out."  # what the names of tensors begin with that are of no network
_USUAL = "usual_energies"
_LEAST = 200  # held-out images that p-values rest on, where there are as many


class PatchModel(ImageFlow):
    """A flow of images made of patch layers; subclasses say how they grow.

    Attributes:
        held_out_scores_: (m,) rising :meth:`inlier_scores` of images that were held out, what
            p-values rest on; None where none were.
        held_out_map_: (H, W) mean of their :meth:`score_maps`, or None.
    """

    held_out_scores_: np.ndarray | None
    held_out_map_: np.ndarray | None
    _usual: Tensor | None

    # Latents

    def encode(self, X: Any, y: Any = None) -> np.ndarray:
        """Latents of images: (n, D) float64, standard normal under the model.

        No noise is added: each byte counts as the middle of its cell, so ``decode`` gives back
        every pixel.

        Args:
            X: n images like those of ``fit``.
            y: their labels, for conditional models.
        """
        return super().encode(X, y)

    def decode(self, Z: Any, y: Any = None) -> np.ndarray:
        """Images of latents: (n, D) -> uint8 in the layout of ``fit``.

        Args:
            Z: the latents.
            y: labels, or one of all, for conditional models.

        Raises:
            DataError: for latents of another shape, and where the image is not finite.
        """
        self._check_fitted()
        z = torch.as_tensor(np.asarray(on_host(Z), dtype=np.float64))
        if z.ndim != 2 or z.shape[1] != self.pixels_.n_values:
            raise DataError(
                f"Z has shape {tuple(z.shape)}. Expected (n, {self.pixels_.n_values})."
            )
        y = self._given_labels(y, len(z))
        size = self._at_once()
        with inference():
            parts = [
                self._decoded(z[i : i + size], None if y is None else y[i : i + size])
                for i in range(0, len(z), size)
            ]
        return self.pixels_.decode(torch.cat(parts))

    def _at_once(self) -> int:
        """How many images go through the layers together: a layer is made ready once for all."""
        sizes = sizes_of(self._device())
        return max(_FEWEST, max(sizes.values, sizes.moved) // self.pixels_.n_values)

    def _make(
        self, n: int, generator: torch.Generator, temperature: float = 1.0, y: Any = None
    ) -> Tensor:
        if self.classes_ is not None and y is None:  # as frequent as they were
            share = self._flow.share.cpu()
            y = self.classes_[torch.multinomial(share, n, True, generator=generator).numpy()]
        return super()._make(n, generator, temperature, y)

    # Where a score comes from, and how rare it is

    def score_maps(self, X: Any, y: Any = None) -> np.ndarray:
        """Where in an image its score comes from: (n, H, W) float64, nats.

        The sum of a map is the image's :meth:`score_samples`. A pixel has the log-density of its
        latent and its share, by area, of the log-determinants of the patches it was in.

        Args:
            X: n images like those of ``fit``.
            y: their labels, for conditional models.
        """
        self._check_fitted()
        y = self._given_labels(y, len(X), X)
        parts = []
        with inference():
            for rows, images in self._chunks(X):
                parts.append(self._mapped(images, None if y is None else y[rows]))
        return torch.cat(parts).numpy()

    def _mapped(self, images: np.ndarray, labels: Tensor | None) -> Tensor:
        x, log_det = self.pixels_.encode(images, 0)
        labels = None if labels is None else labels.to(self._device())
        each = self._flow.density_map(x.to(self._device()), labels).sum(1).cpu()
        return each + log_det[:, None, None] / math.prod(each.shape[1:])

    def inlier_scores(self, X: Any, y: Any = None) -> np.ndarray:
        """How much images as wholes are like those of ``fit``: (n,) float64, higher is more.

        Log-densities tell other kinds of images badly: what is smooth or dark is likely wherever
        texture is what is learned (Nalisnick et al., *Do deep generative models know what they
        don't know?*, 2019). This looks at neither texture nor volume, only at the latent that
        the layers of the whole image alone give an image, along the principal axes of the images
        of ``fit``: minus the sum, over the whole octaves of axes, of how many standard deviations
        the log energy there is above its mean over images that were fitted on. What has less of
        everything than they, as a blurred image, is no outlier by this score.
        ``benchmarks.sig_ood`` has it beside log-densities, on several sets.

        Of goal="likelihood", which has no such layers, it is the log-density in nats.

        Args:
            X: n images like those of ``fit``.
            y: their labels, for conditional models; without them the label they are likest to.
        """
        return self._inlier_maps(X, y).sum((1, 2))

    def inlier_maps(self, X: Any, y: Any = None) -> np.ndarray:
        """Where in an image its :meth:`inlier_scores` come from: (n, H, W) float64.

        Beside what is usual there: places far below 0 make an image strange. Usual is
        ``held_out_map_``, or, of a model that held no images out, the mean over the images X.

        Args:
            X, y: as of :meth:`inlier_scores`.
        """
        maps = self._inlier_maps(X, y)
        return maps - (maps.mean(0) if self.held_out_map_ is None else self.held_out_map_)

    def explain(self, X: Any, y: Any = None) -> np.ndarray:
        """The old name of :meth:`inlier_maps`, for one release."""
        warn_of_old_name("explain of images", "inlier_maps")
        return self.inlier_maps(X, y)

    def _inlier_maps(self, X: Any, y: Any) -> np.ndarray:
        self._check_fitted()
        labels, bands = None if y is None else self._given_labels(y, len(X), X), self._bands()
        parts = []
        with inference():
            for rows, images in self._chunks(X):
                own = None if labels is None else labels[rows]
                parts.append(self._inlying(images, own, bands))
        return torch.cat(parts).numpy()

    def _inlying(
        self, images: np.ndarray, labels: Tensor | None, bands: PrincipalBands | None
    ) -> Tensor:
        """What pixels add to the inlier scores of a few images: (n, H, W), on the CPU.

        Without labels, of a model of classes, each image counts as of the class it is likest to.
        """
        if bands is None:
            if self.classes_ is None or labels is not None:
                return self._mapped(images, labels)
            each = torch.stack([self._mapped(images, one) for one in self._each_class(images)])
            best = each.sum((2, 3)).argmax(0)
            return each[best, torch.arange(len(images))]
        x = self.pixels_.encode(images, None)[0].to(self._device())
        if self.classes_ is not None and labels is None:
            latents = [self._flow.whole_latent(x, one) for one in self._each_class(images)]
            best = torch.stack([bands.scores(z) for z in latents]).argmax(0)
            z = torch.stack(latents)[best, torch.arange(len(best), device=best.device)]
        else:
            labels = None if labels is None else labels.to(self._device())
            z = self._flow.whole_latent(x, labels)
        return bands.maps(z).view(x.shape).sum(1).cpu()

    def _each_class(self, images: np.ndarray) -> Iterator[Tensor]:
        """The labels of images as if all were of one class, for every class in turn."""
        assert self.classes_ is not None
        for number in range(len(self.classes_)):
            yield torch.full((len(images),), number, device=self._device())

    def _bands(self) -> PrincipalBands | None:
        """The bands that inlier scores are computed by; None where log-densities are used."""
        if not self._from_noise:
            return None
        bands = len(PrincipalBands.sizes(self._axes.shape[1]))
        if self._usual is None or self._usual.shape[1] != bands:
            raise UnsupportedError(
                f"This {type(self).__name__} did not learn what is usual, which inlier_scores "
                "need: its fit ended early, or it was saved by an earlier version. Fit it again."
            )
        return PrincipalBands(self._axes, self._usual.to(self._axes))  # to its device as well

    @property
    def _axes(self) -> Tensor:
        """Principal axes of the images of fit, (D, K): the first layer grown goes along them."""
        return self._grown_layers()[0].directions[0].to(torch.float64)

    def _learn_usual(
        self, images: np.ndarray, labels: np.ndarray | None, progress: Progress
    ) -> None:
        """Learn the usual energies of latents from images that were fitted on."""
        if not self._from_noise:
            return
        y = None if labels is None else torch.from_numpy(labels).to(self._device())
        latents, size = [], self._at_once()
        for k in range(0, len(images), size):
            progress(f"usual latents, image {k} of {len(images)}")
            x = self.pixels_.encode(images[k : k + size], None)[0].to(self._device())
            own = None if y is None else y[k : k + size]
            latents.append(self._flow.whole_latent(x, own))
        self._usual = PrincipalBands.of(self._axes, torch.cat(latents)).usual.cpu()

    def p_values(self, X: Any) -> np.ndarray:
        """How often an image like those of ``fit`` has a score as low: (n,), in (0, 1].

        The rank of the image's :meth:`inlier_scores` among the m scores of held-out images,
        ``(1 + number as low) / (1 + m)``. If the image is exchangeable with the held-out ones, a
        p-value of at most ``a`` has a probability of at most ``a``, whatever the model is worth;
        for goal="likelihood", whose growth the held-out images ended, that holds nearly.

        Source: Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005, chapter
        2; of outliers, Bates et al., *Testing for outliers with conformal p-values*, 2023.

        Raises:
            UnsupportedError: if no images were held out.
        """
        self._check_fitted()
        if self.held_out_scores_ is None:
            raise UnsupportedError(
                f"This {type(self).__name__} held no images out, which p-values need. Fit with "
                "validation_fraction above 0, or with validation images."
            )
        return self.p_values_of(self.inlier_scores(X))

    def p_values_of(self, scores: np.ndarray) -> np.ndarray:
        """The same of images whose :meth:`inlier_scores` are known: (n,) -> (n,)."""
        assert self.held_out_scores_ is not None
        as_low = np.searchsorted(self.held_out_scores_, scores, side="right")
        return (1 + as_low) / (1 + len(self.held_out_scores_))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes of images, by Bayes' rule: (n, classes), rows sum to 1.

        Columns are in the order of ``classes_``.

        Raises:
            UnsupportedError: for models that are not conditional.
        """
        self._check_fitted()
        if self.classes_ is None:
            raise UnsupportedError(
                f"This {type(self).__name__} knows no classes. Fit with "
                f"{setting('conditional', True)}."
            )
        parts = []
        with inference():
            for _, images in self._chunks(X):
                x, _ = self.pixels_.encode(images, 0)
                parts.append(self._flow.class_log_prob(x.to(self._device())).softmax(1).cpu())
        return torch.cat(parts).numpy()

    def _calibrate(self, images: np.ndarray, progress: Progress) -> None:
        """Learn what is usual from held-out images."""
        bands, maps, size = self._bands(), [], self._at_once()
        for k in range(0, len(images), size):
            progress(f"judging held-out images, {k} of {len(images)}")
            maps.append(self._inlying(images[k : k + size], None, bands))
        maps = torch.cat(maps)
        rising = maps.sum((1, 2)).sort().values
        if bool(rising.isfinite().all()):
            self.held_out_scores_, self.held_out_map_ = rising.numpy(), maps.mean(0).numpy()

    def _calibrating(self, images: np.ndarray) -> np.ndarray:
        """The held-out images that :meth:`_calibrate` looks at; fewer where classes are many."""
        if self.classes_ is None:
            return images
        most = max(_LEAST, len(images) // len(self.classes_))
        few = np.linspace(0, len(images) - 1, min(most, len(images))).round().astype(int)
        return images[few]

    # Layers and saving

    def _set_layers(self, layers: list[PatchLayer], share: Tensor | None) -> None:
        """Make these, in the order they were grown in, the model."""
        ordered = layers[::-1] if self._from_noise else layers
        flow = PatchFlow(self.pixels_.shape, ordered, share)
        self.networks_ = {"flow": flow.to(self._device()).eval()}  # the shares with the layers

    def _grown_layers(self) -> list[PatchLayer]:
        """The layers in the order they were grown in."""
        layers = list(self._flow.layers)
        return layers[::-1] if self._from_noise else layers

    @property
    def _from_noise(self) -> bool:
        """Whether layers grew from noise to images, and not from images to noise."""
        return self.settings_["goal"] == "pictures"

    def _state(self) -> dict[str, Any]:
        layers: list[PatchLayer] = list(self._flow.layers)
        grids = [layer.grid for layer in layers]
        places = [[*g.patch, *g.shift, int(g.apart)] for g in grids]
        sizes = [layer.slices for layer in layers], [layer.knots for layer in layers]
        return {**super()._state(), "layers": [places, *sizes]}

    def _tensors(self) -> dict[str, Tensor]:
        found = {"scores": self.held_out_scores_, "map": self.held_out_map_}
        more = {f"{_HELD_OUT}{k}": torch.from_numpy(v) for k, v in found.items() if v is not None}
        usual = {} if self._usual is None else {_USUAL: self._usual}
        return {**super()._tensors(), **more, **usual}

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        """The layers that :meth:`_state` described, their tensors to be read."""
        uniform = not self._from_noise
        layers = []
        for place, slices, knots in zip(*self._described, strict=True):
            if any(type(number) is not int for number in (*place, slices, knots)):
                raise ModelFileError(
                    f"A layer is at {place} with {slices} slices and {knots} knots. Expected "
                    "whole numbers: the folder was altered, fetch a fresh copy."
                )
            h, w, down, right, apart = place
            grid = PatchGrid(shape, (h, w), (down, right), bool(apart))
            layers.append(PatchLayer.empty(grid, slices, knots, uniform, classes))
        share = None if classes is None else torch.zeros(classes, dtype=torch.float64)
        return {"flow": PatchFlow(shape, layers, share)}

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._described = state["layers"]
        other = (_HELD_OUT, _USUAL)
        own = {k: v for k, v in tensors.items() if not k.startswith(other)}
        super()._restore(state, own)
        del self._described
        for number, layer in enumerate(self._flow.layers):
            finite = all(bool(t.isfinite().all()) for t in layer.state_dict().values())
            rising = all(bool((t.diff(dim=-1) > 0).all()) for t in (layer.x, layer.y))
            if not (finite and rising and bool((layer.slope > 0).all())):
                raise ModelFileError(
                    f"The splines of layer {number} do not rise. The model folder was altered: "
                    "fit the model again or fetch a fresh copy."
                )
        share = self._flow.share
        if share is not None and not (bool((share > 0).all()) and abs(share.sum() - 1) < 1e-9):
            raise ModelFileError(
                f"The shares of the classes are {share.tolist()}. The model folder was altered: "
                "fit the model again or fetch a fresh copy."
            )
        self._usual = tensors.get(_USUAL)
        if self._usual is not None and not (
            self._usual.shape == (2, len(PrincipalBands.sizes(self._axes.shape[1])))
            and bool(self._usual.isfinite().all() and (self._usual[1] > 0).all())
        ):
            raise ModelFileError(
                "The usual energies of latents are no means and standard deviations. The model "
                "folder was altered: fit the model again or fetch a fresh copy."
            )
        scores, usual = (tensors.get(f"{_HELD_OUT}{name}") for name in ("scores", "map"))
        self.held_out_scores_ = None if scores is None else scores.numpy()
        self.held_out_map_ = None if usual is None else usual.numpy()
        if scores is not None and usual is not None:
            finite = bool(scores.isfinite().all() and usual.isfinite().all())
            fits = scores.ndim == 1 and tuple(usual.shape) == self.pixels_.shape[1:]
            if not (finite and fits and bool((scores.diff() >= 0).all())):
                raise ModelFileError(
                    "The scores of held-out images do not rise. The model folder was altered: "
                    "fit the model again or fetch a fresh copy."
                )
