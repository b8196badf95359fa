"""Points in the plane that papers on samplers are tried on, drawn exactly."""

from typing import Any

import numpy as np

from ..deprecation import renamed
from ..validation import as_seed

__all__ = ["gaussian_grid", "swiss_roll"]

_SPACING, _SD, _SCALE = 2.0, 0.05, 2.828
_ROLL_SCALE = 7.5


@renamed(seed="random_state")
def gaussian_grid(n: int = 10_000, side: int = 5, random_state: Any = 0) -> Any:
    """Draw a frame (n, 2) of columns x and y: side² normal distributions of equal shares.

    Their means are two apart, their standard deviation is 0.05, and all is divided by 2.828, as
    in the toy experiments of Gulrajani et al., *Improved Training of Wasserstein GANs* (2017);
    :func:`pushforward.metrics.grid_of_gaussians` gives the means.

    Args:
        n: number of rows.
        side: of the square of means.
        random_state: random seed.

    >>> gaussian_grid(4).shape
    (4, 2)
    """
    seed = as_seed(random_state)
    rng = np.random.default_rng(seed)
    means = _SPACING * (rng.integers(side, size=(n, 2)) - (side - 1) / 2)
    return _frame((means + _SD * rng.normal(size=(n, 2))) / _SCALE)


@renamed(seed="random_state")
def swiss_roll(n: int = 10_000, noise: float = 0.25, random_state: Any = 0) -> Any:
    """Draw a frame (n, 2) of columns x and y: a spiral of one and a half turns.

    The first and last column of scikit-learn's ``make_swiss_roll(noise=0.25)``, divided by 7.5.

    Args:
        n: number of rows.
        noise: standard deviation of the normal noise, before the division.
        random_state: random seed.

    >>> swiss_roll(4).shape
    (4, 2)
    """
    seed = as_seed(random_state)
    rng = np.random.default_rng(seed)
    t = 1.5 * np.pi * (1 + 2 * rng.random(n))
    curve = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
    return _frame((curve + noise * rng.normal(size=(n, 2))) / _ROLL_SCALE)


def _frame(points: np.ndarray) -> Any:
    import pandas as pd

    return pd.DataFrame(points, columns=["x", "y"])
