"""The chain is a conditional distribution: sums to one, draws what it says, keeps functions."""

import itertools

import numpy as np
import pytest
import torch

from pushforward.transport import DiscreteChain, Rows


def rows(n, seed=0, weight=None):
    """A number, a category of three that follows it, its code, a count to 3: in cells of 1."""
    r = np.random.default_rng(seed)
    x = r.normal(size=n)
    colour = np.where(x > 0.5, 0, r.integers(0, 3, n))
    cells = np.column_stack([colour, 2 - colour, np.minimum(r.poisson(1 + colour), 3)])
    z = np.column_stack([x, cells + r.random((n, 3)) * 0.98 + 0.01])
    zero = torch.zeros(4).double()
    chosen = torch.tensor([False, True, True, True])
    nominal = torch.tensor([False, True, False, False])
    return Rows(
        x=torch.from_numpy(z),
        weight=weight,
        log_det=torch.zeros(n).double(),
        discrete=chosen,
        origin=zero,
        width=zero + 1,
        nominal=nominal,
        listed=torch.zeros(4).bool(),
        atoms=tuple(torch.zeros(0, 2).double() for _ in range(4)),
    )


PLACES = torch.tensor([1, 2, 3])


@pytest.fixture(scope="module")
def chain():
    return DiscreteChain.fit(rows(800), PLACES, 0)


def every(x, low=-25, high=28):
    """Middles of cells around all seen, beside a number."""
    near = [k + 0.5 for k in range(-2, 6)]
    cells = list(itertools.product(near, near, near))
    return torch.tensor([[x, *cell] for cell in cells]).double()


@pytest.mark.parametrize("x", [-1.0, 1.5, 1e6])
def test_densities_of_all_cells_sum_to_one(x, chain):
    # each value beyond all seen stands for cells at distances 1, 2, ...: here the first two
    total = float(chain.log_prob(every(x)).exp().sum())
    assert 0.99 < total <= 1 + 1e-9
    assert torch.isfinite(chain.log_prob(every(x))).all()


def test_what_is_sampled_has_the_probability_that_is_said(chain):
    n = 30_000
    given = torch.zeros(n, 4).double()
    given[:, 0] = 0.2
    sample = chain.sample(given, torch.Generator().manual_seed(0))
    assert torch.equal(sample[:, 0], given[:, 0])
    cells = sample[:, 1:].floor()
    for point in every(0.2):
        p = float(chain.log_prob(point[None]).exp())
        share = float((cells == point[1:].floor()).all(1).double().mean())
        # a function is certain in samples and doubted by one row in densities
        assert share == pytest.approx(p, abs=4.5 * (p * (1 - p) / n) ** 0.5 + 0.02 * p + 1e-4)


def test_it_knows_what_follows_from_the_number(chain):
    given = torch.zeros(2000, 4).double()
    given[:, 0] = torch.linspace(0.8, 3, 2000)
    colour = chain.sample(given, torch.Generator().manual_seed(0))[:, 1].floor()
    assert float((colour == 0).double().mean()) > 0.97


def test_a_function_is_kept_even_beyond_all_seen(chain):
    assert len(chain.lookups) == 1
    given = torch.zeros(40_000, 4).double()
    sample = chain.sample(given, torch.Generator().manual_seed(0))[:, 1:].floor()
    clipped = sample[:, :2].clamp(0, 2)  # as a table does
    assert torch.equal(clipped[:, 0], 2 - clipped[:, 1])


def test_what_follows_can_be_imposed_on_points(chain):
    x = torch.tensor([[0.0, 0.5, 0.5, 1.5], [1.0, 2.5, 1.5, 0.5]]).double()
    nothing = torch.zeros(4, dtype=torch.bool)
    made, follow, log_volume = chain.imposed(x, nothing)
    (place,) = torch.nonzero(follow.all(0))[:, 0].tolist()
    assert follow.sum() == 2
    assert chain.follows(made, nothing).all()
    other = torch.arange(4) != place
    assert torch.equal(made[:, other], x[:, other])
    assert log_volume.tolist() == pytest.approx([0.0, 0.0])  # cells of 1
    same, none, _ = chain.imposed(x, ~other)
    assert torch.equal(same, x)
    assert not none.any()


def test_a_broken_function_is_unlikely_and_not_impossible(chain):
    right, wrong = torch.tensor([[0.0, 0.5, 2.5, 1.5], [0.0, 0.5, 1.5, 1.5]]).double()
    a, b = chain.log_prob(torch.stack([right, wrong])).tolist()
    assert a - b > 4
    assert np.isfinite(b)


