"""Stages one after the other: what is kept of a refinement, and the space that comes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import ParameterError, UnsupportedError
from ..training import generator_of
from .adapters import Adapter
from .logit import Logit
from .methods import Method, no_logit
from .row_width import is_narrow
from .sample_spaces import Mover, Space
from .streams import Stream

__all__ = [
    "KeptStage", "first_place", "generator_space", "in_data_space", "moved_pairs", "place_of",
    "space_after", "space_for", "stage_spaces",
]  # fmt: skip


@dataclass(frozen=True)
class KeptStage:
    """A stage that is part of a refined model.

    Attributes:
        method: tuned.
        logit: by which; None of a method that goes by none.
        place: what it moves or draws, "latent" or "data".
    """

    method: Method
    logit: Logit | None
    place: str

    def apply(self, space: Space) -> Space:
        """The space after the stage."""
        return self.method.apply(space, self.logit or no_logit)

    def mover(self, space: Space) -> Mover | None:
        """What moves points of the space before it; None where nothing does."""
        return self.method.mover(space, self.logit or no_logit)


def place_of(adapter: Adapter, requested: str) -> str:
    """What the points of an adapter are to be: "latent" or "data".

    Raises:
        UnsupportedError: for latents where there are none.
    """
    if adapter.prior is None:
        if requested == "latent":
            raise UnsupportedError(
                "There are no latents to move: the generator came without a prior, or is of a "
                "kind that has none. Leave space out, or give a function of latents and its prior."
            )
        return "data"
    if requested != "auto":
        return requested
    if adapter.latent_first is not None:
        return "latent" if adapter.latent_first else "data"
    row = adapter.decode(adapter.prior.sample(1, generator_of(0)))
    return "data" if is_narrow(row.shape) else "latent"


def generator_space(adapter: Adapter, place: str, batch_size: int) -> Space:
    """The space of an adapter before any stage."""
    if adapter.prior is None:
        draw = adapter.draw
        assert draw is not None
        return Space(
            lambda n, generator: adapter.to_scaled(draw(n, generator)), adapter.from_scaled,
            batch_size=batch_size, quantise=adapter.quantise,
        )  # fmt: skip
    latent = Space(
        adapter.prior.sample, adapter.decode, adapter.prior.log_prob, batch_size=batch_size,
        quantise=adapter.quantise,
    )  # fmt: skip
    return latent if place == "latent" else in_data_space(latent, adapter)


def in_data_space(space: Space, adapter: Adapter) -> Space:
    """The space of the rows of another: what moves from here on are data."""
    return replace(space, draw=_Rows(space, adapter), decode=adapter.from_scaled, log_prior=None)


@dataclass(frozen=True)
class _Rows:
    """Draws points and decodes them, as what moves."""

    space: Space
    adapter: Adapter

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        points = self.space.draw(n, generator)
        return self.adapter.to_scaled(self.space.decoded(points))


def stage_spaces(
    adapter: Adapter, kept: Sequence[KeptStage], place: str, batch_size: int
) -> Iterator[Space]:
    """The space before each stage, and that after the last.

    Args:
        adapter: of the generator.
        kept: stages in order; one that moves data may follow those that move latents.
        place: of the first space.
        batch_size: points whose activations are held at once.
    """
    space, here = generator_space(adapter, place, batch_size), place
    for stage in kept:
        if (here, stage.place) == ("latent", "data"):
            space, here = in_data_space(space, adapter), "data"
        yield space
        space = stage.apply(space)
    yield space


def space_after(adapter: Adapter, kept: Sequence[KeptStage], place: str, batch_size: int) -> Space:
    """The space after the last stage."""
    *_, space = stage_spaces(adapter, kept, place, batch_size)
    return space


def first_place(adapter: Adapter, kept: Sequence[KeptStage], place: str, requested: str) -> str:
    """What the first stage moves: as asked, unless there are stages already."""
    return place if kept else place_of(adapter, requested)


def space_for(
    adapter: Adapter, kept: Sequence[KeptStage], place: str, requested: str, batch_size: int
) -> tuple[Space, str]:
    """The space that the next stage works in, and what its points are.

    Args:
        adapter: of the generator.
        kept: stages there are.
        place: of the first space.
        requested: "auto", "data" or "latent", of the next stage.
        batch_size: points whose activations are held at once.

    Raises:
        ParameterError: for latents after a stage that moves data.
        UnsupportedError: for latents where there are none.
    """
    space = space_after(adapter, kept, place, batch_size)
    here = kept[-1].place if kept else place
    wanted = here if kept and requested == "auto" else place_of(adapter, requested)
    if (here, wanted) == ("latent", "data"):
        return in_data_space(space, adapter), "data"
    if (here, wanted) == ("data", "latent"):
        raise ParameterError(
            "space is 'latent', and the model was refined in the space of the data before. "
            "Expected 'data' or 'auto': there is no way back to latents."
        )
    return space, here


def moved_pairs(
    adapter: Adapter, kept: Sequence[KeptStage], place: str, batch_size: int, n: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Rows (n, ...) of the generator, and where its own stages move them: none is left out."""
    *spaces, last = stage_spaces(adapter, kept, place, batch_size)
    first = generator_space(adapter, place, batch_size)
    points, here = first.points(n, seed), place
    before = first.decoded(points)
    for number, (stage, space) in enumerate(zip(kept, spaces, strict=True)):
        if (here, stage.place) == ("latent", "data"):
            points, here = adapter.to_scaled(first.decoded(points)), "data"
        mover = stage.mover(space)
        if mover is not None:
            points = mover(points, generator_of(seed, Stream.PAIRS, number))
    return before, last.decoded(points)
