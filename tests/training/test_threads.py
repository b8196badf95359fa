"""Threads: one for small work, whatever the user's number, which comes back."""

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.training import threads
from pushforward.training.threads import numbers_of, threads_for


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_large_work_keeps_its_threads_and_errors_give_them_back(two_threads):
    with threads_for(10**9):
        assert torch.get_num_threads() == 2
    with pytest.raises(ValueError, match="lost"), threads_for(10):
        raise ValueError("lost")
    assert torch.get_num_threads() == 2


def test_small_tables_are_fitted_on_one_thread(two_threads):
    seen = []
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))

    def report(text, share):
        seen.append(torch.get_num_threads())

    pushforward.GIS(max_layers=2, random_state=0).fit(x, report=report)
    assert set(seen) == {1}
    assert torch.get_num_threads() == 2


def test_large_tables_are_fitted_on_all(two_threads, monkeypatch):
    monkeypatch.setattr(threads, "_SHARED", 10)
    seen = []
    x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    pushforward.GIS(max_layers=2, random_state=0).fit(
        x, report=lambda text, share: seen.append(torch.get_num_threads())
    )
    assert set(seen) == {2}


def threads_of_a_fit(model, x):
    """How many threads there are in the steps of a fit."""
    seen = []
    model.fit(x, report=lambda text, share: seen.append(torch.get_num_threads()))
    return set(seen)


def test_steps_of_small_networks_take_one_thread_and_those_of_images_all(two_threads):
    rng = np.random.default_rng(0)
    table = pushforward.TableGAN(steps=2, random_state=0)
    assert threads_of_a_fit(table, rng.normal(size=(300, 3))) == {1}
    images = rng.integers(0, 256, size=(64, 8, 8), dtype=np.uint8)
    assert threads_of_a_fit(pushforward.RealNVP(steps=2, random_state=0), images) == {2}
    assert torch.get_num_threads() == 2


def test_networks_of_linear_maps_are_as_large_as_their_widest_layer():
    dense = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 50)), nn.LayerNorm(50)
    )
    assert numbers_of([dense, nn.Linear(50, 7)], 10) == 500
    assert numbers_of([dense, nn.Conv2d(1, 1, 3)], 10) >= threads._SHARED
