"""Published settings by name."""

from collections.abc import Mapping
from typing import Any

from ..errors import ParameterError
from ..wording import setting
from .adapters import Adapter

__all__ = ["paper", "published", "resolved"]


def published(adapter: Adapter) -> str:
    """The released configuration that is nearest to what an adapter makes."""
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


def resolved(
    method: str, preset: str | None, settings: Mapping[str, Any], adapter: Adapter
) -> tuple[str, dict[str, Any]]:
    """Method and settings, where a preset may stand for both.

    Args:
        method: "auto", or one of the methods.
        preset: "paper", one of DGflow's, or None.
        settings: of the user, which stand over those of the preset.
        adapter: of the generator.

    Raises:
        ParameterError: for a preset of another method.
    """
    if preset is None:
        return method, dict(settings)
    if method in ("auto", "dgflow"):
        name = published(adapter) if preset == "paper" else preset
        return "dgflow", {"preset": name, **settings}
    if preset != "paper":
        raise ParameterError(
            f"preset {preset!r} is of DGflow, and {setting('method')} is {method!r}. Give "
            f"{setting('preset', 'paper')}, or another method."
        )
    return method, {**paper(method, adapter.kind), **settings}
