"""What refinement needs of a generator: its latents, its rows, its critic, and the user's data.

Rows are what moves and what ratios of densities are learned from: standardised coordinates of
tables, pixels between -1 and 1, letters as shares, or whatever a function of latents makes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import DataError, ParameterError, UnsupportedError
from ..training import generator_of
from .logit_gradients import Score, modules_of
from .prior import Draw, Prior
from .ratio_trees import Numbers
from .scale_check import pixels_like

__all__ = ["World", "world_of"]

_LEVELS = 256  # of a byte
_STILL = 1e-6  # of the spread, what a number that never changes may move
_LOST = 1e-3  # of the spread of a number, what single precision may take
_FARTHEST = 1e15  # coordinates, which are of the order of 1
_TOGETHER = 8  # rows that are looked at, together and alone
_MOST_ROWS, _MOST_NUMBERS = 20_000, 50_000_000  # of images and lines that are held


@dataclass(frozen=True)
class World:
    """A generator, seen from refinement.

    Attributes:
        kind: "rows", "table", "images" or "text".
        decode: latents to rows, differentiable; with ``prior`` None the identity.
        read: the user's data, and a seed of what is drawn, to rows.
        write: rows to the user's data.
        heard: rows as they are once the user has them, with whole numbers, bytes or letters.
        prior: of the latents; None where the generator only gives rows.
        draw: rows, where there are no latents.
        critic: of rows, the generator's own.
        functions: whose networks are to stay as they are.
        model: what can be saved; None for functions.
        latent_first: whether latents are what one moves; None where that is a matter of size.
        numbers: of rows of a table with categories or whole numbers, what trees see (n, p).
        middle, scale: (d,) of rows that move in units of their own; None where they are those of
            all.
    """

    kind: str
    decode: Callable[[Tensor], Tensor]
    read: Callable[[Any, int], Tensor]
    write: Callable[[Tensor], Any]
    heard: Callable[[Tensor], Tensor] = lambda rows: rows
    prior: Prior | None = None
    draw: Draw | None = None
    critic: Score | None = None
    functions: tuple[Any, ...] = ()
    model: Any = None
    latent_first: bool | None = None
    numbers: Numbers | None = None
    middle: Tensor | None = None
    scale: Tensor | None = None

    def inward(self, rows: Tensor) -> Tensor:
        """Rows (n, ...) as what moves."""
        if self.scale is None or self.middle is None:
            return rows
        return ((rows.flatten(1) - self.middle) / self.scale).view_as(rows)

    def outward(self, points: Tensor) -> Tensor:
        """What moves, as rows."""
        if self.scale is None or self.middle is None:
            return points
        return (points.flatten(1) * self.scale + self.middle).view_as(points)


def scaled(world: World, real: Tensor, generated: Tensor) -> World:
    """The world whose rows move along each number in proportion to its spread.

    Steps and noise have one length, and ages beside incomes would not move or fly apart. The
    number of the largest spread moves as it is.

    Args:
        world: of rows of few numbers.
        real, generated: (n, ...) and (m, ...) rows.
    """
    if real.shape[1:] != generated.shape[1:]:
        return world  # which is refused
    spread = torch.stack([x.flatten(1).double().std(dim=0) for x in (real, generated)]).amax(dim=0)
    largest = spread.max()
    if not (largest > 0 and spread.isfinite().all()):
        return world
    scale = (spread / largest).clamp(min=_STILL)
    return replace(world, middle=real.flatten(1).mean(dim=0), scale=scale.to(real))


def world_of(generator: Any, prior: Prior | int | None = None) -> World:
    """See a generator as refinement does.

    Args:
        generator: a model of this library, anything with ``sample(n, random_state=)`` that gives
            rows of numbers, or, with ``prior``, a function of latents.
        prior: of the latents of a function; a number k stands for k standard normal ones.

    Raises:
        UnsupportedError: for what can be neither sampled nor called.
        ParameterError: for a prior that comes with a model.
    """
    if prior is not None:
        if hasattr(generator, "sample") and hasattr(generator, "fit"):
            raise ParameterError(
                f"{type(generator).__name__} is a model and knows its prior. Leave prior out."
            )
        if not callable(generator):
            raise UnsupportedError(
                f"generator is a {type(generator).__name__}. Expected a function of latents."
            )
        if not isinstance(prior, Prior):
            if not isinstance(prior, int | np.integer) or isinstance(prior, bool):
                raise ParameterError(
                    f"prior is {prior!r}. Expected a number of standard normal latents, or a "
                    "Prior: Prior.normal(k), Prior.uniform(k), Prior.sphere(k), or one with a "
                    "sample of your own."
                )
            prior = Prior.normal(int(prior))
        decode = cast(Callable[[Tensor], Tensor], generator)
        device = _device_of(generator)
        own = prior
        prior = replace(own, sample=lambda n, generator: own.sample(n, generator).to(device))

        def read(data: Any, seed: int = 0) -> Tensor:
            return _rows_of(data, seed, lambda n, draws: decode(prior.sample(n, draws))).to(device)

        return World("rows", decode, read, lambda rows: rows, prior=prior, functions=(generator,))
    if hasattr(generator, "_check_fitted"):
        generator._check_fitted()
    if hasattr(generator, "alphabet_"):
        return _of_text(generator)
    if hasattr(generator, "pixels_"):
        return _of_images(generator)
    if hasattr(generator, "columns_"):
        return _of_table(generator)
    if hasattr(generator, "sample"):
        return _of_sampler(generator)
    raise UnsupportedError(
        f"{type(generator).__name__} came without a prior. Expected a model with "
        "sample(n, random_state=) whose samples are moved, or a function of latents and "
        "their prior=."
    )


def _rows_of(data: Any, seed: int, draw: Draw) -> Tensor:
    """Rows of numbers; those of an ``ImageSet`` in the shape and on the scale of what is drawn."""
    from ..data.images import ImageSet

    if not isinstance(data, ImageSet):
        return _numbers(data)
    images = _some_images(data.images, seed)
    return pixels_like(torch.from_numpy(images), draw(_TOGETHER, generator_of(seed)))


def _some_images(images: Any, seed: int) -> np.ndarray:
    """As many as are looked at, drawn at random where there are more: uint8 (n, C, H, W)."""
    most = _most(math.prod(images.shape))
    rows = np.random.default_rng(seed).permutation(len(images))[:most]
    return np.ascontiguousarray(images[np.sort(rows)])


def _numbers(data: Any) -> Tensor:
    if isinstance(data, Tensor):
        exact = data.detach()
    else:
        array = np.asarray(data)
        if array.dtype.kind not in "fiub":
            raise DataError(
                f"The rows are {array.dtype}. Expected numbers of shape (n, d), as the generator "
                "makes them."
            )
        exact = torch.from_numpy(np.array(array))  # frames may be read-only, or backwards
    rows = exact.float()
    if exact.dtype == torch.float64 and len(rows) > 1 and exact.isfinite().all():
        lost = (rows.double() - exact).abs().amax(dim=0)
        if bool((lost > _LOST * exact.std(dim=0)).any()):
            raise DataError(
                "Single precision, which networks have, does not tell these rows apart: they are "
                "far from 0 beside their spread. Subtract their mean, from samples too."
            )
    return rows


def _device_of(function: Any) -> torch.device:
    """Where the networks behind a function are."""
    held = (p.device for module in modules_of(function) for p in module.parameters())
    return next(held, torch.device("cpu"))


def _of_sampler(model: Any) -> World:
    """A model of someone else's, of which only samples are known."""

    def draw(n: int, generator: torch.Generator) -> Tensor:
        number = int(torch.randint(2**31 - 1, (1,), generator=generator))
        return _numbers(model.sample(n, random_state=number))

    def read(data: Any, seed: int) -> Tensor:
        return _rows_of(data, seed, draw)

    return World(
        "rows", lambda rows: rows, read, lambda rows: rows.cpu().numpy(), draw=draw,
        functions=(model,),
    )  # fmt: skip


