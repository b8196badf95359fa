"""Regressions with closed forms: ridge regression, and a Gaussian process."""

import math

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["GaussianProcess", "Ridge"]

_STRENGTHS = tuple(np.logspace(-3, 4, 15))
_MOST_PRODUCTS = 800  # of which a regression with products of pairs has no more
_CHOOSING_ROWS, _MOST_ROWS = 300, 2000  # rows that scales are chosen by, and that predict
_STEPS, _RATE = 50, 0.12  # of the ascent of the marginal likelihood
_JITTER = 1e-6


class Ridge(nn.Module):
    """A linear regression whose penalty leave-one-out errors choose.

    Source: Hoerl & Kennard, *Ridge regression*, 1970.

    Buffers: ``weight`` (F,) and ``bias`` (); ``squared`` () bool, whether products of all pairs of
    the inputs come after them.
    """

    weight: Tensor
    bias: Tensor
    squared: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, squared: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.register_buffer("squared", squared)

    @classmethod
    def fit(cls, x: Tensor, y: Tensor, *, squared: bool = False) -> "Ridge":
        """Fit to rows.

        Args:
            x: (n, P) float64.
            y: (n,) float64.
            squared: whether to add the products of all pairs.
        """
        from sklearn.linear_model import RidgeCV

        terms = _with_products(x) if squared else x
        centre = terms.mean(0)
        scale = terms.std(0, correction=0)
        scale = torch.where(scale > 1e-9 * (1 + centre.abs()), scale, math.inf)
        if not terms.shape[1] or bool(scale.isinf().all()):
            return cls(torch.zeros(terms.shape[1]).double(), y.mean(), torch.tensor(squared))
        z = ((terms - centre) / scale).numpy()
        model = RidgeCV(_STRENGTHS).fit(z, y.numpy())
        coefficients, intercept = np.array(model.coef_), np.array(model.intercept_)
        weight = torch.from_numpy(coefficients.ravel()).double() / scale
        bias = torch.from_numpy(intercept.reshape(())).double() - centre @ weight
        return cls(weight, bias, torch.tensor(squared))

    @classmethod
    def from_state(cls, state: dict[str, Tensor], inputs: int) -> "Ridge":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that are no regression on so many inputs.
        """
        weight, bias, squared = state["weight"], state["bias"], state["squared"]
        if bias.shape != () or squared.shape != () or squared.dtype != torch.bool:
            raise ValueError("a ridge regression has tensors of other shapes")
        terms = inputs + inputs * (inputs + 1) // 2 * bool(squared)
        if weight.shape != (terms,) or not bool(weight.isfinite().all() and bias.isfinite()):
            raise ValueError("a ridge regression is of other inputs")
        return cls(weight, bias, squared)

    @staticmethod
    def has_products(x: Tensor) -> bool:
        """Whether the pairs of these inputs are few enough, and the rows, for their products."""
        pairs = x.shape[1] * (x.shape[1] + 1) // 2
        return x.shape[1] > 1 and pairs <= min(_MOST_PRODUCTS, 2 * len(x))

    def forward(self, x: Tensor) -> Tensor:
        """Predictions: (n, P) -> (n,)."""
        return (_with_products(x) if bool(self.squared) else x) @ self.weight + self.bias


class GaussianProcess(nn.Module):
    """A Gaussian process with a length scale for each input, a linear part, and noise.

    ``k(x, x') = a exp(-|(x - x') / l|^2 / 2) + b x.x' + s^2 [x = x']`` with scales of the highest
    marginal likelihood (Rasmussen & Williams, *Gaussian processes for machine learning*, 2006,
    equations 2.30, 5.8); of many rows some choose the scales, and more predict.

    Buffers: ``rows`` (m, P), ``gain`` (m,) so that a prediction is ``centre + k(x, rows) gain``;
    ``log_scale`` (P,) of the lengths, ``log_size`` (2,) of a and b; ``centre`` ().
    """

    rows: Tensor
    gain: Tensor
    log_scale: Tensor
    log_size: Tensor
    centre: Tensor

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        for name in self.__annotations__:
            self.register_buffer(name, parts[name])

    @classmethod
    def fit(
        cls, x: Tensor, y: Tensor, seed: int, scales: tuple[Tensor, Tensor, Tensor] | None = None
    ) -> "GaussianProcess":
        """Fit to rows.

        Args:
            x: (n, P) float64, about standardised.
            y: (n,) float64.
            seed: of the choice of rows, where there are many.
            scales: as of :meth:`scales`, of other rows of the same kind; None for those of these.
        """
        many = _some(len(x), _MOST_ROWS, seed)
        centre, scale = y.mean(), y.std().clamp_min(1e-12)
        z = (y - centre) / scale
        log_scale, log_size, log_noise = scales or cls.scales(x, y, seed)
        factor = torch.linalg.cholesky(
            _kernel(x[many], x[many], log_scale, log_size)
            + (log_noise.exp() + _JITTER) * torch.eye(len(many)).double()
        )
        gain = torch.cholesky_solve(z[many][:, None], factor)[:, 0]
        return cls(
            rows=x[many], gain=scale * gain, log_scale=log_scale, log_size=log_size, centre=centre
        )

    @staticmethod
    def scales(x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of lengths, sizes and noise that some of the rows say most for.

        Args:
            x, y, seed: as of :meth:`fit`.
        """
        few = _some(len(x), _CHOOSING_ROWS, seed)
        return _chosen_scales(x[few], (y[few] - y.mean()) / y.std().clamp_min(1e-12))

    @classmethod
    def from_state(cls, state: dict[str, Tensor], inputs: int) -> "GaussianProcess":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that are no process on so many inputs.
        """
        m = len(state["gain"])
        shapes = {
            "rows": (m, inputs), "gain": (m,), "log_scale": (inputs,), "log_size": (2,),
            "centre": (),
        }  # fmt: skip
        if any(
            state[k].shape != v or not bool(state[k].isfinite().all()) for k, v in shapes.items()
        ):
            raise ValueError("a Gaussian process has tensors of other shapes")
        return cls(**state)

    def forward(self, x: Tensor) -> Tensor:
        """Means: (n, P) -> (n,)."""
        parts = [
            _kernel(part, self.rows, self.log_scale, self.log_size) @ self.gain
            for part in x.split(4096)
        ]
        return self.centre + torch.cat(parts)


def _some(n: int, most: int, seed: int) -> Tensor:
    """Some of n rows at random."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:most]


