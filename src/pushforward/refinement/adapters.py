"""What refinement needs of a generator: its latents, its rows, its critic, and the user's data.

Rows are what moves and what ratios of densities are learned from: standardised coordinates of
tables, pixels between -1 and 1, letters as shares, or whatever a function of latents makes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from ..data import Alphabet, Codec, Columns, Pixels
from ..errors import DataError, ParameterError, UnsupportedError
from ..estimators.capabilities import (
    Capabilities,
    GenerativeModel,
    capabilities_of,
    complete_samples,
    methods_of,
)
from ..estimators.prior import Draw, Prior
from ..training import generator_of
from ..validation import COUNT, Instance, check
from .data_rows import completed_rows, plain_rows, reader_of, rows_of
from .logit_gradients import Score, modules_of
from .own_models import check_order, codec_of_samples, in_order
from .ratio_trees import Numbers
from .row_checks import CHECKED, check_rows_alone

__all__ = ["Adapter", "adapter_of", "check_generator", "sampled", "scaled"]

_PRIOR = COUNT | Instance(
    Prior,
    description="a Prior: Prior.normal(k), Prior.uniform(k), Prior.sphere(k), or one with a "
    "sample of your own",
)
_STILL = 1e-6  # of the spread, what a number that never changes may move
_FARTHEST = 1e15  # coordinates, which are of the order of 1


@dataclass(frozen=True)
class Adapter:
    """A generator as refinement uses it.

    Attributes:
        kind: "rows", "table", "images" or "text".
        decode: latents to rows, differentiable; with ``prior`` None the identity.
        encode: the user's data, and a seed of what is drawn, to rows.
        to_user: rows to the user's data.
        quantise: rows as they are once the user has them, with whole numbers, bytes or letters.
        prior: of the latents; None where the generator only gives rows.
        draw: rows, where there are no latents.
        critic: of rows, the generator's own.
        functions: whose networks are to stay as they are.
        model: what can be saved; None for functions.
        codec: of that model.
        latent_first: whether latents are what one moves; None where that is a matter of size.
        numbers: what trees have of rows (n, p), of tables with categories or whole numbers.
        middle, scale: (d,) of rows that move in units of their own; None where they are those of
            all.
    """

    kind: str
    decode: Callable[[Tensor], Tensor]
    encode: Callable[[Any, int], Tensor]
    to_user: Callable[[Tensor], Any]
    quantise: Callable[[Tensor], Tensor] = lambda rows: rows
    prior: Prior | None = None
    draw: Draw | None = None
    critic: Score | None = None
    functions: tuple[Any, ...] = ()
    model: Any = None
    codec: Codec | None = None
    latent_first: bool | None = None
    numbers: Numbers | None = None
    middle: Tensor | None = None
    scale: Tensor | None = None

    def to_scaled(self, rows: Tensor) -> Tensor:
        """Rows (n, ...) as what moves."""
        if self.scale is None or self.middle is None:
            return rows
        return ((rows.flatten(1) - self.middle) / self.scale).view_as(rows)

    def from_scaled(self, points: Tensor) -> Tensor:
        """What moves, as rows."""
        if self.scale is None or self.middle is None:
            return points
        return (points.flatten(1) * self.scale + self.middle).view_as(points)


def scaled(adapter: Adapter, real: Tensor, generated: Tensor) -> Adapter:
    """The adapter whose rows move along each number in proportion to its spread.

    Steps and noise have one length, and ages beside incomes would not move or fly apart. The
    number of the largest spread moves as it is.

    Args:
        adapter: of rows of few numbers.
        real, generated: (n, ...) and (m, ...) rows.
    """
    if real.shape[1:] != generated.shape[1:]:
        return adapter  # which is refused
    spread = torch.stack([x.flatten(1).double().std(dim=0) for x in (real, generated)]).amax(dim=0)
    largest = spread.max()
    if not (largest > 0 and spread.isfinite().all()):
        return adapter
    scale = (spread / largest).clamp(min=_STILL)
    return replace(adapter, middle=real.flatten(1).mean(dim=0), scale=scale.to(real))


def adapter_of(
    generator: Any, prior: Prior | int | None = None, data: Any = None, *, plain: bool = False
) -> Adapter:
    """The adapter of a generator.

    Args:
        generator: a model of this library, anything with ``sample(n, random_state=)`` that gives
            rows of numbers, or, with ``prior``, a function of latents.
        prior: of the latents of a function; a number k stands for k standard normal ones.
        data: the user's, from which the columns or letters of a model of one's own are learned;
            None where it has said them itself.
        plain: whether a function of the user's is to see such a model's rows as they are.

    Raises:
        DataError: for a model whose ``sample`` fails, or makes other columns than the data have.
        UnsupportedError: for what can be neither sampled nor called.
        ParameterError: for a prior that comes with a model.
    """
    if prior is not None:
        if methods_of(generator) >= {"sample", "fit"}:
            raise ParameterError(
                f"{type(generator).__name__} is a model and knows its prior. Leave prior out."
            )
        if not callable(generator):
            raise UnsupportedError(
                f"generator is a {type(generator).__name__}. Expected a function of latents."
            )
        check({"prior": _PRIOR}, {"prior": prior})
        prior = prior if isinstance(prior, Prior) else Prior.normal(int(prior))
        decode = cast(Callable[[Tensor], Tensor], generator)
        device = _device_of(generator)
        own = prior
        prior = replace(own, sample=lambda n, generator: own.sample(n, generator).to(device))

        def encode(data: Any, seed: int = 0) -> Tensor:
            return rows_of(data, seed, lambda n, draws: decode(prior.sample(n, draws))).to(device)

        return Adapter(
            "rows", decode, encode, lambda rows: rows, prior=prior, functions=(generator,)
        )
    if isinstance(generator, GenerativeModel):
        can = capabilities_of(generator)
        if can.codec is None and data is not None:
            samples, name = _few_samples(generator), type(generator).__name__
            codec = codec_of_samples(samples, data, name)
            if codec is not None and not plain:
                can = replace(can, kind=codec.kind, codec=codec)
            elif codec is not None:
                check_order(samples, codec)
        if isinstance(can.codec, Columns):
            return _of_table(generator, can)
        if isinstance(can.codec, Pixels):
            return _of_images(generator, can)
        if isinstance(can.codec, Alphabet):
            return _of_text(generator, can)
        return _of_sampler(generator)
    raise UnsupportedError(
        f"{type(generator).__name__} came without a prior. Expected a model with "
        "sample(n, random_state=) whose samples are moved, or a function of latents and "
        "their prior=."
    )


def _few_samples(model: Any) -> Any:
    """Eight samples of a model of one's own."""
    try:
        samples = model.sample(CHECKED, random_state=0)
    except TypeError as error:
        raise DataError(
            f"The generator's sample failed: {error}. Expected sample(n, random_state=number) "
            "that gives n rows; wrap it in a class that has one."
        ) from error
    if len(samples) != CHECKED:
        raise DataError(
            f"sample({CHECKED}) of the generator gives {len(samples)} rows. Expected {CHECKED}."
        )
    return samples


