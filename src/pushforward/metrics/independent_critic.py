"""The independent critic: a Wasserstein distance by a network trained anew.

Danihelka, Lakshminarayanan, Uria, Wierstra and Dayan, *Comparison of Maximum Likelihood and
GAN-based training of Real NVPs* (2017): a fresh critic learns to tell validation data from
samples and is asked about test data. It sees both a generator that has learned its training set
by heart and one that leaves out part of the data.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..deprecation import renamed
from ..devices import exact, find_device
from ..errors import DataError, TrainingError
from ..models.gans.penalties import gradient_penalty
from ..training import Batch, Loop, Optimiser, Phase
from ..training.gradients import with_gradients
from ..validation import COUNT, POSITIVE, as_seed, check
from .features.sources import as_source
from .measure import Measure

__all__ = ["gradient_penalty", "independent_critic"]

_RULES = {
    "steps": COUNT,
    "batch_size": COUNT,
    "width": COUNT,
    "learning_rate": POSITIVE,
    "penalty": POSITIVE,
}
_CURVE_POINTS = 10  # points of the learning curve
_CURVE_ROWS = 1000  # rows of each split a point looks at


@with_gradients
@renamed(seed="random_state")
def independent_critic(
    sample: Any,
    validation: Any,
    test: Any,
    *,
    train: Any = None,
    steps: int | None = None,
    random_state: Any = 0,
    batch_size: int = 64,
    width: int = 32,
    learning_rate: float = 5e-4,
    penalty: float = 10.0,
    device: str | torch.device | None = None,
    details: dict[str, Any] | None = None,
) -> Measure:
    """Wasserstein distance of samples from test data by a fresh critic, negated.

    Half of the samples trains the critic against validation data; the other half and the test
    data, both unseen, give the figure. The distance is Euclidean, between pixels in [-1, 1] or
    columns standardised by the validation rows. A critic of finite size and training bounds it
    from below: compare figures of the same steps, width and data only.

    Args:
        sample: images as :func:`pushforward.data.as_images` takes them, rows of numbers (n, d),
            or a function of a number that gives so many.
        validation: real data the generator has not seen.
        test: real data neither the generator nor the critic has seen.
        train: the generator's training data. Given, a second critic judges it as if it were
            samples, for the best value a generator can hope for, and the curve has a third line.
        steps: of the critic; None for 500 with images and 2,000 with rows.
        random_state: of the critic's weights, the batches and the halves.
        batch_size: rows of each side in a step.
        width: channels of the first layer (images), a quarter of the hidden units (rows).
        learning_rate: of Adam with decay rates 0.5 and 0.9.
        penalty: weight of the gradient penalty.
        device: where the critic is trained; a GPU where there is one.
        details: what is known of the rows, to go into the measure's details.

    Returns:
        The measure, higher (nearer 0) better. ``details`` has the learning curve: at ten steps
        the distance by validation, test and, where given, training data; with ``train`` also
        ``training_set_as_sample``. The interval is that of the two means of this one critic.

    Raises:
        ParameterError: A setting is not a positive number.
        DataError: The parts are of different shapes or too few.
        TrainingError: The critic's loss became non-finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rows = rng.normal(size=(3, 500, 2))
        >>> near = independent_critic(rows[0], rows[1], rows[2], steps=40)
        >>> far = independent_critic(rows[0] + 3, rows[1], rows[2], steps=40)
        >>> near.value > far.value
        True
    """
    seed = as_seed(random_state)
    if callable(sample):
        sample = sample(len(validation) + len(test))
    parts = {"validation": validation, "test": test, "train": train, "sample": sample}
    sources = {name: as_source(part) for name, part in parts.items() if part is not None}
    scale = _scale(sources)
    if steps is None:
        steps = 2000 if isinstance(sources["validation"], np.ndarray) else 500
    settings = {
        "steps": steps,
        "batch_size": batch_size,
        "width": width,
        "learning_rate": learning_rate,
        "penalty": penalty,
        "seed": seed,
    }
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sources["sample"]))
    learn, evaluation = np.array_split(order, 2)
    training = _Training(**settings, device=find_device(device))
    real = {name: _Rows(part, None, scale) for name, part in sources.items() if name != "sample"}
    fresh = {
        "learn": _Rows(sources["sample"], learn, scale),
        "judge": _Rows(sources["sample"], evaluation, scale),
    }
    critic, curve = _trained(training, fresh, real)
    on_test, on_sample = (
        _scores(critic, part, training) for part in (real["test"], fresh["judge"])
    )
    value = float(on_sample.mean() - on_test.mean())
    error = float((on_test.var() / len(on_test) + on_sample.var() / len(on_sample)).sqrt())
    details = {
        "n_real": len(on_test),
        "n_validation": len(real["validation"]),
        "n_generated": len(order),
        "features": "none: the critic sees the data",
        "preprocessing": scale.words,
        "precision": "float32",
        **settings,
        "curve": curve,
        **(details or {}),
    }
    if "train" in real:
        reference = independent_critic(
            *(sources[name] for name in ("train", "validation", "test")),
            **{key: value for key, value in settings.items() if key != "seed"},
            random_state=seed,
            device=device,
        )
        details["training_set_as_sample"] = reference.value
    warnings = _warnings(critic, training, real, float(on_test.mean()), error)
    interval = (value - 1.96 * error, value + 1.96 * error)
    return Measure("independent_critic", value, interval, "higher", details, warnings)


@dataclass(frozen=True)
class _Training:
    steps: int
    batch_size: int
    width: int
    learning_rate: float
    penalty: float
    seed: int
    device: torch.device

    def __post_init__(self) -> None:
        check(_RULES, vars(self))


@dataclass(frozen=True)
class _Scale:
    """Standardises the data for the critic."""

    words: str
    mean: np.ndarray | float
    deviation: np.ndarray | float


def _scale(sources: dict[str, Any]) -> _Scale:
    shapes = {
        name: part.shape[1:] if isinstance(part, np.ndarray) else tuple(part.shape)
        for name, part in sources.items()
    }
    if len(set(shapes.values())) > 1:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise DataError(f"The parts have different shapes: {listed}. Expected one shape.")
    for name, part in sources.items():
        if len(part) < 8:
            raise DataError(f"{name} has {len(part)} rows; the critic needs 8 at least.")
    validation = sources["validation"]
    if not isinstance(validation, np.ndarray):
        return _Scale("pixels in [-1, 1]", 127.5, 127.5)
    for name, part in sources.items():
        if part.dtype.kind not in "fiub" or not np.isfinite(part).all():
            raise DataError(
                f"{name} has values that are not finite numbers. Leave such rows out first."
            )
    deviation = validation.std(axis=0)
    mean = validation.mean(axis=0)
    return _Scale("columns standardised", mean, np.where(deviation > 0, deviation, 1.0))


class _Rows:
    """Part of a source, as input of the critic."""

    def __init__(self, source: Any, index: np.ndarray | None, scale: _Scale) -> None:
        self._source, self._scale = source, scale
        self._index = np.arange(len(source)) if index is None else index

    def __len__(self) -> int:
        return len(self._index)

    def take(self, which: np.ndarray | slice) -> Tensor:
        rows = self._source[self._index[which]]
        return torch.from_numpy((rows - self._scale.mean) / self._scale.deviation).float()


@dataclass(frozen=True)
class _Pairs:
    """A row of the truth beside a sample drawn at random: (n, 2, ...)."""

    truth: _Rows
    samples: _Rows

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, None]:
        drawn = torch.randint(len(self.samples), (len(rows),), generator=generator).numpy()
        return torch.stack([self.truth.take(rows), self.samples.take(drawn)], dim=1), None


def _network(shape: tuple[int, ...], width: int, generator: torch.Generator) -> nn.Module:
    """Images: the DCGAN's body without normalisation, halved down to 4 pixels. Rows: an MLP."""
    with torch.device("meta"):
        if len(shape) == 1:
            units = 4 * width
            layers = [nn.Linear(shape[0], units), nn.LeakyReLU(0.2)]
            layers += [nn.Linear(units, units), nn.LeakyReLU(0.2), nn.Linear(units, 1)]
        else:
            channels, height, side = shape
            layers = []
            while not layers or min(height, side) > 4:
                layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
                channels, height, side = width, height // 2, side // 2
                width = min(2 * width, 512)
            layers += [nn.Flatten(), nn.Linear(channels * height * side, 1)]
    network = nn.Sequential(*layers, nn.Flatten(0)).to_empty(device="cpu")
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            fan_in = parameter[0].numel()
            nn.init.normal_(parameter, std=(2 / 1.04 / fan_in) ** 0.5, generator=generator)
    return network


