"""Threads: one for small work, whatever the user's number, which comes back."""

import pytest
import torch

import pushforward
from pushforward.training import threads
from pushforward.training.threads import threads_for


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
