"""Rebuilds a density of any kind from its tensors, by their names."""

from typing import cast

import torch
from torch import Tensor

from .discrete_chain import DiscreteChain
from .joint_density import JointDensity
from .mixture_density import MixtureDensity
from .numerics import with_prefix
from .sliced_density import SlicedDensity

__all__ = [
    "Density", "density_from_state", "depends_on_place", "follows_functions", "with_functions",
]  # fmt: skip

Density = SlicedDensity | MixtureDensity | JointDensity


def follows_functions(density: Density, x: Tensor, given: Tensor) -> Tensor:
    """Whether coordinates that samples have as functions of others are these functions: (n,).

    Args:
        density: any.
        x: (n, D) points.
        given: (n, D) bool, or (D,) where it is the same of all; functions among these coordinates
            alone are not asked for.
    """
    if isinstance(density, JointDensity):
        return density.chain.follows(x, given)
    result = torch.ones(len(x), dtype=torch.bool)
    if isinstance(density, MixtureDensity):
        for member in density.members:
            result &= follows_functions(cast(Density, member), x, given)
    return result


def with_functions(density: Density, x: Tensor, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points whose open coordinates that are functions of others are these functions.

    Args:
        density: any.
        x: (n, D) points.
        given: (n, D) bool, coordinates that stay as they are; or (D,) where it is the same of all.

    Returns:
        As of :meth:`.DiscreteChain.imposed`; of densities that are no chain the very points.
    """
    if isinstance(density, JointDensity):
        return density.chain.imposed(x, given)
    return x, torch.zeros_like(x, dtype=torch.bool), x.new_zeros(len(x))


def depends_on_place(density: Density) -> Tensor:
    """Whether the density varies within the cells of each coordinate, bool of shape (D,).

    It is the same all over a cell of what a chain knows as discrete values.
    """
    result = torch.ones(density.dimension, dtype=torch.bool)
    if isinstance(density, JointDensity):
        result[density.chain.places] = False
    if isinstance(density, MixtureDensity):
        members = [depends_on_place(cast(Density, member)) for member in density.members]
        result = torch.stack(members).any(0)
    return result


def density_from_state(state: dict[str, Tensor]) -> Density:
    """The density whose ``state_dict()`` this is.

    Raises:
        ValueError: for tensors that do not belong together.
        KeyError: where some are missing.
    """
    if "log_share" in state:
        count = len(state["log_share"])
        members = [density_from_state(with_prefix(state, f"members.{i}.")) for i in range(count)]
        if count == 0 or len({member.dimension for member in members}) > 1:
            raise ValueError("the members of a mixture are not of one dimension")
        share = state["log_share"].double()
        if not (bool(share.isfinite().all()) and abs(float(share.logsumexp(0))) < 1e-6):
            raise ValueError("the weights of a mixture are no shares")
        mixture = MixtureDensity(members, share)
        mixture.log_share = share  # normalised again it would have other last bits
        return mixture
    if "chain.places" in state:
        chain = DiscreteChain.from_state(with_prefix(state, "chain."))
        inner = with_prefix(state, "smooth.")
        smooth = density_from_state(inner) if inner else None
        if (0 if smooth is None else smooth.dimension) != int(chain.smooth.sum()):
            raise ValueError("the smooth coordinates of a joint density are not those it lacks")
        return JointDensity(smooth, chain)
    return SlicedDensity.from_state(state)
