"""The trimmed pair: two densities of the core, of which neither speaks alone."""

import torch
from sklearn.metrics import roc_auc_score

from pushforward.transport import Rows, TrimmedPair


def long_tails(n=1500, bad=60):
    """Three columns with tails as of Student's t of 1.5 degrees, two that depend on each other.

    The outliers are ordinary in all five columns and break the dependence of the last two.
    """
    g = torch.Generator().manual_seed(0)
    normal = torch.randn(n, 7, generator=g).double()
    chi = torch.randn(n, 3, 2, generator=g).double().square().mean(-1)
    heavy = normal[:, :3] / chi**0.67
    a = normal[:, 3]
    b = torch.where(torch.arange(n) < bad, -a, a) + 0.2 * normal[:, 4]
    return torch.cat([heavy, a[:, None], b[:, None]], 1), torch.arange(n) < bad


def test_long_tails_do_not_let_one_density_speak_alone():
    x, odd = long_tails()
    rows = Rows.continuous(x)
    pair = TrimmedPair.fit(rows)
    ranks = {
        name: roc_auc_score(odd, -score(rows.x, rows.log_det))
        for name, score in {"p": pair.score, "density": pair.log_density}.items()
    }
    alone = (
        roc_auc_score(odd, -pair.plain.log_prob(x)),
        roc_auc_score(odd, -pair.marginal.log_prob(x)),
    )
    assert ranks["p"] > ranks["density"] + 0.03
    assert ranks["density"] < alone[1]
    assert ranks["p"] > sum(alone) / 2


def test_the_score_is_the_mean_log_p_value_of_the_rows_of_the_fit():
    x, _ = long_tails()
    rows = Rows.continuous(x)
    pair = TrimmedPair.fit(rows)
    score = pair.score(rows.x, rows.log_det)
    assert bool((score <= 0).all())
    better = torch.stack([pair.plain.log_prob(x), pair.marginal.log_prob(x)])
    shares = (better.argsort(1).argsort(1).double() + 1) / len(x)
    usual = (shares > 0.25).all(0)  # above the tail p-values are shares of the rows
    torch.testing.assert_close(score[usual], shares.log().mean(0)[usual], atol=0.02, rtol=0.02)


def test_tensors_rebuild_the_pair_and_those_without_levels_score_by_densities():
    x, _ = long_tails(n=400)
    rows = Rows.continuous(x)
    pair = TrimmedPair.fit(rows)
    state = pair.state_dict()
    again = TrimmedPair.from_state(state)
    assert torch.equal(again.score(x, rows.log_det), pair.score(x, rows.log_det))
    older = {k: v for k, v in state.items() if k not in ("level", "scale")}
    earlier = TrimmedPair.from_state(older)
    assert torch.equal(earlier.score(x, rows.log_det), pair.log_density(x, rows.log_det))
    assert set(earlier.state_dict()) == set(older)
