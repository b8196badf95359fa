"""SIG: images from slices, without gradient training, with an exact likelihood."""

import itertools
import json
import math
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from torch import Tensor, nn

from ..checkpoint import Checkpoint, digest
from ..data.images import ImageSource, Pixels, as_images
from ..errors import DataError, ModelFileError, ParameterError
from ..training.image_flow import ImageFlow
from ..training.image_model import Report, _print_report
from ..training.log import Log
from ..transport.patches import PatchFlow, PatchGrid, PatchLayer
from .patch_growth import Growth, LikelihoodGrowth, Making, PictureGrowth
from .patch_loop import grown
from .schedule import Stage, likelihood_schedule, picture_schedule

__all__ = ["SIG"]

_PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "layers": 100,
        "minutes": 15.0,
        "knots": 64,
        "samples": 1,
        "max_images": 10_000,
        "search_rows": 1024,
        "search_steps": 15,
    },
    "paper": {
        "layers": 100,
        "minutes": None,
        "knots": 400,
        "samples": 6,
        "max_images": None,
        "search_rows": None,
        "search_steps": 200,
    },
}
_LEAST = {  # of the parameters that are whole numbers
    **{"layers": 1, "knots": 4, "samples": 1, "max_images": 1},
    **{"search_rows": 2, "search_steps": 1},
}
_GOALS = ("pictures", "likelihood")
_PATIENCE = 10  # layers without a gain after which a likelihood grows no more
_LIKELIHOOD_LAYERS = 1000  # and the most there are


