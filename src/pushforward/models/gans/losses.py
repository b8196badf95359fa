"""The table of loss pairs: what the critic minimises, and what its player does."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from ...validation import OneOf, check

__all__ = ["LOSSES", "LossPair", "find_loss"]

Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LossPair:
    """Losses of a critic and of the player against it, each of logits, elementwise.

    Attributes:
        real, fake: the critic's losses of data and of samples.
        player: the generator's loss of samples.
        at_rest: ``real + fake`` of the best critic where samples and data have one distribution.
        threshold: logit above which the critic takes an image for data.
        relative: every logit counts by how far it is above that of one row of the other kind.
    """

    real: Elementwise
    fake: Elementwise
    player: Elementwise
    at_rest: float
    threshold: float = 0.0
    relative: bool = False

    def critic(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The critic's loss of a batch of logits (n,) each, as named terms.

        Besides "real" and "fake" two that have no gradient are there for the log: how many
        images it places right, and how far the loss is from rest.
        """
        if self.relative:
            real, fake = real - fake, fake - real
        terms = {"real": self.real(real).mean(), "fake": self.fake(fake).mean()}
        return terms | self.diagnostics(terms, real, fake)

    def generator(self, fake: Tensor, real: Tensor) -> Tensor:
        """The generator's loss of a batch of logits (n,) each, a mean.

        Those of data count only where the loss is relative.
        """
        return self.player(fake - real if self.relative else fake).mean()

    @torch.no_grad()
    def diagnostics(
        self, terms: Mapping[str, Tensor], real: Tensor, fake: Tensor, sides: float = 1.0
    ) -> dict[str, Tensor]:
        """Accuracy, and the loss as a multiple of its value at rest, where that is not 0."""
        right = (real > self.threshold).float().mean() + (fake <= self.threshold).float().mean()
        if not self.at_rest:
            return {"accuracy": right / 2}
        rest = torch.stack([*terms.values()]).sum() / (sides * self.at_rest)
        return {"accuracy": right / 2, "of_rest": rest}


def _minus(logit: Tensor) -> Tensor:
    return -logit


def _real_of_bce(logit: Tensor) -> Tensor:
    return softplus(-logit)


def _half(loss: Elementwise) -> Elementwise:
    return lambda logit: loss(logit) / 2


#: By name. Goodfellow et al. 2014 ("minimax", eq. 1; "non-saturating", section 3); Rosca et al.
#: 2017 ("ratio": the density ratio log D/(1 - D) *is* the logit); Lim and Ye 2017 ("hinge");
#: Arjovsky et al. 2017 ("wasserstein"); Mao et al. 2017, eq. 9 ("least-squares");
#: Jolicoeur-Martineau 2019, of pairs ("relativistic": both terms are half of one
#: cross-entropy, of which of two rows is the image; the best logit is the log density ratio
#: plus one constant, which no difference shows).
LOSSES: Mapping[str, LossPair] = {
    "non-saturating": LossPair(_real_of_bce, softplus, _real_of_bce, 2 * math.log(2)),
    "minimax": LossPair(_real_of_bce, softplus, lambda f: -softplus(f), 2 * math.log(2)),
    "ratio": LossPair(_real_of_bce, softplus, _minus, 2 * math.log(2)),
    "hinge": LossPair(lambda r: relu(1 - r), lambda f: relu(1 + f), _minus, 2.0),
    "wasserstein": LossPair(_minus, lambda f: f, _minus, 0.0),
    "least-squares": LossPair(
        lambda r: (r - 1).square() / 2,
        lambda f: f.square() / 2,
        lambda f: (f - 1).square() / 2,
        0.25,
        threshold=0.5,
    ),
    "relativistic": LossPair(
        _half(_real_of_bce), _half(softplus), _real_of_bce, math.log(2), relative=True
    ),
}


def find_loss(name: str) -> LossPair:
    """The pair of that name.

    Raises:
        ParameterError: naming the known ones.

    Examples:
        >>> pair = find_loss("ratio")
        >>> pair.player(torch.tensor([2.0]))
        tensor([-2.])
    """
    check({"loss": OneOf(*LOSSES)}, {"loss": name})
    return LOSSES[name]
