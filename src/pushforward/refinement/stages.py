"""Stages one after the other: what is kept of a refinement, and the space that comes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..errors import UnsupportedError
from ..training import generator_of
from .adapters import Adapter
from .density_ratio import Logit
from .methods import Decision, made
from .row_width import is_narrow
from .sample_spaces import Mover, Space
from .streams import Stream

__all__ = ["Kept", "begun", "chain", "moved_pairs", "place_of", "placed"]


@dataclass(frozen=True)
class Kept:
    """A stage that is part of a refined model.

    Attributes:
        decision: what the method does.
        logit: by which; None of margins, which go by none.
        place: what it moves or draws, "latent" or "data".
    """

    decision: Decision
    logit: Logit | None
    place: str


def place_of(adapter: Adapter, asked: str) -> str:
    """What a adapter's points are to be: "latent" or "data".

    Raises:
        UnsupportedError: for latents where there are none.
    """
    if adapter.prior is None:
        if asked == "latent":
            raise UnsupportedError(
                "There are no latents to move: the generator came without a prior, or is of a "
                "kind that has none. Leave space out, or give a function of latents and its prior."
            )
        return "data"
    if asked != "auto":
        return asked
    if adapter.latent_first is not None:
        return "latent" if adapter.latent_first else "data"
    row = adapter.decode(adapter.prior.sample(1, generator_of(0)))
    return "data" if is_narrow(row.shape) else "latent"


def begun(adapter: Adapter, place: str, batch_size: int) -> Space:
    """The space of a adapter before any stage."""
    if adapter.prior is None:
        draw = adapter.draw
        assert draw is not None
        return Space(
            lambda n, generator: adapter.to_scaled(draw(n, generator)),
            lambda points: adapter.decode(adapter.from_scaled(points)),
            batch_size=batch_size, quantise=adapter.quantise,
        )  # fmt: skip
    latent = Space(
        adapter.prior.sample, adapter.decode, adapter.prior.log_prob, batch_size=batch_size,
        quantise=adapter.quantise,
    )  # fmt: skip
    return latent if place == "latent" else placed(latent, adapter)


def placed(space: Space, adapter: Adapter) -> Space:
    """The space of the rows of another: what moves from here on are data."""
    return replace(
        space,
        draw=lambda n, generator: adapter.to_scaled(space.decoded(space.draw(n, generator))),
        decode=adapter.from_scaled,
        log_prior=None,
    )


def chain(
    adapter: Adapter, kept: Sequence[Kept], place: str, batch_size: int
) -> Iterator[tuple[Space, Mover | None]]:
    """The spaces before and after each stage, with what moves points into it.

    Args:
        adapter: of the generator.
        kept: stages in order; one that moves data may follow those that move latents.
        place: of the first space.
        batch_size: points whose activations are held at once.
    """
    space, here = begun(adapter, place, batch_size), place
    yield space, None
    for stage in kept:
        if (here, stage.place) == ("latent", "data"):
            space, here = placed(space, adapter), "data"
        space, mover = made(stage.decision, space, stage.logit)
        yield space, mover


def moved_pairs(
    adapter: Adapter, kept: Sequence[Kept], place: str, batch_size: int, n: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Rows (n, ...) of the generator, and where its own stages move them: none is left out."""
    spaces = list(chain(adapter, kept, place, batch_size))
    points = spaces[0][0].points(n, seed)
    before, here = spaces[0][0].decoded(points), place
    for number, (stage, (_, mover)) in enumerate(zip(kept, spaces[1:], strict=True)):
        if (here, stage.place) == ("latent", "data"):
            points, here = adapter.to_scaled(spaces[0][0].decoded(points)), "data"
        if mover is not None:
            points = mover(points, generator_of(seed, Stream.PAIRS, number))
    return before, spaces[-1][0].decoded(points)
