"""A small classifier trained on the given images: features where Inception does not know them."""

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...data.images import ImageSet
from ...deprecation import renamed
from ...devices import exact, find_device
from ...errors import DataError, ModelFileError, ParameterError, stacklevel_of_caller
from ...storage import model_folder
from ...training import Batch, Loop, Optimiser, Phase, TensorSource
from ...training.gradients import with_gradients
from ...validation import as_seed
from .networks import NetworkFeatures, as_batch, tensors_digest
from .sources import as_source
from .weights import cache_folder

__all__ = ["Classifier", "ClassifierFeatures"]

_RECIPE = 2  # part of the cache's key: higher whenever training gives other weights
_WIDTH = 128
_BATCH = 128
_RATE = 3e-3
_HELD_OUT = 1 / 12
_MOST_IMAGES = 60_000


class Classifier(nn.Module):
    """Convolutions of stride 2 down to 7 pixels or fewer, then features (n, 128), then classes.

    Args:
        shape: (C, H, W) of the images.
        classes: how many.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        stages: list[nn.Module] = []
        outputs = 32
        while len(stages) < 2 or max(height, width) > 7:
            stages.append(
                nn.Sequential(
                    nn.Conv2d(channels, outputs, 3, 2, 1, bias=False),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                )
            )
            channels, outputs = outputs, min(2 * outputs, 128)
            height, width = (height + 1) // 2, (width + 1) // 2
        self.body = nn.Sequential(*stages, nn.Flatten())
        self.features = nn.Linear(channels * height * width, _WIDTH)
        self.classes = nn.Linear(_WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.features(self.body(x)))

    def logits(self, features: Tensor) -> Tensor:
        return self.classes(features)


@renamed(seed="random_state", labels="y")
class ClassifierFeatures(NetworkFeatures):
    """Penultimate features (n, 128) and classes of a small network trained here.

    What it learned is kept on disk, by the SHA-256 of images, labels and settings. Scores made
    with it compare only where the training set, the seed and the version are the same.

    Args:
        train: real training images, as :func:`pushforward.data.as_images` takes them. Of more
            than 60,000 as many are drawn at random.
        y: (n,) their classes.
        random_state: of the weights, the order of batches and the images held out.
        epochs: passes over the training images.
        cache: folder to keep the network in; None for the user's cache folder; False for none.
        device: where it runs; a GPU where there is one.
        minutes: time for learning; None takes what all epochs need. What was cut short is not
            kept on disk.

    Attributes:
        accuracy: share right among the twelfth of the images that was held out.
        learned: share of the epochs that there was time for.
        class_values: (k,) the labels, in the order of ``probabilities``.
        class_names: the name of each, where ``train`` is a set of images that has them; or None.

    Raises:
        ParameterError: No labels, or fewer than two classes.
        DataError: Images and labels differ in number, or images are of the wrong kind.
        TrainingError: The loss became non-finite.
    """

    @with_gradients
    def __init__(
        self,
        train: Any,
        y: Any,
        *,
        random_state: Any = 0,
        epochs: int = 6,
        cache: str | os.PathLike | bool | None = None,
        device: str | torch.device | None = None,
        minutes: float | None = None,
    ) -> None:
        seed = as_seed(random_state)
        images, classes, self.class_values = _checked(train, y, seed)
        self.class_names = _names(train, self.class_values)
        with torch.device("meta"):  # so that nothing is drawn from torch's own generator
            network = Classifier(images.shape[1:], len(self.class_values))
        network.to_empty(device="cpu")
        folder = _folder(images, classes, seed, epochs, cache)
        self.accuracy = None if folder is None else _restored(network, folder)
        self.learned = 1.0
        where = find_device(device)
        if self.accuracy is None:
            self.accuracy, self.learned = _trained(
                network, where, images, classes, seed, epochs, minutes
            )
            if folder is not None and self.learned == 1:
                _keep(network, self.accuracy, folder)
        chance = np.bincount(classes).max() / len(classes)
        if self.accuracy < (1 + chance) / 2:
            warnings.warn(
                f"The classifier is right on {self.accuracy:.0%} of the held-out images (always "
                f"saying the commonest class: {chance:.0%}), so its features say little. Use more "
                "training images, or other features.",
                stacklevel=stacklevel_of_caller(),
            )
        digest = tensors_digest(network.state_dict())
        super().__init__(
            network,
            name=f"classifier ({len(images)} images, {len(self.class_values)} classes)",
            preprocessing="size as given; [-1, 1]",
            dimension=_WIDTH,
            digest=digest,
            device=where,
        )
        self.shape = images.shape[1:]

    def prepare(self, images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != tuple(self.shape):
            raise DataError(
                f"images are of shape {tuple(images.shape[1:])}; the classifier was trained on "
                f"{tuple(self.shape)}."
            )
        return _scaled(images)


def _scaled(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def _names(train: Any, values: np.ndarray) -> tuple[str, ...] | None:
    """Names of the labels of a set of images."""
    names = train.class_names if isinstance(train, ImageSet) else None
    if names is None or values.dtype.kind not in "iu" or values[0] < 0 or values[-1] >= len(names):
        return None
    return tuple(str(names[value]) for value in values)


def _checked(train: Any, labels: Any, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if train is None or labels is None:
        raise ParameterError(
            "The features 'classifier' are learned from real training images and their labels: "
            "give `train` and `y`, or choose 'pca' or 'pixels', which need no labels."
        )
    source, labels = as_source(train), np.asarray(labels)
    if labels.shape != (len(source),):
        raise DataError(
            f"labels have shape {labels.shape}; expected ({len(source)},), one for each image."
        )
    if len(source) > _MOST_IMAGES:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(len(source), _MOST_IMAGES, replace=False))
        images, labels = as_batch(source[chosen]).numpy(), labels[chosen]
    else:
        images = as_batch(source[:]).numpy()
    values, classes = np.unique(labels, return_inverse=True)
    if len(values) < 2 or len(images) < 24:
        raise ParameterError(
            f"A classifier needs two classes and 24 images at least; got {len(values)} classes "
            f"and {len(images)} images. Choose 'pca' or 'pixels' instead."
        )
    return images, classes, values


def _folder(
    images: np.ndarray,
    classes: np.ndarray,
    seed: int,
    epochs: int,
    cache: str | os.PathLike | bool | None,
) -> Path | None:
    if cache is False:
        return None
    key = hashlib.sha256(f"{_RECIPE}|{images.shape}|{seed}|{epochs}|".encode())
    key.update(np.ascontiguousarray(images).data)
    key.update(classes.astype(np.int64).data)
    home = cache_folder() if cache is None or cache is True else Path(cache)
    return home / "classifiers" / key.hexdigest()


def _restored(network: Classifier, folder: Path) -> float | None:
    """Fill the network from the cache and return its accuracy; None where that cannot be."""
    if not folder.is_dir():
        return None
    try:
        config, tensors = model_folder.read_folder(folder)
        network.load_state_dict(tensors)
        return float(config["accuracy"])
    except (ModelFileError, RuntimeError, KeyError, TypeError):
        return None


def _keep(network: Classifier, accuracy: float, folder: Path) -> None:
    readme = (
        "# Classifier for features\n\nTrained by pushforward on images given to it; made again "
        f"if deleted. Right on {accuracy:.1%} of the held-out images.\n"
    )
    try:
        model_folder.write_folder(folder, {"accuracy": accuracy}, network.state_dict(), readme)
    except ModelFileError as error:
        warnings.warn(f"The classifier is not kept: {error}", stacklevel=stacklevel_of_caller())


def _trained(
    network: Classifier,
    device: torch.device,
    images: np.ndarray,
    classes: np.ndarray,
    seed: int,
    epochs: int,
    minutes: float | None,
) -> tuple[float, float]:
    """Fit the network; return its accuracy on held-out images, and the share of steps taken."""
    generator = torch.Generator().manual_seed(seed)
    _initialise(network, generator)
    network.to(device)
    x, y = torch.from_numpy(images), torch.from_numpy(classes)
    order = torch.randperm(len(x), generator=generator)
    held_out, rows = order.tensor_split([max(1, round(len(x) * _HELD_OUT))])
    batch_size = min(_BATCH, len(rows) // 4)
    steps = epochs * (len(rows) // batch_size)

    def loss(batch: Batch) -> dict[str, Tensor]:
        logits = network.logits(network(_scaled(batch.x)))
        assert batch.y is not None  # the source has labels
        return {"cross_entropy": F.cross_entropy(logits, batch.y)}

    adam = Optimiser(
        "adamw", _RATE, {"weight_decay": 1e-2}, warm_up=round(0.3 * steps), decay="linear"
    )
    phase = Phase("classifier", ("classifier",), loss, adam)
    loop = Loop(
        {"classifier": network},
        [phase],
        TensorSource(x[rows], y[rows]),
        batch_size=batch_size,
        seed=seed,
    )
    loop.run(steps=steps, minutes=minutes)
    loop.processes.share(network)  # each had moments of its own share of the batches
    with torch.inference_mode(), exact():
        right = [
            (network.logits(network(_scaled(x[i].to(device)))).argmax(dim=1).cpu() == y[i]).sum()
            for i in held_out.split(1024)
        ]
    return float(sum(right)) / len(held_out), loop.step / steps


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """He et al., *Delving Deep into Rectifiers* (2015), eq. 10, drawn from our generator."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, std=(2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
