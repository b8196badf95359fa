"""The predictive distribution of a target: what :meth:`Predictor.given` returns."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError, ParameterError
from ...estimators.parameters import drawn_seed
from ...estimators.piecewise import Pieces
from ...validation import COUNT, Number, check

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ClassDistribution", "PredictiveDistribution"]


class PredictiveDistribution:
    """Distributions of the target given the inputs of n rows.

    Made by :meth:`~pushforward.Predictor.given`. Numbers are in the units of the target, and
    dates are dates.

    Args:
        pieces: of the first row to the last of a block, their distributions in pieces.
        log_prob: of targets (n,), their log densities.
        n: number of rows.
        write: numbers as the target has them.
        block: rows whose distributions are held at once.
    """

    def __init__(
        self,
        pieces: Callable[[int, int], Pieces],
        log_prob: Callable[[Any], np.ndarray],
        n: int,
        write: Callable[[np.ndarray], np.ndarray],
        block: int,
    ) -> None:
        self._pieces_of, self._log_prob, self._n, self._write = pieces, log_prob, n, write
        self._size = block
        self._kept: tuple[int, Pieces] | None = None

    def __len__(self) -> int:
        return self._n

    def mean(self) -> np.ndarray:
        """Means, (n,)."""
        return self._write(self._mean())

    def std(self) -> np.ndarray:
        """Standard deviations, (n,); of dates in their unit."""
        return self._over(Pieces.std)

    def quantile(self, q: float = 0.5) -> np.ndarray:
        """Quantiles, (n,).

        Args:
            q: share of the probability below, above 0 and below 1.
        """
        check({"q": Number(0, 1)}, {"q": q})
        return self._write(self._over(lambda pieces: pieces.quantile_of_mixture(q)))

    def interval(self, level: float = 0.9) -> np.ndarray:
        """Central intervals, (n, 2): low and high ends.

        Args:
            level: probability inside, above 0 and below 1.
        """
        check({"level": Number(0, 1)}, {"level": level})
        return np.stack([self.quantile(0.5 - level / 2), self.quantile(0.5 + level / 2)], axis=1)

    def cdf(self, value: Any) -> np.ndarray:
        """Probabilities that the target is at most a number, or a number for each row: (n,)."""
        at = np.broadcast_to(np.asarray(value, dtype=float), (self._n,))
        return np.concatenate([self._block(a, b).cdf(at[a:b]) for a, b in self._blocks()])

    def prob(self, low: float | None = None, high: float | None = None) -> np.ndarray:
        """Probabilities that the target is in a range, (n,).

        Args:
            low, high: its ends, both of which belong to it; None for no end.
        """
        if low is None and high is None:
            raise ParameterError("low and high are None. Expected one end of the range at least.")
        above = 1.0 if high is None else self.cdf(high)
        # just below, so that a value with a probability of its own at the end belongs to it
        below = 0.0 if low is None else self.cdf(np.nextafter(low, -np.inf))
        return np.broadcast_to(np.maximum(above - below, 0.0), (self._n,)).copy()

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw targets, (n, n_samples).

        Args:
            n_samples: of each row.
            random_state: seed, RandomState, or None for numpy's global one.
        """
        check({"n_samples": COUNT}, {"n_samples": n_samples})
        rng = np.random.default_rng(drawn_seed(random_state))
        drawn = np.concatenate(
            [self._block(a, b).sample(n_samples, rng) for a, b in self._blocks()]
        )
        return self._write(drawn.reshape(-1)).reshape(drawn.shape)

    def log_prob(self, y: Any) -> np.ndarray:
        """Log densities of targets, (n,), in nats in the units of the target.

        Whole numbers and other values with a probability of their own count with that.

        Args:
            y: (n,) targets.
        """
        return self._log_prob(y)

    # --- blocks of rows ---------------------------------------------------------------------

    def _mean(self) -> np.ndarray:
        return self._over(Pieces.mean)

    def _blocks(self) -> Iterator[tuple[int, int]]:
        return ((a, min(a + self._size, self._n)) for a in range(0, self._n, self._size))

    def _block(self, a: int, b: int) -> Pieces:
        if self._kept is None or self._kept[0] != a:
            self._kept = a, self._pieces_of(a, b)
        return self._kept[1]

    def _over(self, statistic: Callable[[Pieces], np.ndarray]) -> np.ndarray:
        """A statistic of the pieces of every row, (n,)."""
        return np.concatenate([statistic(self._block(a, b)) for a, b in self._blocks()])


class ClassDistribution:
    """Probabilities of the classes given the inputs of n rows: of categories and booleans.

    Made by :meth:`~pushforward.Predictor.given`.

    Args:
        classes: (C,) the classes, sorted.
        probability: (n, C).
    """

    def __init__(self, classes: np.ndarray, probability: np.ndarray) -> None:
        self.classes, self.probability = classes, probability

    def __len__(self) -> int:
        return len(self.probability)

    def mode(self) -> np.ndarray:
        """The most probable classes, (n,)."""
        return self.classes[self.probability.argmax(1)]

    def log_prob(self, y: Any) -> np.ndarray:
        """Log probabilities of classes (n,), in nats.

        Raises:
            DataError: for a class that was not there in fit.
        """
        y = np.asarray(y)
        place = {value: i for i, value in enumerate(self.classes.tolist())}
        if unknown := set(y.tolist()) - set(place):
            raise DataError(
                f"The classes {sorted(map(str, unknown))[:5]} were not there in fit. Expected "
                f"some of {self.classes.tolist()[:20]}."
            )
        index = np.array([place[value] for value in y.tolist()], dtype=int)
        return np.log(self.probability[np.arange(len(y)), index])

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw classes, (n, n_samples)."""
        check({"n_samples": COUNT}, {"n_samples": n_samples})
        rng = np.random.default_rng(drawn_seed(random_state))
        total = self.probability.cumsum(1)
        u = rng.random((len(total), n_samples, 1)) * total[:, None, -1:]
        return self.classes[(total[:, None, :] < u).sum(2).clip(max=len(self.classes) - 1)]

    def to_frame(self) -> "pd.DataFrame":
        """The probabilities as a pandas frame with a column for each class."""
        import pandas as pd

        return pd.DataFrame(self.probability, columns=list(self.classes))
