"""Discriminator optimal transport: nearest points that a 1-Lipschitz critic finds real."""

import torch
from torch import Tensor

from ...deprecation import renamed
from ...errors import DataError
from ...validation import COUNT, POSITIVE, check
from ..logit_gradients import BATCH, Score, in_batches, value_and_gradient

__all__ = ["dot", "lipschitz_estimate"]


def lipschitz_estimate(
    score: Score,
    points: Tensor,
    *,
    generator: torch.Generator | None = None,
    pairs: int = 100,
    repeats: int = 10,
    batch_size: int = BATCH,
) -> float:
    """The largest slope of the score between random pairs of points, averaged over repeats.

    A maximum over few pairs: it moves by half from one draw to the next, and so does the
    quality of what :func:`dot` makes with it. More pairs give a larger constant, which moves
    points less.

    Source: Tanaka, "Discriminator optimal transport", 2019 (its effective K).

    Args:
        score: of points.
        points: (n, ...), at least two different ones.
        generator: of the pairs.
        pairs, repeats: maxima over so many pairs, averaged over so many repeats.
        batch_size: points whose activations are held in memory at once.

    Raises:
        DataError: if all points are the same or the score is constant.

    Examples:
        >>> x = torch.linspace(0, 1, 50)[:, None]
        >>> round(lipschitz_estimate(lambda x: 3 * x[:, 0], x), 3)
        3.0
    """
    index = torch.randint(len(points), (2, repeats * pairs), generator=generator)
    a, b = points[index[0].to(points.device)], points[index[1].to(points.device)]
    ends = (in_batches(score, end, batch_size) for end in (a, b))
    rise = torch.sub(*ends).abs().flatten()
    distance = (a - b).flatten(1).norm(dim=1)
    slope = torch.where(distance > 0, rise / distance.clamp(min=1e-30), 0.0)
    constant = float(slope.reshape(repeats, pairs).amax(dim=1).mean())
    if not constant > 0:
        raise DataError(
            f"The steepest slope between {len(points)} points is {constant}. Expected points "
            "that differ and a score that tells them apart."
        )
    return constant


@renamed(rate="learning_rate")
def dot(
    start: Tensor,
    score: Score,
    constant: float,
    *,
    steps: int = 100,
    learning_rate: float = 0.01,
    low: float | None = None,
    high: float | None = None,
    sphere: bool = False,
    batch_size: int = BATCH,
) -> Tensor:
    """Minimise ``|x - y| - d(x) / K`` over x from x = y, by Adam (0, 0.9).

    Deterministic, and each point for itself. The minimum need not be unique, so that descent may
    stop between a point and its place (the author's erratum of 2023).

    Source: Tanaka, "Discriminator optimal transport", 2019.

    Args:
        start: y, (n, ...).
        score: d of points.
        constant: K, such as :func:`lipschitz_estimate` gives.
        steps: of Adam.
        learning_rate: of Adam.
        low, high: bounds of every coordinate, as of a uniform prior or of pixels.
        sphere: take out the part of the gradient along the point itself: for latents of a
            normal prior in many dimensions, whose mass lies on a sphere. (The released code
            divides by sqrt(128) there, which projects on nothing; here it is the projection.)
        batch_size: points whose activations are held in memory at once.

    Raises:
        ParameterError: if the constant, steps or learning_rate is not positive.

    Examples:
        >>> dot(torch.zeros(1, 1), lambda x: 2 * x[:, 0], constant=1.0, steps=10)
        tensor([[0.1000]])
        >>> dot(torch.zeros(1, 1), lambda x: 2 * x[:, 0], constant=4.0, steps=10).abs() < 0.02
        tensor([[True]])
    """
    check(
        {"constant": POSITIVE, "steps": COUNT, "learning_rate": POSITIVE},
        {"constant": constant, "steps": steps, "learning_rate": learning_rate},
    )
    origin = start.detach()
    axes = tuple(range(1, start.ndim))
    points, second = origin, torch.zeros_like(origin)
    for number in range(1, steps + 1):
        _, slope = value_and_gradient(score, points, batch_size)
        away = points - origin + 1e-3  # the norm has no gradient at the start itself
        gradient = away / away.square().sum(dim=axes, keepdim=True).sqrt() - slope / constant
        if sphere:
            along = (points * gradient).sum(dim=axes, keepdim=True)
            length = points.square().sum(dim=axes, keepdim=True).clamp(min=1e-12)
            gradient = gradient - points * along / length
        second = 0.9 * second + 0.1 * gradient.square()
        points = points - learning_rate * gradient / ((second / (1 - 0.9**number)).sqrt() + 1e-8)
        if low is not None or high is not None:
            points = points.clamp(low, high)
    return points