def _with_products(x: Tensor) -> Tensor:
    """The columns and the products of all pairs of them, squares too: (n, P) -> (n, T)."""
    i, j = torch.triu_indices(x.shape[1], x.shape[1])
    return torch.cat([x, x[:, i] * x[:, j]], 1)


def _kernel(x: Tensor, y: Tensor, log_scale: Tensor, log_size: Tensor) -> Tensor:
    """Covariances of the noiseless process between rows (n, P) and (m, P)."""
    a, b = x / log_scale.exp(), y / log_scale.exp()
    square = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    smooth = (-0.5 * square.clamp_min(0.0)).exp()
    return log_size[0].exp() * smooth + log_size[1].exp() * (x @ y.T) / max(1, x.shape[1])


def _chosen_scales(x: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of lengths (P,), sizes (2,) and noise () of the highest marginal likelihood."""
    with torch.enable_grad():
        log_scale = torch.full((x.shape[1],), 0.5 * math.log(2 * x.shape[1] + 1.0)).double()
        log_scale.requires_grad_()
        log_size = torch.tensor([0.0, -1.0], dtype=torch.float64, requires_grad=True)
        log_noise = torch.tensor(-1.5, dtype=torch.float64, requires_grad=True)
        parameters = [log_scale, log_size, log_noise]
        ascent = torch.optim.Adam(parameters, lr=_RATE)
        eye = torch.eye(len(x)).double()
        for _ in range(_STEPS):
            ascent.zero_grad()
            noise = (log_noise.exp() + _JITTER) * eye
            factor = torch.linalg.cholesky(_kernel(x, x, log_scale, log_size) + noise)
            white = torch.linalg.solve_triangular(factor, z[:, None], upper=False)
            loss = 0.5 * white.square().sum() + factor.diagonal().log().sum()
            # a weak prior, by which inputs that say nothing do not leave the range of numbers
            loss = loss + 0.02 * sum(
                (p - p.detach().new_tensor(0.5)).square().sum() for p in parameters
            )
            loss.backward()
            ascent.step()
            with torch.no_grad():
                log_scale.clamp_(-2.0, 6.0)
                log_size.clamp_(-8.0, 6.0)
                log_noise.clamp_(-12.0, 3.0)
    return log_scale.detach(), log_size.detach(), log_noise.detach()
