"""The critic of another model, and the samples it was trained against."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..errors import UnsupportedError
from .adapters import Adapter, adapter_of
from .stages import begun

__all__ = ["rows_of", "unrefined", "with_critic"]


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


def rows_of(adapter: Adapter, size: int) -> Callable[[int, int], Tensor]:
    """Rows of a adapter, (n, seed), a batch of so many at a time."""
    place = "data" if adapter.prior is None else "latent"
    return lambda n, seed: begun(adapter, place, size).quantised(n, seed)
