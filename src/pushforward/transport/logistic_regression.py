"""A multinomial logistic regression: the distribution of one discrete value given others.

``P(v | phi) = softmax(W phi + b)_v`` of a basis ``phi`` of the given coordinates (McFadden,
*Conditional logit analysis*, 1973). Where its likelihood is highest the expectation of every
basis function together with every value is that of the rows, so that in samples no dependence
between two columns of the basis is lost but what the penalty of ``W`` takes; trees, which see
more, blur what is weak.
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

    Values that no row had keep the probability of the margin.

    Buffers: ``base`` (V,) the margin; ``seen`` (C,) int64, the values that rows had, rising;
    ``weight`` (C, F) and ``bias`` (C,).
    """

    base: Tensor
    seen: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, base: Tensor, seen: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("base", base)
        self.register_buffer("seen", seen)
        # in the layout of a file: products of other layouts may differ in their last bit
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias)

    @classmethod
    def path(
        cls,
        basis: Tensor,
        value: Tensor,
        base: Tensor,
        strengths: Sequence[float],
        seed: int,
        *,
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
            quick: no more than 2,000 rows, and fewer steps, to see what could be had.
        """
        most = _QUICK_ROWS if quick else _FIT_ROWS
        if len(value) > most:
            generator = torch.Generator().manual_seed(seed)
            few = torch.randperm(len(value), generator=generator)[:most]
            other = torch.nonzero(value != value[few[0]])[0, 0]
            few[-1] = torch.where((value[few] == value[few[0]]).all(), other, few[-1])
            basis, value = basis[few], value[few]
        seen, place = value.unique(return_inverse=True)
        steps = _QUICK_ITERATIONS if quick else _ITERATIONS
        ascent = _Ascent(basis.double(), place, len(seen), steps)
        return [cls(base, seen, *ascent.to_optimum(strength)) for strength in strengths]

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "Logits":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that do not belong together.
        """
        base, seen, weight, bias = (state[k] for k in ("base", "seen", "weight", "bias"))
        if (
            seen.dtype != torch.long
            or weight.ndim != 2
            or not len(seen) == len(weight) == len(bias) >= 2
            or bool((seen.diff() <= 0).any() or seen[0] < 0 or seen[-1] >= len(base))
            or not bool(weight.isfinite().all() and bias.isfinite().all() and (base > 0).all())
        ):
            raise ValueError("a logistic regression has weights of another shape")
        return cls(base, seen, weight, bias)

    def probability(self, basis: Tensor) -> Tensor:
        """P of every value: (n, F) -> (n, V) float64, rows sum to one."""
        p = self.base.repeat(len(basis), 1)
        room = self.base[self.seen].sum()
        p[:, self.seen] = room * (basis.double() @ self.weight.T + self.bias).softmax(1)
        return p

    def log_prob(self, basis: Tensor, value: Tensor) -> Tensor:
        """Log probability of the values: (n, F) and (n,) int64 -> (n,) float64."""
        log_p = (basis.double() @ self.weight.T + self.bias).log_softmax(1)
        place = torch.searchsorted(self.seen, value.contiguous()).clamp_max(len(self.seen) - 1)
        known = self.seen[place] == value
        log_p = log_p.gather(1, place[:, None])[:, 0] + self.base[self.seen].sum().log()
        return torch.where(known, log_p, self.base[value].log())

    def sample(self, basis: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a value for each row of the basis: (n, F) -> (n,) int64."""
        p = self.probability(basis)
        return torch.multinomial(p, 1, replacement=True, generator=generator)[:, 0]


class _Ascent:
    """The ascent of the penalised likelihood of one value, from one strength to the next.

    By L-BFGS in coordinates where the curvature is nearly one in all directions. It is at most
    that of ``p (1 - p)`` times the products of the basis (Boehning, *Multinomial logistic
    regression algorithm*, 1992), plus that of the penalty: in the axes of the products, each
    scaled by its root, the ascent takes a fifth of the steps that it takes in the basis itself,
    whose functions of one column are nearly multiples of each other.

    Args:
        basis: (n, F) float64.
        value: (n,) int64 in [0, C), all of which are there.
        count: C.
        steps: of each ascent, at most.
    """

    def __init__(self, basis: Tensor, value: Tensor, count: int, steps: int) -> None:
        self._options = {"maxiter": steps, "gtol": 0.0, "ftol": 0.0}
        self._mean = basis.mean(0)
        self._scores, self._products, self._axes = _principal(basis - self._mean)
        self._value = value
        self._rows = torch.nn.functional.one_hot(value, count).double()
        share = self._rows.mean(0)
        self._curvature = float((share * (1 - share)).mean())
        self._weight = self._scores.new_zeros(count, self._scores.shape[1])
        self._bias = share.log() - share.log().mean()

    def to_optimum(self, strength: float) -> tuple[Tensor, Tensor]:
        """Weights (C, F) and biases (C,) where ``log L - |W|^2 / (2 strength)`` is highest."""
        n = len(self._value)
        scale = (self._curvature * self._products + 1 / strength).rsqrt()
        scores, penalty = self._scores * scale, scale**2 / strength
        unit = (self._curvature * n) ** -0.5  # of the biases
        slope = np.zeros(0)

        def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal slope
            weight, bias = self._parts(parameters)
            logit = scores @ weight.T + unit * bias
            total = logit.logsumexp(1)
            shrunk = penalty * weight
            value = total.sum() - (self._rows * logit).sum() + 0.5 * (shrunk * weight).sum()
            error = (logit - total[:, None]).exp() - self._rows
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
        return weight, self._bias - weight @ self._mean

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
