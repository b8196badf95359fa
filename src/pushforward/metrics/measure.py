"""A figure with its uncertainty and where it comes from."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..deprecation import warn_of_old_name
from ..errors import DataError

__all__ = ["Measure", "entry_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class Measure:
    """One figure of a comparison, with what is needed to trust and repeat it.

    Attributes:
        name: what was measured; the same name is always the same definition.
        value: the figure, always finite.
        interval: (low, high), 95 % confidence, or None where there is none to be had.
        better: "lower", "higher", or None where neither is.
        details: JSON values: ``n_real``, ``n_generated``, features, preprocessing, precision,
            seed, how the interval was made, and what else the measure found on its way.
        warnings: sentences on what makes the figure less trustworthy than it looks.

    Raises:
        DataError: if the value is not finite: a measure never returns NaN.

    Examples:
        >>> print(Measure("fid", 12.34, (11.9, 12.8), "lower", {"n_real": 5000}))
        fid 12.34 [11.9, 12.8], lower is better
    """

    name: str
    value: float
    interval: tuple[float, float] | None = None
    better: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ends = () if self.interval is None else self.interval
        if not all(math.isfinite(x) for x in (self.value, *ends)):
            raise DataError(
                f"{self.name} came out as {self.value} with the interval {self.interval}. "
                "Expected finite numbers: look for constant or huge columns in the samples."
            )

    @property
    def limitation(self) -> str:
        """The limitation of the measure; empty for one that is not of this package."""
        from .limitations import limitation_of

        return limitation_of(self.name)

    @property
    def blind_to(self) -> str:
        """The old name of :attr:`limitation`, for one release."""
        warn_of_old_name("blind_to", "limitation")
        return self.limitation

    def to_dict(self) -> dict[str, Any]:
        """Return the measure as JSON values."""
        return {
            "name": self.name,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "better": self.better,
            "details": dict(self.details),
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        ends = "" if self.interval is None else " [{:.4g}, {:.4g}]".format(*self.interval)
        direction = f", {self.better} is better" if self.better else ""
        return f"{self.name} {self.value:.4g}{ends}{direction}"


def entry_of(table: Mapping[str, T], name: str) -> T | None:
    """The entry of a measure in a table: by its name, without the brackets, or the number.

    >>> entry_of({"auroc": 1, "js": 2}, "auroc [level 2]"), entry_of({"js": 2}, "js_4")
    (1, 2)
    """
    plain = name.partition(" ")[0]
    keys = (name, plain, re.sub(r"_\d+$", "", plain))
    return next((table[key] for key in keys if key in table), None)