def _latents(model: Any) -> dict[str, Any]:
    """Prior, generator and critic of a model that was trained against one, or as one."""
    device = model._device()

    def sample(n: int, generator: torch.Generator) -> Tensor:
        return model._codes(n, generator).to(device)

    noise = torch.ones(1, model.settings_["latent"])
    plain = model._of_prior(noise) is noise
    has_critic = "critic" in model.networks_ and hasattr(model, "critic")
    return {
        "prior": Prior(sample, Prior.normal(1).log_prob if plain else None),
        "decode": model._generate,
        "critic": (lambda x: model._logit("critic", x)) if has_critic else None,
    }


def _networks(model: Any) -> tuple[nn.Module, ...]:
    density = getattr(model, "density_", None)
    own = tuple(getattr(model, "networks_", {}).values())
    return (*own, density) if isinstance(density, nn.Module) else own


# Tables: rows are coordinates


def _of_table(model: Any) -> World:
    columns = model.columns_
    if not columns.n_coordinates:
        raise UnsupportedError("All columns of this model are constant: nothing can be refined.")

    def read(X: Any, seed: int) -> Tensor:
        return columns.encode(X, draw=np.random.default_rng(seed))[0].float()

    def heard(rows: Tensor) -> Tensor:
        return read(columns.decode(rows.double()), len(rows)).to(rows)

    def numbers(rows: Tensor) -> np.ndarray:
        return bare.numbers(columns.decode(rows.double()))

    known: dict[str, Any] = {"functions": _networks(model), "model": model}
    if bool(columns.dequantised.any()):  # a cell is a cell, wherever in it a row lies
        from ..metrics.table_encoding import TableCode

        bare = TableCode(columns, (None,) * columns.n_columns, np.ones(columns.n_columns))
        known |= {"heard": heard, "numbers": numbers}
    if hasattr(model, "_generate"):
        known |= _latents(model)
    else:
        network = getattr(model.density_, "network", None)
        known["draw"] = _draw_of(model, read)
        known["decode"] = lambda rows: rows
        if network is not None:  # a flow has latents too
            known |= {
                "prior": Prior.normal(columns.n_coordinates), "draw": None,
                "decode": lambda z: _single(network.decode([z.double()])),
                "latent_first": False,
            }  # fmt: skip
    return World("table", read=read, write=lambda rows: columns.decode(rows.double()), **known)