def _device_of(function: Any) -> torch.device:
    """Where the networks behind a function are."""
    held = (p.device for module in modules_of(function) for p in module.parameters())
    return next(held, torch.device("cpu"))


def _of_sampler(model: Any) -> Adapter:
    """A model of someone else's, of which only samples are known."""

    draw = sampled(model, lambda rows, _: plain_rows(rows))

    def encode(data: Any, seed: int) -> Tensor:
        return rows_of(data, seed, draw)

    return Adapter(
        "rows", lambda rows: rows, encode, lambda rows: rows.cpu().numpy(), draw=draw,
        functions=(model,),
    )  # fmt: skip


def sampled(model: Any, encode: Callable[[Any, int], Tensor]) -> Draw:
    """Rows by a model's ``sample``."""

    def draw(n: int, generator: torch.Generator) -> Tensor:
        number = int(torch.randint(2**31 - 1, (1,), generator=generator))
        return encode(complete_samples(model, n, number), number)

    return draw


def _points(can: Capabilities) -> dict[str, Any]:
    """Where points come from: latents, or rows that the model draws itself."""
    latents = can.latent_space
    if can.draw is not None or latents is None:
        return {"draw": can.draw, "decode": lambda rows: rows}
    # what moves latents of a flow goes through all of it, to as many numbers: data move as well
    first = False if latents.invertible else None
    return {"prior": latents.prior, "decode": latents.decode, "latent_first": first}


