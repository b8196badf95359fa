"""One thread and fixed seeds, so that every test gives the same result on every run."""

from pathlib import Path

import numpy as np
import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds():
    np.random.seed(0)  # noqa: NPY002 (random_state=None reads this one)
    # without an accelerator torch.manual_seed only notes what to do, and where it was called
    if torch.accelerator.is_available():
        torch.manual_seed(0)
    torch.default_generator.manual_seed(0)


@pytest.fixture
def few_folds(monkeypatch):
    """Two or four fits without a fold each for the held-out scores, in place of five or ten.

    The density of all rows is the same to the last bit: it is for tests that look at that, or at
    no number at all, and not at held-out scores or at the thresholds made of them.
    """
    from pushforward.models.sliced import selection

    monkeypatch.setattr(selection, "_FOLDS", 2)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def shared():
    """Return the path of a file in `shared/`, which lies beside the project; skip without it."""

    def path(*parts):
        found = SHARED.joinpath(*parts)
        if not found.exists():
            pytest.skip(f"{'/'.join(('shared', *parts))} is not on this machine")
        return found

    return path
