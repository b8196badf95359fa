"""The methods: each a class with settings, ``tune`` on held-out rows, and ``apply`` to samples.

The mathematics of the papers stands in :mod:`pushforward.refinement.samplers`, as functions of
tensors.
"""

from collections.abc import Mapping
from typing import Any

from ...deprecation import current_words
from ...errors import ModelFileError, ParameterError
from .base import Context, Method, Moving
from .ddls import DDLS
from .dgflow import DGflow
from .dot import DOT
from .margins import RepeatedMargins, no_logit
from .mh import MetropolisHastings
from .rejection import BudgetedRejection, DiscriminatorRejection
from .resampling import Resampling

__all__ = [
    "DDLS",
    "DOT",
    "METHODS",
    "BudgetedRejection",
    "Context",
    "DGflow",
    "DiscriminatorRejection",
    "Method",
    "MetropolisHastings",
    "Moving",
    "RepeatedMargins",
    "Resampling",
    "current_settings",
    "method_from_config",
    "no_logit",
]

#: The methods that are asked for by name.
METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        DGflow, DOT, DDLS, MetropolisHastings, DiscriminatorRejection, BudgetedRejection,
        Resampling,
    )
}  # fmt: skip


def current_settings(method: str, settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings of a method under their present names."""
    words = {"rate": "learning_rate"} if method == DOT.name else {}
    return current_words("settings", settings or {}, words)


def method_from_config(
    name: str, settings: Mapping[str, Any], constants: Mapping[str, Any]
) -> Method:
    """The tuned method that a model folder describes.

    Raises:
        ModelFileError: for an unknown method, or settings that it does not have.
    """
    known = METHODS | {RepeatedMargins.name: RepeatedMargins}
    if name not in known:
        raise ModelFileError(f"There is no method {name!r} of refinement. Save the model anew.")
    try:
        return known[name](**settings, constants=dict(constants))
    except (TypeError, ParameterError) as error:
        raise ModelFileError(
            f"The settings of {name!r} are {settings!r}, which it does not have. Save the model "
            "anew."
        ) from error