# Tables: rows are coordinates


def _of_table(model: Any, can: Capabilities) -> Adapter:
    columns = cast(Columns, can.codec)
    if not columns.n_coordinates:
        raise UnsupportedError("All columns of this model are constant: nothing can be refined.")

    def encode(X: Any, seed: int) -> Tensor:
        whole = completed_rows(X, columns)
        return columns.encode(whole, np.random.default_rng(seed))[0].float().to(can.device)

    def numbers(rows: Tensor) -> np.ndarray:
        return bare.numbers(columns.decode(rows.double()))

    known = _points(can)
    if bool(columns.dequantised.any()):  # a cell is a cell, wherever in it a row lies
        from ..metrics.table_encoding import TableCode

        bare = TableCode.bare(columns.kept())
        known["numbers"] = numbers
    if known.get("draw") is not None:
        draw = known["draw"]
        known["draw"] = lambda n, generator: _single(draw(n, generator))
    elif can.latent_space is None:
        known["draw"] = sampled(model, lambda X, seed: encode(in_order(X, columns), seed))
    elif can.density:
        decode = known["decode"]
        known["decode"] = lambda z: _single(decode(z))
    return Adapter(
        "table", encode=encode, to_user=lambda rows: columns.decode(rows.double()),
        quantise=columns.quantise, functions=can.networks, model=model, codec=columns,
        critic=can.critic, **known,
    )  # fmt: skip


def _single(rows: Tensor) -> Tensor:
    """Coordinates in single precision, those of absurd rows too, so that their squares are finite.

    Such a row is one that thinning leaves out.
    """
    return rows.clamp(-_FARTHEST, _FARTHEST).float()


# Images: rows are pixels from -1 to 1


def _of_images(model: Any, can: Capabilities) -> Adapter:
    own = cast(Pixels, can.codec)
    pixels = Pixels(own.shape, own.layout, low=-1.0, high=1.0, dequantise=False)

    def rescaled(x: Tensor) -> Tensor:
        if own.logit is None:
            return 2 * (x - own.low) / (own.high - own.low) - 1
        return 2 * (x.sigmoid() - own.logit) / (1 - 2 * own.logit) - 1

    encode, known = reader_of(pixels, can.device), _points(can)
    decode, draw = known["decode"], known.get("draw")
    if draw is not None:
        known["draw"] = lambda n, generator: rescaled(draw(n, generator))
    elif can.latent_space is None:
        known["draw"] = sampled(model, encode)
    elif can.density:
        # a flow that was trained briefly makes an image of infinities now and then
        known["decode"] = lambda z: (
            rescaled(decode(z)).float().nan_to_num(0.0, 2.0, -2.0).clamp(-2.0, 2.0)
        )
    else:
        known |= {"decode": lambda z: rescaled(decode(z)), "latent_first": True}
    if (own.low, own.high, own.logit) == (-1.0, 1.0, None):
        known["critic"] = can.critic  # of pixels on another scale it means nothing
    return Adapter(
        "images", encode=encode, to_user=pixels.decode, quantise=pixels.quantise,
        functions=can.networks, model=model, codec=own, **known,
    )  # fmt: skip


# Text: rows are shares of letters


def _of_text(model: Any, can: Capabilities) -> Adapter:
    alphabet = cast(Alphabet, can.codec)
    encode, known = reader_of(alphabet, can.device), _points(can)
    known["latent_first"] = True
    if can.draw is None and can.latent_space is None:
        known["draw"] = sampled(model, encode)
    return Adapter(
        "text", encode=encode, to_user=alphabet.decode, quantise=alphabet.quantise,
        functions=can.networks, model=model, codec=alphabet, critic=can.critic, **known,
    )  # fmt: skip


def check_generator(adapter: Adapter) -> None:
    """Refuse a generator whose rows fail, or depend on their neighbours.

    Raises:
        DataError: naming what is wrong.
    """
    if adapter.model is None and adapter.prior is not None:
        points = adapter.prior.sample(CHECKED, generator_of(0))
        check_rows_alone("generator", adapter.decode, points)