def _trained(
    training: _Training, fresh: dict[str, _Rows], real: dict[str, _Rows]
) -> tuple[nn.Module, list[dict[str, float]]]:
    """The critic, and its validation distances during training."""
    pairs = _Pairs(real["validation"], fresh["learn"])
    draws = torch.Generator().manual_seed(training.seed)
    shape = tuple(pairs.truth.take(slice(1)).shape[1:])
    critic = _network(shape, training.width, draws).to(training.device)

    def loss(batch: Batch) -> dict[str, Tensor]:
        truth, sample = batch.x.unbind(dim=1)
        slope = gradient_penalty(critic, truth, sample, batch.uniform())
        return {
            "distance": critic(sample).mean() - critic(truth).mean(),
            "penalty": training.penalty * slope,
        }

    adam = Optimiser("adam", training.learning_rate, {"betas": (0.5, 0.9)})
    phase = Phase("critic", ("critic",), loss, adam)
    loop = Loop(
        {"critic": critic}, [phase], pairs, batch_size=training.batch_size, seed=training.seed
    )
    curve = []
    some = slice(_CURVE_ROWS)
    for step in sorted(
        {max(1, round(training.steps * (k + 1) / _CURVE_POINTS)) for k in range(_CURVE_POINTS)}
    ):
        try:
            loop.run(steps=step)
        except TrainingError as error:
            raise TrainingError(
                f"The critic failed at {error} Look for extreme values in the samples, too."
            ) from error
        base = _scores(critic, fresh["judge"], training, some).mean()
        point = {
            n: float(base - _scores(critic, r, training, some).mean()) for n, r in real.items()
        }
        curve.append({"step": step, **point})
    return critic, curve


def _scores(
    critic: nn.Module, rows: _Rows, training: _Training, some: slice = slice(None)
) -> Tensor:
    """The critic's values (n,), float64."""
    index = np.arange(len(rows))[some]
    with torch.inference_mode(), exact():
        parts = [critic(rows.take(part).to(training.device)) for part in _split(index, 256)]
    return torch.cat(parts).double().cpu()


def _split(index: np.ndarray, size: int) -> list[np.ndarray]:
    return [index[i : i + size] for i in range(0, len(index), size)]


def _warnings(
    critic: nn.Module, training: _Training, real: dict[str, _Rows], on_test: float, error: float
) -> tuple[str, ...]:
    on_validation = _scores(critic, real["validation"], training)
    spread = float((on_validation.var() / len(on_validation)).sqrt())
    gap = float(on_validation.mean()) - on_test
    if gap <= 4 * (error**2 + spread**2) ** 0.5:
        return ()
    return (
        f"The critic rates its {len(on_validation)} validation rows {gap:.3g} above the test "
        "rows: it has begun to learn them by heart, and the distance comes out too small. Give "
        "more validation data or fewer steps.",
    )