def _draw_of(model: Any, read: Callable[[Any, int], Tensor]) -> Draw:
    """Rows of a density of coordinates; of another, of what the model samples."""
    if hasattr(model.density_, "sample"):
        return lambda n, generator: _single(model.density_.sample(n, generator))

    def draw(n: int, generator: torch.Generator) -> Tensor:
        number = int(torch.randint(2**31 - 1, (1,), generator=generator))
        return read(model.sample(n, random_state=number), number)

    return draw


def _single(rows: Tensor) -> Tensor:
    """Coordinates in single precision, those of absurd rows too, so that their squares are finite.

    Such a row is one that thinning leaves out.
    """
    return rows.clamp(-_FARTHEST, _FARTHEST).float()


# Images: rows are pixels from -1 to 1


def _of_images(model: Any) -> World:
    from ..data.images import Pixels, as_images

    own = model.pixels_
    pixels = Pixels(own.shape, own.layout, low=-1.0, high=1.0, dequantise=False)

    def read(X: Any, seed: int) -> Tensor:
        images, _ = as_images(X, model._layout_of(X))
        if images.shape != own.shape:
            raise DataError(
                f"The images have shape {images.shape} (channels, height, width). Expected "
                f"{own.shape}, as the model makes them."
            )
        return pixels.encode(_some_images(images, seed), None)[0].to(model._device())

    def heard(rows: Tensor) -> Tensor:
        level = ((rows + 1) * (_LEVELS / 2)).floor().clamp(0, _LEVELS - 1)
        return (level + 0.5) * (2 / _LEVELS) - 1

    def seen(x: Tensor) -> Tensor:
        if own.logit is None:
            return 2 * (x - own.low) / (own.high - own.low) - 1
        return 2 * (x.sigmoid() - own.logit) / (1 - 2 * own.logit) - 1

    known: dict[str, Any] = {"functions": _networks(model), "model": model}
    if hasattr(model, "_generate"):
        known |= _latents(model) | {"latent_first": True}
        generate = known["decode"]
        known["decode"] = lambda z: seen(generate(z))
        if (own.low, own.high, own.logit) != (-1.0, 1.0, None):
            known["critic"] = None  # it sees other numbers
    elif model.classes_ is None:
        known |= _flow_latents(model, seen)
    else:
        known["draw"] = lambda n, generator: seen(model._make(n, generator)).to(model._device())
        known["decode"] = lambda rows: rows
    return World("images", read=read, write=pixels.decode, heard=heard, **known)