class SIG(ImageFlow):
    """Sliced Iterative Generator: samples moved to the images, layer by layer.

    Each layer finds, in every patch of the image, the directions along which samples differ most
    from the images (max K-sliced Wasserstein distance), and moves the samples along them by
    optimal transport in one dimension. The first layers look at the whole image, later ones at
    smaller and smaller patches that are shifted at random. Nothing is trained by gradient; every
    layer is invertible, so likelihoods and latents are exact.

    Args:
        goal: "pictures", from noise to images, as above; "likelihood", from images to noise,
            that is GIS on patches of 4 and 2 and the logits of the pixels, which is stopped by
            held-out images.
        preset: "fast", made for minutes on a processor; "paper", the published numbers of
            layers, knots and samples, which need a GPU. Arguments that are None are the preset's.
        layers: most layers of each stage of the schedule, for pictures; of all, for likelihood.
        minutes: time budget. Stages get shares of it by their cost. With ``minutes`` and without
            ``layers`` the schedule is stretched to fill them, else at most cut, to one layer a
            stage at the least.
        knots: knots a spline.
        samples: samples that are moved, for each image that is fitted on; for pictures.
        max_images: images that are fitted on, drawn at random where there are more.
        search_rows, search_steps: images a search for directions looks at, drawn afresh for each
            layer, and its gradient steps.
        step: share of the way to the normal distribution that a layer goes; for likelihood.
        warm_start: a further ``fit`` adds a whole schedule to the layers that are there.
        validation_fraction: share of the images held out to measure by, at most 1,000.
        device: "cpu" or "cuda", on which goal="pictures" should run and has not been tried; None
            takes the processor.
        random_state: seed, RandomState or None.
        verbose: print progress to stderr.

    Attributes:
        networks_: the :class:`~pushforward.transport.patches.PatchFlow`, called "flow".
        pixels_: what pixels are.
        settings_: every setting, with what goal and preset decided.
        history_: a record of each stage: layers so far ("step"), seconds, the size of the
            patches, and measures on held-out images: 2-Wasserstein distances of samples along
            principal axes and along random directions, or bits per dimension.
        best_: the measures at the end.
        stopped_: why growth ended.

    Source: Dai & Seljak, *Sliced Iterative Normalizing Flows*, ICML 2021, algorithms 1 and 2.

    Examples:
        >>> import pushforward
        >>> X = pushforward.open_images("digits").images[:300][:, 0]
        >>> model = pushforward.SIG(layers=2, device="cpu", random_state=0).fit(X)
        >>> model.sample(5, random_state=0).shape
        (5, 8, 8)
        >>> bool((model.reconstruct(X[:5]) == X[:5]).all())
        True
    """

    _cites: ClassVar[tuple[str, ...]] = ("dai2021sliced", "durkan2019neural")

    def __init__(
        self,
        *,
        goal: str = "pictures",
        preset: str = "fast",
        layers: int | None = None,
        minutes: float | None = None,
        knots: int | None = None,
        samples: int | None = None,
        max_images: int | None = None,
        search_rows: int | None = None,
        search_steps: int | None = None,
        step: float = 0.2,
        warm_start: bool = False,
        validation_fraction: float = 0.05,
        device: str | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.goal = goal
        self.preset = preset
        self.layers = layers
        self.minutes = minutes
        self.knots = knots
        self.samples = samples
        self.max_images = max_images
        self.search_rows = search_rows
        self.search_steps = search_steps
        self.step = step
        self.warm_start = warm_start
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> "SIG":
        """Grow the layers.

        Args:
            X: uint8 images (N, H, W), (N, H, W, C) or (N, C, H, W), or what ``open_images``
                returns.
            y: not looked at.
            validation: images to measure by; None holds out a share of X.
            folder: where the log (``log.jsonl``, ``log.csv``), pictures of samples from the same
                latents after each stage, and the layers of an unfinished fit go. A fit that was
                killed and is repeated with the same data and parameters goes on from them.
            tensorboard: also log for TensorBoard, into the folder.
            report: called with a line of text and the share of the work done.

        Raises:
            DataError: for images that cannot be used, and for images unlike those of the fit
                before with ``warm_start``.
            ParameterError: for unusable parameters.
            TrainingError: if a layer makes a sample non-finite. The model then holds the layers
                before it.
        """
        if tensorboard and folder is None:
            raise ParameterError("tensorboard needs a folder to write into: fit(X, folder=...).")
        images, layout = as_images(X)
        held = 0 if validation is not None else self._held_out_rows(len(images))
        settings = self._resolve(images.shape, len(images) - held)
        before = self._layers_before(images.shape, settings)
        self.settings_, self.classes_ = settings, None
        self.pixels_ = Pixels(shape=images.shape, layout=layout, **settings["pixels"])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        kept = Checkpoint(None if folder is None else Path(folder) / "unfinished")
        self._seed = kept.open(self._digest(images, before), seed)
        rows = np.random.default_rng(self._seed).permutation(len(images))
        judged = self._judged_images(images, None, np.sort(rows[:held]), validation)
        report = report or (_print_report if self.verbose else None)
        with torch.no_grad():
            growth = self._growth(
                images, rows[held:], None if judged is None else judged[0], len(before)
            )
            for layer in before:
                growth.add(layer)
            self._grow(growth, before, kept, folder, tensorboard, report)
        kept.discard()
        return self

    def _growth(
        self, images: ImageSource, rows: np.ndarray, judged: np.ndarray | None, before: int
    ) -> Growth:
        """Images and samples as the first layer finds them."""
        s, device = self.settings_, self._device()
        generator = torch.Generator().manual_seed(self._seed + before)
        rows = np.sort(rows[torch.randperm(len(rows), generator=generator)[: s["max_images"]]])

        def seen(batch: np.ndarray) -> tuple[Tensor, Tensor]:
            x, log_det = self.pixels_.encode(batch, generator)
            return x.flatten(1).T.contiguous().to(device), log_det.to(device)

        x, _ = seen(images[rows])
        held_out, log_det = (None, None) if judged is None else seen(judged)
        making = Making(s["knots"], s["search_rows"] or len(rows), s["search_steps"])
        if s["goal"] == "likelihood":
            return LikelihoodGrowth(x, held_out, log_det, making, s["step"], _PATIENCE)
        z = torch.randn(len(x), s["samples"] * x.shape[1], generator=generator)
        return PictureGrowth(x, z.to(device), held_out, making)

    def _grow(
        self,
        growth: Growth,
        before: list[PatchLayer],
        kept: Checkpoint,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
    ) -> None:
        stages = self._schedule()
        whole = sum(stage.cost for stage in stages)
        began = time.monotonic() - kept.seconds
        self.history_ = list(self.history_) if before else []
        pictures, log = None, None
        if folder is not None:
            pictures = Path(folder) / "samples"
            pictures.mkdir(parents=True, exist_ok=True)
            log = Log(Path(folder), self.history_, tensorboard)
        layers = list(before)
        minutes, device = self.settings_["minutes"], self._device()
        seed = self._seed + len(before)
        loop = grown(growth, stages, seed=seed, minutes=minutes, kept=kept, device=device)
        try:
            for number, made in itertools.groupby(loop, key=lambda pair: pair[0]):
                stage = stages[number]
                done = sum(s.cost for s in stages[:number]) / whole
                for count, (_, layer) in enumerate(made, 1):
                    layers.append(layer)
                    if report is not None:
                        part = count / (stage.layers or count + 10)
                        text = f"layer {len(layers)}, patches {stage}"
                        report(text, min(0.99, done + part * stage.cost / whole))
                record = {"step": len(layers), "seconds": time.monotonic() - began}
                record |= {"stage": str(stage), **growth.measures()}
                self.history_.append(record)
                if log is not None:
                    log.write(record)
                if pictures is not None and self.settings_["goal"] == "pictures":
                    self._set_layers(layers)
                    self._picture(pictures / f"{len(layers):07d}.png")
        finally:
            self._set_layers(layers)
            measures = growth.measures()
            step = {"step": len(layers), "which": "own"}
            self.best_ = {**step, "measures": measures} if measures else None
            late = minutes is not None and time.monotonic() - began > 60 * minutes
            self.stopped_ = "out of time" if late else "built the whole schedule"
            if growth.finished:
                self.stopped_ = f"no gain in {_PATIENCE} layers"
            if log is not None:
                log.table(self.history_)
                log.close()
        if report is not None:
            report(self.stopped_, 1.0)

    def _schedule(self) -> list[Stage]:
        s, shape = self.settings_, self.pixels_.shape
        if s["goal"] == "likelihood":
            return likelihood_schedule(shape, s["layers"])
        return picture_schedule(shape, s["layers"])

    def _set_layers(self, layers: list[PatchLayer]) -> None:
        """Make these, in the order they were grown in, the model."""
        pictures = self.settings_["goal"] == "pictures"
        ordered = layers[::-1] if pictures else layers
        self.networks_ = {"flow": PatchFlow(self.pixels_.shape, ordered).eval()}

    def _layers_before(
        self, shape: tuple[int, int, int], settings: dict[str, Any]
    ) -> list[PatchLayer]:
        """Layers to go on from, in the order they were grown in.

        Raises:
            DataError, ParameterError: if a fit of such images or settings cannot go on from them.
        """
        if not (self.warm_start and self.__sklearn_is_fitted__()):
            return []
        if shape != self.pixels_.shape:
            raise DataError(
                f"The images have shape {shape}. The fit that warm_start goes on from had "
                f"{self.pixels_.shape}."
            )
        if settings["goal"] != self.settings_["goal"]:
            raise ParameterError(
                f"goal is {settings['goal']!r}. The fit that warm_start goes on from had "
                f"{self.settings_['goal']!r}: keep it, or set warm_start=False."
            )
        layers = list(self._flow.layers)
        return layers[::-1] if settings["goal"] == "pictures" else layers

    def _digest(self, images: ImageSource, before: list[PatchLayer]) -> str:
        """What a fit must share with one that takes up its layers: all but the budget."""
        words = {k: v for k, v in self._identity(images, None).items() if k != "layers"}
        return digest(json.dumps(words, sort_keys=True), *(layer.y for layer in before))

    # Parameters

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        for name, known in (("goal", _GOALS), ("preset", tuple(_PRESETS))):
            if getattr(self, name) not in known:
                raise ParameterError(
                    f"{name} is {getattr(self, name)!r}. Expected one of {', '.join(known)}."
                )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value is not None and not (whole and value >= least):
                raise ParameterError(
                    f"{name} is {value!r}. Expected a whole number of at least {least}, or None."
                )
        for name, most in (("minutes", math.inf), ("step", 1.0)):
            value = getattr(self, name)
            if name == "minutes" and value is None:
                continue
            if not isinstance(value, (int, float, np.number)) or not 0 < value <= most:
                raise ParameterError(f"{name} is {value!r}. Expected a number in (0, {most:g}].")
        preset = _PRESETS[self.preset]
        said = {name: getattr(self, name) for name in _LEAST}
        chosen = {name: preset[name] if said[name] is None else int(said[name]) for name in said}
        if self.goal == "likelihood":
            chosen["layers"] = self.layers or _LIKELIHOOD_LAYERS
        elif self.layers is None:  # as published, twice as many where there are colours
            planned = preset["layers"] * (1 if shape[0] == 1 else 2)
            chosen["layers"] = planned if self.minutes is None else None
        minutes = preset["minutes"] if self.minutes is None else float(self.minutes)
        pictures = {"low": -1.0, "high": 1.0}
        pixels = pictures if self.goal == "pictures" else {"logit": 1e-5}
        words = {"goal": self.goal, "preset": self.preset, "step": float(self.step)}
        return {**words, **chosen, "minutes": minutes, "pixels": pixels}

    # Latents and maps

    def encode(self, X: Any, y: Any = None) -> np.ndarray:
        """Latents of images: (n, D) float64, standard normal under the model.

        No noise is added: each byte counts as the middle of its cell, so ``decode`` gives back
        every pixel.
        """
        return super().encode(X)

    def decode(self, Z: Any, y: Any = None) -> np.ndarray:
        """Images of latents: (n, D) -> uint8 in the layout of ``fit``.

        Raises:
            DataError: for latents of another shape, and where the image is not finite.
        """
        self._check_fitted()
        z = torch.as_tensor(np.asarray(Z, dtype=np.float64))
        if z.ndim != 2 or z.shape[1] != self.pixels_.n_values:
            raise DataError(
                f"Z has shape {tuple(z.shape)}. Expected (n, {self.pixels_.n_values})."
            )
        with torch.no_grad():
            return self.pixels_.decode(torch.cat([self._decoded(k, None) for k in z.split(256)]))

    def score_maps(self, X: Any) -> np.ndarray:
        """Where in an image its score comes from: (n, H, W) float64, nats.

        The sum of a map is the image's :meth:`score_samples`. A pixel has the log-density of its
        latent and its share, by area, of the log-determinants of the patches it was in.
        """
        self._check_fitted()
        parts = []
        with torch.no_grad():
            for _, images in self._chunks(X):
                x, log_det = self.pixels_.encode(images, None, draw=0)
                each = self._flow.density_map(x.to(self._device())).sum(1).cpu()
                parts.append(each + log_det[:, None, None] / math.prod(each.shape[1:]))
        return torch.cat(parts).numpy()

    # Saving

    def _device(self) -> torch.device:
        device = torch.device(self.device or "cpu")
        if self.goal == "likelihood" and device.type != "cpu":
            raise ParameterError(
                f"device is {self.device!r}. The layers of goal='likelihood' are fitted on the "
                "processor: leave device out."
            )
        return device

    def _state(self) -> dict[str, Any]:
        grids = [layer.grid for layer in self._flow.layers]
        places = [[*g.patch, *g.shift, int(g.apart)] for g in grids]
        slices = [layer.x.shape[1] for layer in self._flow.layers]
        knots = [layer.x.shape[2] for layer in self._flow.layers]
        return {**super()._state(), "layers": [places, slices, knots]}

    def _build(self, shape: tuple[int, int, int], classes: int | None) -> dict[str, nn.Module]:
        """The layers that :meth:`_state` described, their tensors to be read."""
        uniform = self.settings_["goal"] == "likelihood"
        layers = []
        for place, slices, knots in zip(*self._described, strict=True):
            h, w, down, right, apart = place
            grid = PatchGrid(shape, (h, w), (down, right), bool(apart))
            layers.append(PatchLayer.empty(grid, slices, knots, uniform))
        return {"flow": PatchFlow(shape, layers)}

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._described = state["layers"]
        super()._restore(state, tensors)
        del self._described
        for number, layer in enumerate(self._flow.layers):
            finite = all(bool(t.isfinite().all()) for t in layer.state_dict().values())
            rising = all(bool((t.diff(dim=-1) > 0).all()) for t in (layer.x, layer.y))
            if not (finite and rising and bool((layer.slope > 0).all())):
                raise ModelFileError(
                    f"The splines of layer {number} do not rise. The model folder was altered: "
                    "fit the model again or fetch a fresh copy."
                )
