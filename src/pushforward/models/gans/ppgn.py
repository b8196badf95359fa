"""PPGN: class-conditional samples from an unconditional generator and a classifier."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from ...citations import bibtex
from ...data.images import places_of
from ...errors import DataError, ParameterError, TrainingError, UnsupportedError
from ...estimators.base import check_fitted
from ...estimators.parameters import Parameters, drawn_seed
from ...networks import MLP
from ...training import Batch, Loop, Optimiser, Phase, TensorSource
from ...training.gradients import with_gradients
from ...validation import COUNT, Instance, Number, Rule, check
from ..image_generator import AdversarialModel
from ..mixins import WithEncoder

__all__ = ["PPGN"]

_CHUNK = 64  # chains that move at once
_BLUR = 0.3  # of the denoiser's noise, in deviations of the codes
_DENOISER = {"widths": (256, 256), "steps": 1000, "batch_size": 128, "learning_rate": 1e-3}


@runtime_checkable
class _HasClassValues(Protocol):
    """A classifier with the labels it was trained on, in the order of its logits."""

    class_values: np.ndarray


@runtime_checkable
class _HasClassNames(Protocol):
    """A classifier with the names of its classes, in the order of its logits."""

    class_names: Sequence[str] | None


@runtime_checkable
class _FeatureExtractor(Protocol):
    """A classifier as ``find_features("classifier", ...)`` returns it, whose package is above."""

    network: Any
    device: torch.device

    def prepare(self, images: Tensor) -> Tensor: ...


class PPGN(Parameters):
    """A sampler of images of given classes, by a generator and a classifier.

    Nguyen, Clune, Bengio, Dosovitskiy and Yosinski, *Plug and Play Generative Networks:
    Conditional Iterative Generation of Images in Latent Space* (2017), eq. 5. Each sample is the
    end of a chain of codes h towards images G(h) that the classifier C takes for class y:

        h <- h + pull (R(h) - h) / v + push grad log C(y | G(h)) + noise N(0, I)

    R is a denoising autoencoder of codes, for noise of variance v, and (R(h) - h) / v tends to
    the gradient of their log-density (Alain and Bengio 2014). Of standard normal codes the best
    one is R(h) = h / (1 + v), and the gradient -h: so it is here, until :meth:`fit` has learned R
    from encodings of images. Where the prior is another, what moves is the standard normal
    noise that it is made of.

    The noise is sqrt(2 pull - pull^2), with which chains that no classifier pushes stay standard
    normal. With ``push`` equal to ``pull`` they are Langevin's and sample p(h) C(y | G(h)), up
    to their step; with more they heed the class beyond the classifier's odds, and vary less.

    A PPGN has no folder of its own, since a classifier is code: save the generator.

    Args:
        generator: a fitted adversarial or variational model of images; or, with ``latent``, a
            function of codes (n, latent) to images (n, C, H, W), in PyTorch.
        classifier: a module or function of images as the generator makes them, (n, C, H, W) in
            (-1, 1), to logits (n, classes); or what
            ``pushforward.metrics.features.find_features("classifier", ...)`` returns.
        latent: length of a code, where the generator is a function.
        class_names: of the classes, in the order of the logits; None takes those that the
            classifier has, where it has them.
        steps: of a chain.
        pull, push: as above.

    Attributes:
        denoiser_: R, after :meth:`fit`, of codes less their mean by their standard deviation: the
            step and noise of a chain are those of numbers whose deviation is one.
        centre_, scale_: that mean and deviation, (latent,) each.
        blur_: the square root of v, after :meth:`fit`, of these.

    Examples:
        Codes whose sign is their class:

        >>> import pushforward, torch
        >>> def logits(x):
        ...     return torch.cat([-9 * x, 9 * x], 1).flatten(1)
        >>> model = pushforward.PPGN(lambda h: h[:, :, None, None], logits, latent=1)
        >>> model.sample(20, y=1, random_state=0).gt(0).float().mean().item()
        1.0
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "generator": Instance(object, description="a model or a function"),
        "classifier": Instance(object, description="a module or a function"),
        "latent": COUNT | None,
        "class_names": Instance(list, tuple, description="a list of names") | None,
        "steps": COUNT,
        "pull": Number(0, 1),
        "push": Number(0, ends="["),
    }

    denoiser_: MLP | None = None  # nor before a fit
    centre_: Tensor
    scale_: Tensor
    blur_: float

    def __init__(
        self,
        generator: Any,
        classifier: Any,
        *,
        latent: int | None = None,
        class_names: Sequence[str] | None = None,
        steps: int = 100,
        pull: float = 0.02,
        push: float = 0.1,
    ) -> None:
        self.generator = generator
        self.classifier = classifier
        self.latent = latent
        self.class_names = class_names
        self.steps = steps
        self.pull = pull
        self.push = push

    @with_gradients
    def fit(self, X: Any, y: Any = None, *, random_state: Any = None) -> Self:
        """Learn R from the codes of images, for a generator whose codes are not as its prior.

        Args:
            X: uint8 images like those the generator was fitted on.
            y: not used.
            random_state: seed, RandomState, or None for numpy's global one.

        Returns:
            The sampler itself.

        Raises:
            UnsupportedError: for a generator without ``encode``.
        """
        if not isinstance(self.generator, WithEncoder):
            raise UnsupportedError(
                "fit learns from encodings, and this generator has no encode(). Leave fit out: "
                "the codes of its prior need no learned denoiser."
            )
        seed = drawn_seed(random_state)
        codes = torch.from_numpy(self.generator.draw_codes(X, seed))
        self.centre_, self.scale_ = codes.mean(0), codes.std(0, correction=0).clamp_min(1e-6)
        codes = (codes - self.centre_) / self.scale_
        self.blur_ = _BLUR
        width = codes.shape[1]
        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            denoiser = MLP(width, _DENOISER["widths"], head=width)

        def loss(batch: Batch) -> dict[str, Tensor]:
            noisy = batch.x + self.blur_ * batch.normal(width)
            return {"distance": (denoiser(noisy) - batch.x).square().sum(1).mean()}

        adam = Optimiser("adam", _DENOISER["learning_rate"], decay="linear")
        phase = Phase("denoiser", ("denoiser",), loss, adam)
        size = _DENOISER["batch_size"]
        loop = Loop(
            {"denoiser": denoiser}, [phase], TensorSource(codes), batch_size=size, seed=seed
        )
        loop.run(steps=_DENOISER["steps"])
        self.denoiser_ = denoiser.requires_grad_(False)
        return self

    @with_gradients
    def sample(self, n_samples: int = 1, random_state: Any = None, *, y: Any = None) -> Any:
        """Draw images of classes.

        Args:
            n_samples: images to draw, 1 or more.
            random_state: seed, RandomState, or None for numpy's global one.
            y: their class, or ``n_samples`` of them, by number or name: the labels the
                classifier was trained on where it has ``class_values``, else places of its
                logits; None draws each class as often.

        Returns:
            uint8 in the layout of the generator's ``fit``; of a function what it made, on the CPU.

        Raises:
            DataError: for classes the classifier does not know.
            ParameterError: for settings that make no chain.
        """
        check({"n_samples": COUNT}, {"n_samples": n_samples})
        latent = self._checked()
        draw = torch.Generator().manual_seed(drawn_seed(random_state))
        h = torch.randn(n_samples, latent, generator=draw)
        with _evaluating(self.generator, self.classifier):
            with torch.no_grad():
                classes = self._logits(self._images(h[:1])).shape[1]
            wanted = self._wanted(y, n_samples, classes, draw)
            made = [
                self._images(self._chain(*part, draw)).cpu()
                for part in zip(h.split(_CHUNK), wanted.split(_CHUNK), strict=True)
            ]
        images = torch.cat(made)
        model = self.generator
        return model.pixels_.decode(images) if isinstance(model, AdversarialModel) else images

    def cite(self) -> str:
        """BibTeX of the paper, and of those of the generator where it is a model."""
        own = bibtex(("nguyen2017plug",))
        model = self.generator
        return f"{own}\n\n{model.cite()}" if isinstance(model, AdversarialModel) else own

    def _checked(self) -> int:
        """The length of a code, if all settings are usable."""
        self._check_parameters()
        if isinstance(self.generator, AdversarialModel):
            check_fitted(self.generator)
            return int(self.generator.settings_["latent"])
        if not callable(self.generator) or self.latent is None:
            raise ParameterError(
                f"The generator is a {type(self.generator).__name__} and latent {self.latent!r}. "
                "Expected an adversarial or variational model of images, or a function of codes "
                "and the length of one."
            )
        return self.latent

    def _wanted(self, y: Any, n: int, classes: int, draw: torch.Generator) -> Tensor:
        """Places of the logits (n,) that are to rise."""
        if y is None:
            return torch.randint(classes, (n,), generator=draw)
        known = isinstance(self.classifier, _HasClassValues)
        labels = self.classifier.class_values if known else np.arange(classes)
        asked = np.atleast_1d(np.asarray(y))
        if asked.shape not in ((n,), (1,)):
            raise DataError(f"y has shape {asked.shape}. Expected a class, or ({n},) of them.")
        names = self.class_names
        if names is None:
            named = isinstance(self.classifier, _HasClassNames)
            names = self.classifier.class_names if named else None
        elif len(names) != classes:
            raise ParameterError(
                f"class_names has {len(names)} names, and the classifier {classes} classes. "
                "Expected a name for each."
            )
        return torch.from_numpy(places_of(asked, np.asarray(labels), names)).expand(n)

    def _chain(self, h: Tensor, y: Tensor, draw: torch.Generator) -> Tensor:
        """The ends (n, latent) of chains that begin at h."""
        noise = math.sqrt(2 * self.pull - self.pull**2)
        for _ in range(self.steps):
            moved = h + self.pull * self._slope(h) + self.push * self._towards(h, y)
            h = moved + noise * torch.randn(h.shape, generator=draw)
        if not bool(torch.isfinite(h).all()):
            raise TrainingError("The chains left all bounds. Lower push, or pull.")
        return h

    @torch.no_grad()
    def _slope(self, h: Tensor) -> Tensor:
        """Gradient of the codes' log-density."""
        if self.denoiser_ is None:
            return -h
        return (self.denoiser_(h) - h) / self.blur_**2

    def _towards(self, h: Tensor, y: Tensor) -> Tensor:
        """Gradient of log C(y | G(h)) of each row."""
        h = h.detach().requires_grad_()
        with torch.enable_grad():
            log_probs = log_softmax(self._logits(self._images(h)), dim=1)
            (slope,) = torch.autograd.grad(
                log_probs.gather(1, y[:, None].to(log_probs.device)).sum(), h
            )
        return slope

    def _images(self, h: Tensor) -> Tensor:
        """Images decoded from codes, as inputs of networks."""
        model = self.generator
        if not isinstance(model, AdversarialModel):
            return model(h)
        code = model.prior_codes(h) if self.denoiser_ is None else self.centre_ + self.scale_ * h
        can = model.capabilities()
        assert can.latent_space is not None
        return can.latent_space.decode(code.to(can.device))

    def _logits(self, images: Tensor) -> Tensor:
        classifier = self.classifier
        if not isinstance(classifier, _FeatureExtractor):
            return classifier(images)
        bytes_ = (images.to(classifier.device) + 1) * 127.5
        return classifier.network.logits(classifier.network(classifier.prepare(bytes_)))


@contextmanager
def _evaluating(*functions: Any) -> Iterator[None]:
    """Inside, those of them that are modules are in evaluation mode; afterwards as they were."""
    modules = [m for f in functions if isinstance(f, nn.Module) for m in f.modules()]
    before = [m.training for m in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in zip(modules, before, strict=True):
            module.training = training
