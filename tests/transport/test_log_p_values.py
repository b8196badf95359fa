"""Log p-values: the share of known rows that score as low, exponential beyond."""

import pytest
import torch

from pushforward.transport.log_p_values import check_levels, log_p_values, score_levels


def exponential(n=20_001):
    """Scores whose shortfalls below 0 are exponential: minus quantiles of Exp(1)."""
    return (1 - (torch.arange(n).double() + 0.5) / n).log()


def test_p_values_are_shares_of_the_known_rows_and_go_on_as_their_tail_does():
    known = exponential()
    level, scale = score_levels([known])
    at = torch.tensor([[0.0, -0.5, -1.0, -3.0, -20.0]]).double()
    # of Exp(1) the share below x is exp(x), and that is exponential beyond any level
    torch.testing.assert_close(log_p_values(at, level, scale), at, atol=1e-2, rtol=1e-3)


def test_each_score_is_on_the_scale_of_its_own_known_rows():
    known = exponential()
    level, scale = score_levels([known, 1000 * known - 5])
    views = torch.stack([known[::50], 1000 * known[::50] - 5])
    found = log_p_values(views, level, scale)
    torch.testing.assert_close(found[0], found[1], atol=1e-9, rtol=1e-9)


def test_scores_that_are_no_finite_numbers_have_finite_p_values():
    level, scale = score_levels([torch.tensor([-torch.inf, *range(10)]).double()])
    found = log_p_values(torch.tensor([[-torch.inf, 3.0]]).double(), level, scale)
    assert bool(found.isfinite().all())
    assert found[0, 0] < found[0, 1]


def test_scores_that_are_all_the_same_have_p_values():
    level, scale = score_levels([torch.zeros(30).double()])
    found = log_p_values(torch.tensor([[-1.0, 0.0, 1.0]]).double(), level, scale)
    assert bool(found.isfinite().all())
    assert found[0, 0] < found[0, 1] <= found[0, 2] == 0


def test_levels_that_do_not_belong_together_are_refused():
    level, scale = score_levels([exponential(100)] * 2)
    check_levels(level, scale, 2)
    for bad, part in ((level.flip(1), scale), (level, -scale), (level * torch.nan, scale)):
        with pytest.raises(ValueError, match="detector"):
            check_levels(bad, part, 2)
    with pytest.raises(ValueError, match="sizes"):
        check_levels(level, scale, 3)
