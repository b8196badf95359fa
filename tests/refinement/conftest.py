"""Sets and ratios that are known exactly."""

import math

import numpy as np
import pytest
import torch

import pushforward
from pushforward.metrics import grid_of_gaussians
from pushforward.refinement import cost_estimate, density_ratio, ratio_network
from pushforward.refinement.dgflow_search import Search
from pushforward.refinement.methods import dgflow


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


@pytest.fixture(autouse=True, scope="session")
def _short():
    """Networks that learn, and searches that look, as little as tells right from wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratio_network, "_WIDTH", 4)
        patch.setattr(density_ratio, "_POOLED", 400)
        patch.setattr(density_ratio, "_STEPS", 40)
        patch.setattr(density_ratio, "_STEPS_THAT_WEIGH", 40)
        for module in (dgflow, cost_estimate):
            patch.setattr(
                module, "search_of", lambda n: Search(200, (0.01, 0.03), (0.5,), (5, 20))
            )
        yield


@pytest.fixture(scope="session")
def table():
    """A model of a table that is off in one column, and the table."""
    import pandas as pd

    rng = np.random.default_rng(0)
    n = 700
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "kind": np.array(["a", "b"])[(rng.random(n) < 0.3).astype(int)],
        }
    )
    model = pushforward.GIS(max_layers=1, search_steps=3, random_state=0).fit(frame)
    return model, frame.assign(size=frame["size"] * 0.4 + 1.0)


@pytest.fixture(scope="session")
def pictures():
    """A GAN that has seen next to nothing, and images."""
    rng = np.random.default_rng(0)
    level = rng.integers(0, 256, (400, 1, 1))
    X = np.clip(level + rng.integers(-20, 20, (400, 16, 16)), 0, 255).astype(np.uint8)
    model = pushforward.DCGAN(width=4, latent=8, steps=3, batch_size=8, random_state=0)
    return model.fit(X), X
