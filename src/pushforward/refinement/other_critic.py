"""The critic of another model, and the samples it was trained against."""

from typing import Any

from ..errors import UnsupportedError
from .adapters import Adapter, adapter_of
from .density_ratio import OtherCritic
from .stages import generator_space

__all__ = ["other_critic", "unrefined", "with_critic"]


def unrefined(model: Any) -> Any:
    """The generator of a model, which may be refined."""
    return getattr(model, "base_", model)  # refined_model.py imports this module


def with_critic(model: Any) -> Adapter:
    """The adapter of a model with a critic.

    Raises:
        UnsupportedError: for a model without one.
    """
    adapter = adapter_of(unrefined(model))
    if adapter.critic is None:
        raise UnsupportedError(
            f"critic_of is a {type(unrefined(model)).__name__}, which has no critic. Expected a "
            "GAN that was fitted on the same data, such as TableGAN, DCGAN or WGANGP."
        )
    return adapter


def other_critic(model: Any, adapter: Adapter, batch_size: int) -> OtherCritic:
    """The critic of a model, with the samples it was trained against.

    Args:
        model: the GAN, which may be refined.
        adapter: of its generator, as of :func:`with_critic`.
        batch_size: points whose activations are held at once.
    """
    place = "data" if adapter.prior is None else "latent"
    assert adapter.critic is not None
    return OtherCritic(
        adapter.critic, generator_space(adapter, place, batch_size).quantised, model
    )
