"""Published settings by name."""

from typing import Any

from ..errors import ParameterError
from .adapters import Adapter

__all__ = ["paper", "published"]


def published(adapter: Adapter) -> str:
    """The released configuration that is nearest to what a adapter makes."""
    if type(adapter.model).__name__ == "Glow":
        return "cifar10_glow"
    shape = (3, 32, 32)
    if adapter.codec is not None and adapter.kind == "images":
        shape = adapter.codec.event_shape
    if max(shape[1:]) < 48:
        return "cifar10"
    return "stl10" if adapter.critic is not None else "stl10_corrected"


def paper(method: str, kind: str) -> dict[str, Any]:
    """Published settings of the other methods, of those that are known."""
    known = {
        "mh": {"length": 640},
        "drs": {"percentile": 80.0 if kind == "images" else 95.0},
        "dot": {"steps": 100, "learning_rate": 0.01},
    }
    if method not in known:
        raise ParameterError(
            f"There are no published settings of {method!r} here. Expected dgflow, "
            f"{', '.join(known)}, or settings of your own."
        )
    return known[method]
