"""SIG: images from slices, without gradient training, with an exact likelihood."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..._version import __version__
from ...data.images import Pixels
from ...errors import DataError, ParameterError
from ...estimators.image_model import GivenImages
from ...estimators.parameters import drawn_seed
from ...estimators.trained_model import Report, print_report
from ...storage.checkpoint import Checkpoint, digest
from ...training.log import Log
from ...training.processes import Processes
from ...training.run_lock import run_of_one
from ...transport.patches import PatchFlow, PatchLayer
from ...validation import COUNT, FLAG, POSITIVE, Integer, Number, OneOf, Rule
from ...wording import worded
from .fit_budget import Budget, FitProgress
from .patch_growth import Growth, LikelihoodGrowth, PictureGrowth
from .patch_layers import LayerSettings
from .patch_loop import grown
from .patch_model import PatchModel
from .patch_schedule import Stage, likelihood_schedule, picture_schedule
from .sample_store import Block, Points, Store, blocks_of, free_memory
from .sig_settings import PRESETS, settings_of

__all__ = ["SIG"]

_PATIENCE = 10  # layers without a gain after which a likelihood grows no more
_USUAL = 2000  # images of fit that tell what is usual of their latents
_KEPT = 8  # times the images that a layer of pictures looks at which are kept to choose from
_PROBED = 64  # held-out images by which it is measured what judging them takes


_OF_IMAGES = ("pixels_", "settings_", "classes_", "class_names_")  # what a fit learns first


@dataclass(frozen=True)
class ImagesAndLayers(GivenImages):
    """What a fit is of.

    Attributes:
        layers: those it goes on from, in the order they were grown in.
        started: when it began, on the clock of ``time.monotonic``.
    """

    layers: list[PatchLayer]
    started: float


class SIG(PatchModel):
    """Sliced Iterative Generator: samples moved to the images, layer by layer.

    Each layer finds, in every patch of the image, the directions along which samples differ most
    from the images (max K-sliced Wasserstein distance), and moves the samples along them by
    optimal transport in one dimension, as far as two halves of the images agree. The very first
    layer goes along the principal axes of the images; the next ones look at the whole image, later
    ones at smaller and smaller patches that are shifted at random. Nothing is trained by gradient;
    every layer is invertible, so likelihoods and latents are exact.

    Under ``torchrun`` the processes divide the images among them and grow the same layers as one
    process does, bit for bit on machines of one kind.

    Args:
        goal: "pictures", from noise to images, as above; "likelihood", from images to noise,
            that is GIS on patches of 4 and 2 and the logits of the pixels, which is stopped by
            held-out images.
        preset: "fast", made for minutes on a processor; "paper", the published numbers of
            layers, knots and samples, which need a GPU. Arguments that are None are the preset's.
        layers: most layers of each stage of the schedule, for pictures; of all, for likelihood.
        minutes: time budget of the whole fit. Stages get shares of it by their cost. With
            ``minutes`` and without ``layers`` the schedule is stretched to fill them, else at
            most cut, to one layer a stage at the least.
        knots: knots a spline.
        samples: samples that are moved, for each image that a layer is fitted on; for pictures.
            More of them than images is what keeps layers from following single samples.
        max_images: images that a layer is fitted on, drawn at random where there are more. For
            pictures every layer is fitted on others, of up to eight times as many. None, of
            preset "fast", takes 700 for each minute of the budget, 2,000 at the least.
        search_rows, search_steps: images a search for directions looks at, drawn afresh for each
            layer, and its gradient steps; for pictures fewer steps where directions span most of a
            patch. None, of preset "fast", takes a fifth of the images of a layer of pictures,
            1,024 at the least, and 40 steps.
        step: share of the way to the normal distribution that a layer goes; for likelihood.
        conditional: learn images of each label: directions are shared, found by all images
            together, and every label has splines of its own.
        memory: gigabytes that images and samples may take in a process; where they need more they
            are kept in a file, in the folder of ``fit`` or that of the system for such files, and
            looked at a block at a time. None takes half of what is free.
        warm_start: a further ``fit`` adds a whole schedule to the layers that are there.
        validation_fraction: share of the images held out to measure by, at most 1,000.
        device: "cpu", "cuda"; None takes a GPU where there is one.
        random_state: seed, RandomState, or None for numpy's global one.
        verbose: print progress to stderr.

    Attributes:
        networks_: the :class:`~pushforward.transport.patches.PatchFlow`, called "flow".
        pixels_: what pixels are.
        classes_: labels, of a conditional model, or None.
        class_names_: the name of each, or None; labels may be given by it.
        settings_: every setting, with what goal and preset decided.
        history_: a record of each stage: layers so far ("step"), seconds, the size of the
            patches, and measures on held-out images: 2-Wasserstein distances of samples along
            principal axes and along random directions, or bits per dimension.
        best_: the measures at the end.
        stopped_: why growth ended.
        held_out_scores_, held_out_map_: see
            :class:`~pushforward.models.sliced.patch_model.PatchModel`.

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
    _rules: ClassVar[Mapping[str, Rule]] = {
        "goal": OneOf("pictures", "likelihood"),
        "preset": OneOf(*PRESETS),
        "layers": COUNT | None,
        "knots": Integer(4) | None,
        "samples": COUNT | None,
        "max_images": COUNT | None,
        "search_rows": Integer(2) | None,
        "search_steps": COUNT | None,
        "step": Number(0, 1, ends="]"),
        "conditional": FLAG,
        "memory": POSITIVE | None,
        "warm_start": FLAG,
    }

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
        conditional: bool = False,
        memory: float | None = None,
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
        self.conditional = conditional
        self.memory = memory
        self.warm_start = warm_start
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # What a fit is of

    def _read(self, X: Any, y: Any, validation: Any, **options: Any) -> ImagesAndLayers:
        started = time.monotonic()
        more = self.warm_start and self.__sklearn_is_fitted__()
        # what _check_like compares, by the names of what was learned
        before = {name: vars(self)[name] for name in _OF_IMAGES} if more else {}
        layers = self._grown_layers() if more else []
        given = super()._read(X, y, validation, **options)
        try:
            if more:
                self._check_like(**before)
        except (DataError, ParameterError):
            vars(self).update(before)
            raise
        return ImagesAndLayers(**vars(given), layers=layers, started=started)

    def _resolve(self, shape: tuple[int, int, int], n: int) -> dict[str, Any]:
        return settings_of(self.get_params(deep=False), channels=shape[0])

    def _check_like(
        self, pixels_: Pixels, settings_: dict[str, Any], classes_: Any, class_names_: Any
    ) -> None:
        """Refuse images or settings unlike those of the fit that ``warm_start`` goes on from."""
        if self.pixels_.shape != pixels_.shape:
            raise DataError(
                f"The images have shape {self.pixels_.shape}. The fit that warm_start goes on "
                f"from had {pixels_.shape}."
            )
        if self.settings_["goal"] != settings_["goal"]:
            raise ParameterError(
                f"goal is {self.settings_['goal']!r}. The fit that warm_start goes on from had "
                f"{settings_['goal']!r}: keep it, or "
                + worded("set warm_start=False.", "fit anew, without --continue.")
            )
        ours = self.classes_, self.class_names_
        if not np.array_equal(ours[0], classes_) or ours[1] != class_names_:  # type: ignore[arg-type]
            raise DataError(
                f"The labels are {ours[1] or ours[0]}. The fit that warm_start goes on from had "
                f"{class_names_ or classes_}: give the like, or "
                + worded("set warm_start=False.", "fit anew, without --continue.")
            )

    # Growth

    def _train(
        self,
        data: ImagesAndLayers,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
    ) -> None:
        processes = Processes()
        with run_of_one(folder, processes.first):
            self._train_alone(data, folder, tensorboard, report, processes)

    def _train_alone(
        self,
        data: ImagesAndLayers,
        folder: str | Path | None,
        tensorboard: bool,
        report: Report | None,
        processes: Processes,
    ) -> None:
        place = None if folder is None else Path(folder) / "unfinished"
        kept = Checkpoint(place if processes.first else None)
        seed, asked = drawn_seed(self.random_state), self.random_state is not None
        if place is not None and processes.first:
            seed = kept.open(self._fit_identity(data), seed, asked=asked)
        shared = torch.tensor([seed if processes.first else 0], device=self._device())
        self._seed = int(processes.sum(shared))
        rows, validation = self._held_out(data)
        self.held_out_scores_ = self.held_out_map_ = self._usual = None
        with torch.no_grad():
            growth, share = self._growth(data, rows, validation, processes, folder)
            for layer in data.layers:
                growth.add(layer)
            if processes.first:
                report = report or (print_report if self.verbose else None)
            else:
                folder = report = None
            budget = Budget(data.started - kept.seconds, self.settings_["minutes"])
            progress = FitProgress(report, budget)
            calibrating = None if validation is None else self._calibrating(validation[0])

            def learn_usual() -> None:
                few = np.sort(rows[:_USUAL])
                labels = None if data.labels is None else data.labels[few]
                self._learn_usual(data.images[few], labels, progress.more)
                if calibrating is not None:
                    self._calibrate(calibrating, progress.more)

            self._grow(
                growth, data.layers, share, budget, kept, processes,
                learn_usual=learn_usual, calibrating=calibrating,
                folder=folder, tensorboard=tensorboard, progress=progress,
            )  # fmt: skip
        kept.discard()

    def _growth(
        self,
        data: ImagesAndLayers,
        rows: np.ndarray,
        validation: tuple[np.ndarray, np.ndarray | None] | None,
        processes: Processes,
        folder: str | Path | None,
    ) -> tuple[Growth, Tensor | None]:
        """Images and samples as the first layer finds them, and how frequent the classes are."""
        images, labels, before = data.images, data.labels, len(data.layers)
        s, device, size = self.settings_, self._device(), self.pixels_.n_values
        generator = self._generator(before, 0)
        pictures, looked_at = s["goal"] == "pictures", s["max_images"] or len(rows)
        most = looked_at * (_KEPT if pictures else 1)
        rows = rows[torch.randperm(len(rows), generator=generator)[:most].numpy()]
        # those of pictures stay in random order: a layer looks at runs of them
        rows, counts = self._by_class(rows if pictures else np.sort(rows), labels)
        if 0 in counts and labels is not None:
            assert self.classes_ is not None
            rare = self.classes_[counts.index(0)]
            raise DataError(
                f"None of the {len(rows)} images that are fitted on has label {rare}. Give more "
                "images of it, or leave it out."
            )

        def image(i: int, block: Block) -> Tensor:
            batch = images[rows[block.start : block.stop]]
            x, _ = self.pixels_.encode(batch, self._generator(before, 1, i))
            return x.flatten(1).T.contiguous()

        def latent(i: int, block: Block) -> Tensor:
            source = self._generator(before, 2, i)
            return torch.randn(size, block.stop - block.start, generator=source)

        labelled = labels is not None
        share = torch.tensor(counts, dtype=torch.float64) / len(rows) if labelled else None
        making = LayerSettings(s["knots"], s["search_rows"] or len(rows), s["search_steps"])
        looked_share = min(1.0, looked_at / len(rows))
        samples = [math.ceil(s["samples"] * looked_share * k) for k in counts] if pictures else []
        store = self._store(4 * size * (len(rows) + sum(samples)) // processes.count, folder)
        cut = {"labelled": labelled, "device": device}
        blocks = blocks_of(counts, size, **cut)
        points = Points(size, blocks, image, store, processes)
        order, few = np.arange(0), []
        x, log_det = None, None
        if validation is not None:
            order, few = self._by_class(np.arange(len(validation[0])), validation[1])
            x, log_det = self.pixels_.encode(validation[0][order], self._generator(before, 3))
            x, log_det = x.flatten(1).T.contiguous().to(device), log_det.to(device)
        if pictures:
            noise = Points(size, blocks_of(samples, size, **cut), latent, store, processes)
            return PictureGrowth(points, noise, x, making, processes, looked_share), share
        held_out = None
        if x is not None:
            held = x
            held_out = Points(
                size,
                blocks_of(few, size, **cut),
                lambda _, block: held[:, block.start : block.stop].contiguous(),
                Store(device),
            )
        growth = LikelihoodGrowth(
            *(points, held_out, log_det, making, processes), s["step"], _PATIENCE
        )
        return growth, share

    def _generator(self, before: int, what: int, number: int = 0) -> torch.Generator:
        """A source of the noise of one thing, the same in every process."""
        seed = ((self._seed + before) * 4 + what) * 1_000_003 + number
        return torch.Generator().manual_seed(seed)

    def _by_class(
        self, rows: np.ndarray, labels: np.ndarray | None
    ) -> tuple[np.ndarray, list[int]]:
        """Rows class by class, and how many of each there are."""
        if labels is None or self.classes_ is None:
            return rows, [len(rows)]
        own = labels[rows]
        counts = np.bincount(own, minlength=len(self.classes_))
        return rows[np.argsort(own, kind="stable")], counts.tolist()

    def _store(self, needed: int, folder: str | Path | None) -> Store:
        """Where to keep so many bytes of images and samples."""
        device = self._device()
        limit = free_memory(device) / 2 if self.memory is None else 1e9 * self.memory
        if folder is not None:
            Path(folder).mkdir(parents=True, exist_ok=True)
        return Store(device, needed > limit, None if folder is None else Path(folder))

    def _grow(
        self,
        growth: Growth,
        before: list[PatchLayer],
        share: Tensor | None,
        budget: Budget,
        kept: Checkpoint,
        processes: Processes,
        *,
        learn_usual: Callable[[], None],
        calibrating: np.ndarray | None,
        folder: str | Path | None,
        tensorboard: bool,
        progress: FitProgress,
    ) -> None:
        """Grow the schedule and learn what is usual, all of it within the budget.

        What is usual of pictures is a matter of the layers of the whole image, the first stage,
        and is learned when these are there: what that takes is then known to later stages. For
        likelihood it is one of all layers, and what it will take is measured layer by layer.
        """
        stages, layers = self._schedule(), list(before)
        whole = sum(stage.cost for stage in stages)
        self.history_ = list(self.history_) if before else []
        spent = self.history_[-1]["seconds"] if self.history_ else 0.0
        pictures, log = self._records(folder, tensorboard)
        self.best_, probe, judging = None, None, 0.0
        if calibrating is not None and not self._from_noise and budget.minutes is not None:
            probe = self._probe(calibrating)
        if before and self._from_noise:
            self._set_layers(layers, share)
            learn_usual()
        loop = grown(
            *(growth, stages),
            seed=self._seed + len(before),
            budget=budget,
            kept=kept,
            device=self._device(),
            processes=processes,
        )
        count = 0  # of the stage
        try:
            for number, layer in loop:
                stage = stages[number]
                if layer is not None:
                    layers.append(layer)
                    count += 1
                    part = count / (stage.layers or count + 10)
                    done = sum(s.cost for s in stages[:number]) + part * stage.cost
                    progress(f"layer {len(layers)}, patches {stage}", done / whole)
                    if probe is not None:
                        judging += probe(layer)
                    continue
                count, now = 0, time.monotonic()
                record = {"step": len(layers), "seconds": spent + budget.seconds}
                measures = growth.measures()
                self.history_.append(record | {"stage": str(stage), **measures})
                if measures:
                    self.best_ = {"step": len(layers), "which": "own", "measures": measures}
                if log is not None:
                    log.write(self.history_[-1])
                if pictures is not None and self._from_noise:
                    self._set_layers(layers, share)
                    self._picture(pictures / f"{len(layers):07d}.png")
                budget.closing = judging + time.monotonic() - now
                if number == 0 and self._from_noise and not before:
                    self._set_layers(layers, share)
                    learn_usual()
        finally:
            self._set_layers(layers, share)
            self.stopped_ = "out of time" if budget.exceeded else "built the whole schedule"
            if growth.finished:
                self.stopped_ = f"no gain in {_PATIENCE} layers"
            if log is not None:
                log.table(self.history_)
                log.close()
        if not self._from_noise:
            learn_usual()
        progress.end(self.stopped_)

    def _records(
        self, folder: str | Path | None, tensorboard: bool
    ) -> tuple[Path | None, Log | None]:
        """Where pictures of samples go, and the log."""
        if folder is None:
            return None, None
        pictures = Path(folder) / "samples"
        pictures.mkdir(parents=True, exist_ok=True)
        return pictures, Log(Path(folder), self.history_, tensorboard)

    def _probe(self, images: np.ndarray) -> Callable[[PatchLayer], float]:
        """Seconds that judging the images through a layer will take, from a few of them."""
        few = self.pixels_.encode(images[:_PROBED], 0)[0].to(self._device())
        classes = 1 if self.classes_ is None else len(self.classes_)
        label = None if self.classes_ is None else few.new_zeros(len(few), dtype=torch.long)

        def probe(layer: PatchLayer) -> float:
            started = time.monotonic()
            PatchFlow(self.pixels_.shape, [layer]).density_map(few, label)
            return (time.monotonic() - started) * classes * len(images) / len(few)

        return probe

    def _schedule(self) -> list[Stage]:
        s, shape = self.settings_, self.pixels_.shape
        if s["goal"] == "likelihood":
            return likelihood_schedule(shape, s["layers"])
        return picture_schedule(shape, s["layers"])

    def _fit_identity(self, data: ImagesAndLayers) -> dict[str, Any]:
        """What a fit must share with one that takes up its layers: all but seed and budget."""
        settings = {k: v for k, v in self.settings_.items() if k not in ("layers", "minutes")}
        tensors = (value for layer in data.layers for value in layer.state_dict().values())
        return {
            "model": type(self).__name__,
            "version": __version__,
            **settings,
            **self._identity(data),
            "layers": digest(*tensors),
        }
