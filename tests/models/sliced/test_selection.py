"""What is selected: a density of all rows, and scores of rows that nothing behind them saw."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from pushforward.models.sliced import selection, stacking
from pushforward.models.sliced.layer_growth import Layering
from pushforward.models.sliced.selection import select
from pushforward.models.sliced.structure import GAUSSIAN, Structure
from pushforward.models.sliced.structure_search import Trial
from pushforward.transport import JointDensity, MixtureDensity, Rows

from .test_discrete_coordinates import table


def quiet(text, share):
    """Print nothing."""


def choose(rows, report=quiet, **options):
    return select(
        rows, seed=0, layering=Layering(2, step=0.5, search_steps=20), report=report, **options
    )


def clusters(n, seed=0):
    r = np.random.default_rng(seed)
    return r.integers(0, 2, n)[:, None] * [6.0, -6.0] + r.normal(size=(n, 2))


@pytest.fixture(scope="module")
def selected():
    rows = Rows.continuous(torch.from_numpy(clusters(300)))
    return rows, choose(rows)


def test_every_row_is_scored_once_by_what_has_not_seen_it(selected):
    rows, found = selected
    assert found.scores.shape == (300,)
    fresh = found.density.log_prob(torch.from_numpy(clusters(4000, seed=1)))
    noise = (fresh.var() / 4000 + found.scores.var() / 300) ** 0.5
    assert float(found.scores.mean() - fresh.mean()) < 3 * float(noise)
    seen = found.density.log_prob(rows.x)
    assert float(found.scores.mean()) < float(seen.mean())


def test_the_share_that_is_done_never_falls_and_is_at_most_all(all_fits):
    shares = []
    choose(
        Rows.continuous(torch.from_numpy(clusters(60))),
        report=lambda text, share: shares.append(share),
    )
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1


def test_a_stack_that_no_scored_row_has_a_say_in_is_one_gaussian():
    """All that judged, copies of a few, were in one fold."""
    rows = Rows.continuous(torch.from_numpy(clusters(60)))
    trial = Trial(Structure(True, 2, 1.0), 0.0, 0.0, torch.zeros(5).double(), torch.arange(5))
    within = stacking.without(60, torch.arange(5))
    assert stacking.stacked([trial], rows, within) == [(GAUSSIAN, 1.0)]
    count = stacking._FITS
    assert stacking.stacked([trial], rows) == [(trial.structure, 1 / count)] * count


def test_scores_of_rows_by_fits_that_were_given_them_would_be_found_out(monkeypatch):
    given = []
    fit = stacking.StackFitter.fit

    def watched(self, rows, members, step, deadline):
        given.append((step, {float(v) for v in rows.x[:, 0]}))
        return fit(self, rows, members, step, deadline)

    monkeypatch.setattr(stacking.StackFitter, "fit", watched)
    rows = Rows.continuous(torch.from_numpy(clusters(60)))
    choose(rows)
    every = {float(v) for v in rows.x[:, 0]}
    assert dict(given)["all"] == every
    left_out = [every - seen for step, seen in given if step != "all"]
    assert set().union(*left_out) == every
    assert sum(map(len, left_out)) == 60


def test_copies_that_leave_a_fold_empty_are_scored_by_floors_without_them(monkeypatch):
    # folds 0 and 2 of ten: the floor of a fold must be without that fold, whatever its number
    seen = []
    floor = selection._floor
    monkeypatch.setattr(selection, "_floor", lambda rows: seen.append(len(rows)) or floor(rows))
    monkeypatch.setattr(
        Rows, "folds", lambda self, count, seed: 2 * (torch.arange(len(self)) % 3 == 0).long()
    )
    choose(Rows.continuous(torch.from_numpy(clusters(60))))
    assert seen[:2] == [20, 40]


def test_a_mixture_of_members_and_a_wide_gaussian_of_one_row(selected):
    _, found = selected
    assert isinstance(found.density, MixtureDensity)
    assert float(found.density.log_share[-1].exp()) == pytest.approx(1 / 300)
    assert sum(t.weight for t in found.trials) == pytest.approx(1)
    assert found.chained == 0


def test_discrete_columns_are_a_chain_and_alone_nothing_else():
    r = np.random.default_rng(0)
    colour = r.integers(0, 3, 300)
    alone = choose(table(colour, (colour + r.integers(0, 2, 300)) % 3, nominal=(0, 1)))
    assert isinstance(alone.density, JointDensity)
    assert alone.density.smooth is None
    assert (alone.chained, alone.trials) == (2, [])
    beside = choose(table(colour, colour + r.normal(size=300), nominal=(0,)))
    assert isinstance(beside.density, JointDensity)
    assert beside.density.smooth.dimension == 1
    for found in (alone, beside):
        assert found.scores.mean() > found.gaussian
        assert torch.isfinite(found.scores).all()


def trial(structure, held_out):
    values = torch.tensor(held_out).double()
    return Trial(structure, float(values.mean()), 0.0, values, torch.arange(len(values)))


def test_stacking_counts_rows_by_their_weight_and_leaves_out_what_is_not_finite():
    a, b = GAUSSIAN, Structure(margins=True)
    trials = [
        trial(a, [0.0, 0.0, -3.0, -3.0]),
        trial(b, [-3.0, -3.0, 0.0, 0.0]),
        trial(Structure(margins=True, components=2), [math.nan] * 4),
    ]
    rows = Rows.continuous(torch.zeros(4, 1).double(), torch.tensor([3.0, 3.0, 1.0, 1.0]).double())
    shares = {}
    for structure, share in stacking.stacked(trials, rows):
        shares[structure] = shares.get(structure, 0) + share
    assert shares[a] == pytest.approx(0.776, abs=0.01)
    assert shares[b] == pytest.approx(0.224, abs=0.01)
    within = torch.tensor([True, True, False, False])
    assert {s for s, _ in stacking.stacked(trials, rows, within)} == {a}


def test_of_few_rows_the_gaussian_is_shrunk_towards_its_diagonal():
    r = np.random.default_rng(0)
    found = choose(Rows.continuous(torch.from_numpy(r.normal(size=(12, 20)))))
    fresh = torch.from_numpy(r.normal(size=(500, 20)))
    assert float(found.density.log_prob(fresh).mean()) > -60  # without it below -1,000


@pytest.mark.parametrize("n", [1, 2, 19])
def test_few_rows_are_one_gaussian(n):
    found = choose(Rows.continuous(torch.from_numpy(clusters(n))))
    assert "too few" in found.notes[0]
    assert torch.isfinite(found.scores).all()
    assert found.density.sample(3).shape == (3, 2)


def test_many_rows_put_some_aside():
    rows = Rows.continuous(torch.from_numpy(clusters(3200)))
    found = choose(rows, minutes=0.02)
    assert len(found.scores) == 300
    assert torch.isfinite(found.scores).all()


def test_rows_that_are_put_aside_judge_no_structure(monkeypatch):
    monkeypatch.setattr(selection, "MANY", 400)
    rows = Rows.continuous(torch.from_numpy(clusters(700)))
    rows = dataclasses.replace(rows, weight=torch.ones(700).double())
    found = choose(rows, minutes=0.01)
    _, aside = rows.split(300, 1)
    assert len(found.scores) == 300
    assert not set(aside.tolist()) & set(found.trials[0].rows.tolist())


def test_rows_of_ones_own_judge_everything():
    rows = Rows.continuous(torch.from_numpy(clusters(200)))
    judges = Rows.continuous(torch.from_numpy(clusters(80, seed=1)))
    found = choose(rows, validation=judges)
    assert torch.equal(found.scores, found.density.log_prob(judges.x))
    assert sorted(found.trials[0].rows.tolist()) == list(range(200, 280))
    assert "nats a row on rows of the validation" in found.notes[-1]
    (gaussian,) = (trial for trial in found.trials if trial.structure == GAUSSIAN)
    assert gaussian.value == pytest.approx(found.gaussian)  # fitted to all of the other rows
    # fitted to none of them: a place that only judges reach has no density
    far = Rows.continuous(torch.cat([judges.x, torch.full((40, 2), 60.0).double()]))
    at_far = choose(rows, validation=far).density.log_prob(far.x[-1:])
    assert float(at_far) < -20
