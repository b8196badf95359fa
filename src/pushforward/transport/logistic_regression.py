"""A multinomial logistic regression: the distribution of one discrete value given others.

``P(v | phi) = softmax(W phi + b)_v`` of a basis ``phi`` of the given coordinates (McFadden,
*Conditional logit analysis*, 1973). Where its likelihood is highest the expectation of every
basis function together with every value is that of the rows, so that in samples no dependence
between two columns of the basis is lost but what the penalty of ``W`` takes; trees, which see
more, blur what is weak.

Of ordered values that are many, ``softmax_v(log m_v + s_v . (U phi + a))``: the margin ``m``
tilted along a few scores ``s`` of the values (Anderson, *Regression and ordered categorical
variables*, 1984; Luo and Tsai, *A proportional likelihood ratio model*, 2012). It has as few
weights as a linear regression, so that some dozen rows show what they have, and keeps the
expectation of every basis function together with every score.
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor, nn

__all__ = ["Basis", "Logits"]

_LEVELS = 40  # categories with a basis function of their own, the most frequent ones
_FEW = 8  # values of an ordered coordinate that have indicators each
_KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles where the slope of others may change
_FIT_ROWS, _QUICK_ROWS = 10_000, 2_000
_HEAVY, _APART = 0.05, 4.0  # share of the rows and of those of neighbours, of a value by itself
_CLASSES = 256  # of neighbouring values that are tilted alike
_ITERATIONS, _QUICK_ITERATIONS = 100, 30
_GAIN = 1e-4  # nats a row that one more step could bring, where the ascent ends
_ROTATED = 1000  # basis functions, or rows, up to which the basis is rotated to its axes


class Basis(nn.Module):
    """The basis functions of one coordinate; build it with :meth:`fit`.

    Of categories and of few values: one indicator each. Of numbers: the number in standard units
    and ``max(0, number - knot)`` for some knots, so a curve of straight pieces, and one indicator
    of each point mass.

    Buffers: ``levels`` () int64, how many indicators, 0 for numbers; ``scale`` (2,) mean and
    standard deviation, ``knots`` (K,) in standard units, and ``atoms`` (A, 2), where the cells of
    point masses begin and end, of numbers.
    """

    levels: Tensor
    scale: Tensor
    knots: Tensor
    atoms: Tensor

    def __init__(self, levels: Tensor, scale: Tensor, knots: Tensor, atoms: Tensor) -> None:
        super().__init__()
        self.register_buffer("levels", levels)
        self.register_buffer("scale", scale)
        self.register_buffer("knots", knots)
        self.register_buffer("atoms", atoms)
        self.count = int(levels) or 1 + len(knots) + len(atoms)

    @classmethod
    def fit(
        cls, column: Tensor, levels: int | None = None, atoms: Tensor | None = None
    ) -> "Basis":
        """The basis of a coordinate (n,).

        Args:
            column: numbers, or values that count from 1.
            levels: how many values there can be, None for numbers; of categories 1 is the most
                frequent.
            atoms: (A, 2) beginning and end of the cells of point masses of numbers.
        """
        none = torch.zeros(0, 2, dtype=torch.float64)
        scale = torch.tensor([0.0, 1.0], dtype=torch.float64)
        if levels is not None:
            return cls(torch.tensor(min(levels, _LEVELS)), scale, none[:, 0], none)
        column = column.double()
        scale = torch.stack([column.mean(), column.std(correction=0).clamp_min(1e-12)])
        column = (column - scale[0]) / scale[1]
        knots = column.quantile(torch.tensor(_KNOTS, dtype=torch.float64)).unique()
        return cls(torch.tensor(0), scale, knots, none if atoms is None else atoms.double())

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Basis":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        levels, scale, knots, atoms = (state[k] for k in ("levels", "scale", "knots", "atoms"))
        if (
            levels.shape != ()
            or not 0 <= int(levels) <= _LEVELS
            or scale.shape != (2,)
            or knots.ndim != 1
            or atoms.ndim != 2
            or atoms.shape[1] != 2
            or not bool(scale.isfinite().all() and scale[1] > 0 and knots.isfinite().all())
            or not bool(atoms.isfinite().all())
        ):
            raise ValueError("the basis of a logistic regression is none")
        return cls(levels, scale, knots, atoms)

    def forward(self, column: Tensor) -> Tensor:
        """Values of the basis functions: (n,) -> (n, ``count``) float32."""
        if int(self.levels):
            return (column[:, None] == torch.arange(1, int(self.levels) + 1)).float()
        z = ((column.double() - self.scale[0]) / self.scale[1]).clamp(-5, 5)[:, None]
        within = (column[:, None] >= self.atoms[:, 0]) & (column[:, None] < self.atoms[:, 1])
        return torch.cat([z, (z - self.knots).clamp_min(0), within.double()], dim=1).float()


def few_levels(count: int, nominal: bool) -> int | None:
    """How many indicators a coordinate with so many values has, None where it is a number."""
    return count if nominal or count <= _FEW else None


class Logits(nn.Module):
    """P(value | basis) for whole numbers 0 to V - 1; build it with :meth:`path`.

    Values that no row had keep the probability of the margin. Where values are tilted along
    scores, those of a class have the same score, and share what the class has as in the margin.

    Buffers: ``base`` (V,) the margin; ``seen`` (C,) int64, the values that rows had, rising, or of
    classes the highest values; ``scores`` (C, R) of the classes, (C, 0) without any; ``weight``
    (C, F), or (R, F) with scores, and ``bias`` (C,).
    """

    base: Tensor
    seen: Tensor
    scores: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(
        self, base: Tensor, seen: Tensor, scores: Tensor, weight: Tensor, bias: Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("scores", scores)
        self.register_buffer("base", base)
        self.register_buffer("seen", seen)
        # in the layout of a file: products of other layouts may differ in their last bit
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias)
        self._tilted = scores.shape[1] > 0
        if self._tilted:
            self._place = torch.searchsorted(seen, torch.arange(len(base)))
            self._mass = base.new_zeros(len(seen)).index_add(0, self._place, base)
            self._first = torch.cat([seen.new_zeros(1), seen[:-1] + 1])

    @classmethod
    def path(
        cls,
        basis: Tensor,
        value: Tensor,
        base: Tensor,
        strengths: Sequence[float],
        seed: int,
        *,
        tilted: bool = False,
        quick: bool = False,
    ) -> list["Logits"]:
        """Learn by maximum likelihood less ``|W|^2 / (2 strength)``, for each of some strengths.

        Args:
            basis: (n, F) float32.
            value: (n,) int64 in [0, V), of which rows have two values or more.
            base: (V,) float64, the margin.
            strengths: variances of the normal prior of each weight, rising; each fit begins where
                the one before ended.
            seed: of the choice of rows, where there are more than 10,000.
            tilted: along scores of the values, which are in an order.
            quick: no more than 2,000 rows, and fewer steps, to see what could be had.
        """
        most = _QUICK_ROWS if quick else _FIT_ROWS
        if len(value) > most:
            generator = torch.Generator().manual_seed(seed)
            few = torch.randperm(len(value), generator=generator)[:most]
            other = torch.nonzero(value != value[few[0]])[0, 0]
            few[-1] = torch.where((value[few] == value[few[0]]).all(), other, few[-1])
            basis, value = basis[few], value[few]
        steps = _QUICK_ITERATIONS if quick else _ITERATIONS
        if tilted:
            seen = _classes(base)
            places = torch.searchsorted(seen, torch.arange(len(base)))
            place, share = places[value], base.new_zeros(len(seen)).index_add(0, places, base)
            scores = _scores(share)
            ascent = _Ascent(basis.double(), place, share, steps, scores)
        else:
            seen, place = value.unique(return_inverse=True)
            scores = base.new_zeros(len(seen), 0)
            share = torch.bincount(place).double() / len(place)
            ascent = _Ascent(basis.double(), place, share, steps)
        return [cls(base, seen, scores, *ascent.to_optimum(strength)) for strength in strengths]

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Logits":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        base, seen, weight, bias = (state[k] for k in ("base", "seen", "weight", "bias"))
        # before many ordered values were tilted no regression had any
        scores = state.get("scores", base.new_zeros(len(seen), 0))
        if (
            seen.dtype != torch.long
            or weight.ndim != 2
            or scores.ndim != 2
            or not len(seen) == len(scores) == len(bias) >= 2
            or len(weight) != (scores.shape[1] or len(seen))
            or not bool(scores.isfinite().all())
            or bool((seen.diff() <= 0).any() or seen[0] < 0 or seen[-1] >= len(base))
            or (scores.shape[1] > 0 and int(seen[-1]) != len(base) - 1)
            or not bool(weight.isfinite().all() and bias.isfinite().all() and (base > 0).all())
        ):
            raise ValueError("a logistic regression has weights of another shape")
        return cls(base, seen, scores, weight, bias)

    def probability(self, basis: Tensor) -> Tensor:
        """P of every value: (n, F) -> (n, V) float64, rows sum to one."""
        share = self._logit(basis).softmax(1)
        if self._tilted:
            return share[:, self._place] * (self.base / self._mass[self._place])
        p = self.base.repeat(len(basis), 1)
        p[:, self.seen] = self.base[self.seen].sum() * share
        return p

    def log_prob(self, basis: Tensor, value: Tensor) -> Tensor:
        """Log probability of the values: (n, F) and (n,) int64 -> (n,) float64."""
        place = torch.searchsorted(self.seen, value.contiguous()).clamp_max(len(self.seen) - 1)
        log_p = self._logit(basis).log_softmax(1).gather(1, place[:, None])[:, 0]
        log_base = self.base[value].log()
        if self._tilted:
            return log_p + log_base - self._mass[place].log()
        known = self.seen[place] == value
        return torch.where(known, log_p + self.base[self.seen].sum().log(), log_base)

    def sample(self, basis: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a value for each row of the basis: (n, F) -> (n,) int64."""
        if not self._tilted:
            p = self.probability(basis)
            return torch.multinomial(p, 1, replacement=True, generator=generator)[:, 0]
        share = self._logit(basis).softmax(1)
        place = torch.multinomial(share, 1, replacement=True, generator=generator)[:, 0]
        first, last, above = self._first[place], self.seen[place], self.base.cumsum(0)
        part = torch.rand(len(place), generator=generator, dtype=share.dtype)
        level = above[last] - part * self._mass[place]
        value = torch.searchsorted(above, level, right=True)
        return torch.minimum(torch.maximum(value, first), last)

    def _logit(self, basis: Tensor) -> Tensor:
        """Logarithms of what the values or classes count, (n, C)."""
        logit = basis.double() @ self.weight.T
        return (logit @ self.scores.T if self._tilted else logit) + self.bias