def test_weights_are_repeats_and_copies_are_not_learned_by_heart():
    count = torch.from_numpy(np.random.default_rng(1).integers(1, 5, 400))
    plain = rows(400)
    weighted = DiscreteChain.fit(rows(400, weight=count.double()), PLACES, 0)
    repeated = DiscreteChain.fit(plain.take(torch.arange(400).repeat_interleave(count)), PLACES, 0)
    fresh = rows(1000, seed=5).x
    a, b = weighted.log_prob(fresh).mean(), repeated.log_prob(fresh).mean()
    assert float(a) == pytest.approx(float(b), abs=0.1)
    assert float(a) > float(DiscreteChain.fit(plain, PLACES, 0).log_prob(fresh).mean()) - 0.15


def test_it_does_not_depend_on_how_many_rows_come_at_once(chain, monkeypatch):
    x = rows(300, seed=3).x
    whole = chain.log_prob(x)
    monkeypatch.setattr("pushforward.transport.discrete_chain._BLOCK", 7)
    assert torch.allclose(chain.log_prob(x), whole, rtol=1e-12)
    assert chain.log_prob(x[:0]).shape == (0,)
    assert chain.sample(x[:0]).shape == (0, 4)


@pytest.mark.parametrize("n", [1, 2, 12])
def test_few_rows(n):
    chain = DiscreteChain.fit(rows(n), PLACES, 0)
    assert torch.isfinite(chain.log_prob(rows(50, seed=1).x)).all()
    assert torch.isfinite(chain.sample(rows(50, seed=1).x)).all()


def test_all_columns_discrete_and_constant_ones_among_them():
    z = rows(300)
    alone = z.coordinates(torch.tensor([False, True, True, True]))
    alone.x[:, 2] = 7.5
    chain = DiscreteChain.fit(alone, torch.arange(3), 0)
    sample = chain.sample(torch.zeros(2000, 3).double(), torch.Generator().manual_seed(0))
    assert float((sample[:, 2].floor() == 7).double().mean()) > 0.99
    assert torch.isfinite(chain.log_prob(sample)).all()


def test_it_comes_back_from_its_state(chain):
    again = DiscreteChain.from_state(dict(chain.state_dict()))
    x = rows(200, seed=4).x
    assert torch.equal(again.log_prob(x), chain.log_prob(x))
    a, b = (c.sample(x, torch.Generator().manual_seed(1)) for c in (again, chain))
    assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("places", lambda v: v * 0 + 1),
        ("places", lambda v: v + 9),
        ("nominal", lambda v: v[:2]),
        ("factors.0.trees.base", lambda v: torch.full((9,), 1 / 9).double()),
        ("bases.0.scale", lambda v: 0 * v),
        ("factors.0.logits.weight", lambda v: torch.cat([v, v], 1)),  # of what comes later
        ("cells.1.seen", lambda v: v.flip(0)),
        ("lookups.2.keys", lambda v: v * 0 + 2),
        ("lookups.2.size", lambda v: v + 1),
        ("lookups.2.value", lambda v: v + 50),
    ],
)
def test_a_torn_state_is_refused(part, change, chain):
    state = dict(chain.state_dict())
    state[part] = change(state[part])
    with pytest.raises(
        ValueError, match=r"chain|cells|table of a column|basis|mixture|different values"
    ):
        DiscreteChain.from_state(state)


def test_trees_that_ask_for_what_comes_later_are_refused():
    bands = rows(800)
    bands.x[:, 2] = (2 * bands.x[:, 0]).floor() % 2 + 0.5  # which no regression sees
    chain = DiscreteChain.fit(bands, PLACES, 0)
    state = dict(chain.state_dict())
    name = next(n for n, v in state.items() if n.endswith("trees.feature") and len(v))
    state[name] = torch.where(state[name] >= 0, 99, state[name])
    with pytest.raises(ValueError, match="comes later"):
        DiscreteChain.from_state(state)


def test_a_value_that_many_rows_have_is_told_from_its_neighbours():
    r = np.random.default_rng(0)
    n = 600
    fare = np.where(r.random(n) < 0.4, 0, r.integers(1, 60, n))  # left to smooth densities
    crew = np.where(fare == 0, 1, 0)
    z = torch.from_numpy(np.column_stack([fare, crew]) + r.random((n, 2)) * 0.98 + 0.01)
    zero = torch.zeros(2).double()
    both = Rows(
        x=z,
        weight=None,
        log_det=zero[:1].repeat(n),
        discrete=torch.tensor([True, True]),
        origin=zero,
        width=zero + 1,
        nominal=torch.tensor([False, True]),
        listed=torch.zeros(2).bool(),
        atoms=tuple(torch.zeros(0, 2).double() for _ in range(2)),
    )
    chain = DiscreteChain.fit(both, torch.tensor([1]), 0)
    assert chain.bases[0].atoms.tolist() == [[0.0, 1.0]]
    drawn = chain.sample(z.repeat(10, 1), torch.Generator().manual_seed(0))[:, 1].floor()
    assert (drawn.numpy() != np.tile(crew, 10)).mean() < 0.005