def _flow_latents(model: Any, seen: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    flow, device = model.networks_["flow"], model._device()
    sizes = [math.prod(shape) for shape in flow.latent_shapes]

    def sample(n: int, generator: torch.Generator) -> Tensor:
        parts = flow.sample_latent(n, 1.0, generator)
        return torch.cat([part.flatten(1) for part in parts], dim=1).to(device)

    def decode(z: Tensor) -> Tensor:
        parts = z.split(sizes, dim=1)
        shaped = [p.reshape(len(z), *s) for p, s in zip(parts, flow.latent_shapes, strict=True)]
        # a flow that was trained briefly makes an image of infinities now and then
        return seen(flow.decode(shaped)).float().nan_to_num(0.0, 2.0, -2.0).clamp(-2.0, 2.0)

    normal = getattr(model, "settings_", {}).get("prior", "normal") == "normal"
    return {
        "prior": Prior(sample, Prior.normal(1).log_prob if normal else None), "decode": decode,
        "latent_first": False,
    }  # fmt: skip


# Text: rows are shares of letters


def _of_text(model: Any) -> World:
    device = model._device()

    def read(X: Any, seed: int) -> Tensor:
        from ..data import as_lines

        lines = as_lines(X)
        most = _most(math.prod(model._row_shape()))
        order = np.random.default_rng(seed).permutation(len(lines))[:most]
        lines = [lines[i] for i in np.sort(order).tolist()]
        return torch.cat([model._seen(part) for _, part in model._chunks(lines)]).to(device)

    def heard(rows: Tensor) -> Tensor:
        return nn.functional.one_hot(rows.argmax(dim=-1), rows.shape[-1]).to(rows)

    return World(
        "text", read=read, write=model._to_user, heard=heard, functions=_networks(model),
        model=model, latent_first=True, **_latents(model),
    )  # fmt: skip


def _most(numbers: int) -> int:
    """Rows of so many numbers that are looked at; more are drawn from."""
    return min(_MOST_ROWS, max(1000, _MOST_NUMBERS // numbers))


def check_rows_alone(name: str, function: Score, points: Tensor) -> None:
    """Refuse a function that fails, is random, or whose rows depend on their neighbours.

    Args:
        name: of the function, for people.
        function: of points (n, ...) to (n, ...).
        points: some.

    Raises:
        DataError: naming it.
    """
    form = f"{len(points)} {points.dtype} points of shape {tuple(points.shape[1:])}"
    try:
        together, alone, again = function(points), function(points[:1]), function(points[:1])
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as e:
        raise DataError(
            f"{name} failed on {form}: {e}. Expected a function in PyTorch of such points: see "
            "the prior, the width of rows, and networks of other precision."
        ) from e
    if not isinstance(together, Tensor) or together.ndim == 0 or len(together) != len(points):
        got = tuple(together.shape) if isinstance(together, Tensor) else type(together).__name__
        raise DataError(f"{name} gives {got} for {form}. Expected a tensor with a row for each.")
    if not together.isfinite().all():
        raise DataError(
            f"What {name} gives for {form} is not finite. Expected finite numbers: mend it first."
        )
    if not torch.equal(alone, again):
        raise DataError(
            f"What {name} gives for a point changes from call to call. Expected no chance in it: "
            "draw the noise as further latents, and put dropout into evaluation mode (.eval())."
        )
    if alone.shape != together[:1].shape or not torch.allclose(
        together[:1], alone, rtol=1e-2, atol=1e-3
    ):
        raise DataError(
            f"What {name} gives for a row changes when {len(points) - 1} others stand beside it. "
            "Expected no change: put its networks in evaluation mode (.eval()), batch norm above "
            "all."
        )


def check_generator(world: World) -> None:
    """Refuse a generator whose rows fail, or depend on their neighbours.

    Raises:
        DataError: naming what is wrong.
    """
    if world.model is not None:
        return
    if world.prior is not None:
        points = world.prior.sample(_TOGETHER, generator_of(0))
        check_rows_alone("generator", world.decode, points)
        return
    assert world.draw is not None
    try:
        rows = world.draw(_TOGETHER, generator_of(0))
    except TypeError as error:
        raise DataError(
            f"The generator's sample failed: {error}. Expected sample(n, random_state=number) "
            "that gives n rows; wrap it in a class that has one."
        ) from error
    if len(rows) != _TOGETHER:
        raise DataError(
            f"sample({_TOGETHER}) of the generator gives {len(rows)} rows. Expected {_TOGETHER}."
        )