def _classes(base: Tensor) -> Tensor:
    """The highest values (C,) of classes of neighbouring values, about as many rows in each.

    Args:
        base: (V,) the margin; a value of more than a class should have is one of its own.
    """
    if len(base) <= _CLASSES:
        return torch.arange(len(base))
    level = (base.cumsum(0) / base.sum() * (_CLASSES // 2)).floor()
    heavy = base * (_CLASSES // 2) >= base.sum()
    ends = torch.cat([level[1:] > level[:-1], heavy.new_ones(1)])
    ends |= heavy
    ends[:-1] |= heavy[1:]
    return torch.nonzero(ends)[:, 0]


def _scores(base: Tensor) -> Tensor:
    """Scores (C, R) of ordered classes, each with mean 0 and variance 1 under the margin (C,).

    Indicators of classes that many rows have and of whose neighbours hardly any, such as zeros;
    normal scores of the ranks among the rest, by which its values move with the basis; and the
    squares of these, by which they spread.
    """
    base = base / base.sum()
    beside = torch.nn.functional.pad(base, (1, 1))
    beside = torch.maximum(beside[:-2], beside[2:])
    heavy = torch.nonzero(base >= (_APART * beside).clamp_min(_HEAVY))[:, 0]
    rest = base.index_fill(0, heavy, 0.0)
    middle = (rest.cumsum(0) - 0.5 * rest) / rest.sum().clamp_min(1e-12)
    rank = torch.special.ndtri(middle.clamp(0.5 * base.min(), 1 - 0.5 * base.min()))
    one_each = (torch.arange(len(base)) == heavy[:, None]).double()
    found: list[Tensor] = []
    for score in (*one_each, rank, rank**2):
        score = score - (base * score).sum()
        size = (base * score**2).sum().sqrt()
        for other in found:
            score = score - (base * score * other).sum() * other
        left = (base * score**2).sum().sqrt()
        if left > 1e-6 * size:
            found.append((score - (base * score).sum()) / left)
    return torch.stack(found, 1)


class _Ascent:
    """The ascent of the penalised likelihood of one value, from one strength to the next.

    By L-BFGS in coordinates where the curvature is nearly one in all directions. It is at most
    that of ``p (1 - p)`` times the products of the basis (Boehning, *Multinomial logistic
    regression algorithm*, 1992), plus that of the penalty: in the axes of the products, each
    scaled by its root, the ascent takes a fifth of the steps that it takes in the basis itself,
    whose functions of one column are nearly multiples of each other.

    Args:
        basis: (n, F) float64.
        value: (n,) int64 in [0, C).
        share: (C,) of the values, with which the ascent begins.
        steps: of each ascent, at most.
        scores: (C, R), which the weights go along; None where each value has its own.
    """

    def __init__(
        self,
        basis: Tensor,
        value: Tensor,
        share: Tensor,
        steps: int,
        scores: Tensor | None = None,
    ) -> None:
        self._options = {"maxiter": steps, "gtol": 0.0, "ftol": 0.0}
        self._mean = basis.mean(0)
        self._scores, self._products, self._axes = _principal(basis - self._mean)
        self._value = value
        self._rows = torch.nn.functional.one_hot(value, len(share)).double()
        self._along = scores
        self._offset = share.log() - share.log().mean()
        if scores is None:
            self._curvature = float((share * (1 - share)).mean())
            self._bias, self._offset = self._offset, 0 * self._offset
        else:
            self._curvature = 1.0  # the variance of a score
            self._bias = share.new_zeros(scores.shape[1])
        self._weight = self._scores.new_zeros(len(self._bias), self._scores.shape[1])

    def to_optimum(self, strength: float) -> tuple[Tensor, Tensor]:
        """Weights and biases (C,) where ``log L - |W|^2 / (2 strength)`` is highest.

        The weights are (C, F), or (R, F) along scores.
        """
        n = len(self._value)
        scale = (self._curvature * self._products + 1 / strength).rsqrt()
        scores, penalty = self._scores * scale, scale**2 / strength
        unit = (self._curvature * n) ** -0.5  # of the biases
        slope = np.zeros(0)

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal slope
            weight, bias = self._parts(parameters)
            logit = scores @ weight.T + unit * bias
            if self._along is not None:
                logit = logit @ self._along.T + self._offset
            total = logit.logsumexp(1)
            shrunk = penalty * weight
            value = total.sum() - (self._rows * logit).sum() + 0.5 * (shrunk * weight).sum()
            error = (logit - total[:, None]).exp() - self._rows
            if self._along is not None:
                error = error @ self._along
            slope = torch.cat([(error.T @ scores + shrunk).flatten(), unit * error.sum(0)]).numpy()
            return float(value), slope

        def near(intermediate_result: OptimizeResult) -> None:
            # half of the squared slope is what a step brings where the curvature is one
            if 0.5 * float(slope @ slope) <= _GAIN * n:
                raise StopIteration

        start = torch.cat([(self._weight / scale).flatten(), self._bias / unit]).numpy()
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", callback=near, options=self._options
        )
        weight, bias = self._parts(found.x)
        self._weight, self._bias = weight * scale, unit * bias
        weight = self._weight if self._axes is None else self._weight @ self._axes.T
        bias = self._bias - weight @ self._mean
        return weight, bias if self._along is None else self._along @ bias + self._offset

    def _parts(self, parameters: np.ndarray) -> tuple[Tensor, Tensor]:
        """Weights and biases of a vector of both."""
        weight, bias = torch.from_numpy(parameters).tensor_split([self._weight.numel()])
        return weight.view_as(self._weight), bias


def _principal(basis: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """The rows of a centred basis (n, F) in the axes of its products.

    Returns:
        Coordinates (n, K), their squared lengths (K,), and the axes (F, K); for bases that are
        large in both directions, of which the axes would take longer than the ascent, the basis
        as it is and None.
    """
    n, functions = basis.shape
    if min(n, functions) > _ROTATED:
        return basis, (basis**2).sum(0), None
    if functions <= n:
        products, axes = torch.linalg.eigh(basis.T @ basis)
        return basis @ axes, products.clamp_min(0), axes
    # weights are sums of rows where the penalised likelihood is highest
    products, rows = torch.linalg.eigh(basis @ basis.T)
    there = products > 1e-12 * products[-1]
    length = products[there].sqrt()
    return rows[:, there] * length, products[there], basis.T @ (rows[:, there] / length)
