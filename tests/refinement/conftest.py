"""Sets and ratios that are known exactly."""

import math

import pytest
import torch

from pushforward.metrics import grid_of_gaussians


class Grid:
    """The 25 Gaussians, a generator that smears most of them, and the exact logit between."""

    wide, share = 0.12, 0.75

    def __init__(self):
        centres, self.sd = grid_of_gaussians()
        self.centres = torch.from_numpy(centres).float()

    def real(self, n, generator):
        return self._at_modes(n, torch.full((n,), self.sd), generator)

    def generated(self, n, generator):
        smeared = torch.rand(n, generator=generator) < self.share
        return self._at_modes(n, torch.where(smeared, self.wide, 1.5 * self.sd), generator)

    def logit(self, x):
        parts = self._log_density(x, self.wide), self._log_density(x, 1.5 * self.sd)
        generated = torch.logaddexp(
            parts[0] + math.log(self.share), parts[1] + math.log(1 - self.share)
        )
        return self._log_density(x, self.sd) - generated

    def _at_modes(self, n, sd, generator):
        middle = self.centres[torch.randint(25, (n,), generator=generator)]
        return middle + sd[:, None] * torch.randn(n, 2, generator=generator)

    def _log_density(self, x, sd):
        square = (x[:, None] - self.centres).square().sum(dim=-1)
        return torch.logsumexp(-square / (2 * sd**2), dim=1) - 2 * math.log(sd)


@pytest.fixture(scope="session")
def grid():
    return Grid()


@pytest.fixture(scope="session")
def shifted():
    """Logit of N(1, 1) over N(0, 1)."""
    return lambda x: x[:, 0] - 0.5
