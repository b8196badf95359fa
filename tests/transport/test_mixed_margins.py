"""The margin of a column with point masses: their shares, and the rest between them."""

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid

from pushforward.transport.mixed_margins import MixedMargins
from pushforward.transport.numerics import normal_log_prob

CELLS = {
    "low end": [(0.0, 1.0)],
    "high end": [(6.0, 8.0)],
    "middle": [(2.0, 2.5)],
    "three": [(0.0, 1.0), (2.0, 2.5), (6.0, 8.0)],
    "side by side": [(2.0, 2.5), (2.5, 4.0)],
}


def column(kind, n=2000, shares=0.2, seed=0):
    """Values from 0.5 on the line without atoms, atoms inserted: (n,) and cells (m, 2)."""
    r = np.random.default_rng(seed)
    cells = np.array(CELLS[kind])
    x = r.gamma(3.0, 0.4, n)
    x = 1.0 + x / x.max() * 4.9 if kind in ("low end", "three") else x / x.max() * 5.9
    for low, high in cells:
        x = np.where(x >= low, x + high - low, x)
    chosen = r.integers(0, len(cells), n)
    at_atom = r.random(n) < shares * len(cells)
    u = cells[chosen, 0] + r.random(n) * (cells[chosen, 1] - cells[chosen, 0])
    return torch.from_numpy(np.where(at_atom, u, x)), torch.from_numpy(cells)


class Alone:
    """The map of one coordinate, (n,) to (n,)."""

    def __init__(self, margins):
        self.margins, self.mass = margins, margins.mass[0]

    @classmethod
    def fit(cls, x, cells, weight=None):
        ((own, margins),) = MixedMargins.fit(x[None], [cells], weight)
        assert own.tolist() == [0]
        return cls(margins)

    def __call__(self, x):
        return tuple(values[0] for values in self.margins(x[None]))

    def inverse(self, z):
        return self.margins.inverse(z[None])[0]


def log_density(margin, x):
    z, slope = margin(x)
    return normal_log_prob(z[None], 0) + slope


@pytest.fixture(scope="module", params=CELLS)
def fitted(request):
    x, cells = column(request.param)
    return Alone.fit(x, cells), x, cells


def test_it_rises_and_integrates_to_one(fitted):
    margin, _, cells = fitted
    steep = margin.inverse(torch.linspace(-7, 7, 50_001).double())
    points = torch.cat([torch.linspace(-60, 80, 100_001).double(), steep]).sort().values
    z, _ = margin(points)
    assert (z.diff() >= -1e-9).all()
    # the density jumps at the edges of cells: each piece by itself
    edges = [-60.0, *cells.flatten().unique().tolist(), 80.0]
    total = 0.0
    for a, b in itertools.pairwise(edges):
        inside = torch.cat(
            [
                torch.tensor([a]).double(),
                points[(points > a) & (points < b)],
                torch.nextafter(torch.tensor([b]), torch.tensor([a])).double(),
            ]
        )
        total += trapezoid(log_density(margin, inside).exp().numpy(), inside.numpy())
    assert total == pytest.approx(1, abs=2e-3)


def test_an_atom_has_the_share_of_its_rows(fitted):
    margin, x, cells = fitted
    for low, high in cells.tolist():
        share = float(((x >= low) & (x < high)).double().mean())
        ends = torch.tensor([low, high - 1e-12]).double()
        below, above = torch.special.ndtr(margin(ends)[0]).tolist()
        assert above - below == pytest.approx(share, abs=1e-3)
        middle = torch.tensor([(low + high) / 2]).double()
        density = float(log_density(margin, middle).exp())
        assert density * (high - low) == pytest.approx(above - below, rel=1e-6)


def test_it_inverts_in_atoms_between_them_and_far_out(fitted):
    margin, x, _ = fitted
    far = torch.tensor([-1e4, -30.0, 40.0, 1e4]).double()
    points = torch.cat([x, far])
    back = margin.inverse(margin(points)[0])
    error = (back - points).abs() / points.abs().clamp_min(1)
    assert float(error.max()) < 1e-6


def test_samples_have_its_density(fitted):
    margin, x, cells = fitted
    z = torch.randn(50_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sample = margin.inverse(z)
    for low, high in cells.tolist():
        share = float(((x >= low) & (x < high)).double().mean())
        found = float(((sample >= low) & (sample < high)).double().mean())
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / 50_000) ** 0.5 + 1e-3)
    assert float(sample.median()) == pytest.approx(float(x.median()), abs=0.15)


def test_the_log_derivative_is_that_of_finite_differences(fitted):
    margin, _, cells = fitted
    x = torch.linspace(-3, 12, 500).double()
    x = x[(x[:, None] - cells.flatten()).abs().amin(1) > 1e-3]
    rise = (margin(x + 1e-6)[0] - margin(x - 1e-6)[0]) / 2e-6
    error = (rise.log() - margin(x)[1]).abs()
    assert float(error.quantile(0.95)) < 1e-4


def test_weights_are_repeats():
    x, cells = column("three", n=300)
    count = torch.from_numpy(np.random.default_rng(1).integers(1, 4, 300))
    weighted = Alone.fit(x, cells, count.double())
    repeated = Alone.fit(x.repeat_interleave(count), cells)
    assert torch.allclose(weighted.mass, repeated.mass, atol=2e-3)
    zero = torch.where(x < 1.0, 0.0, 1.0).double()  # rows of weight 0 are not there
    assert float(Alone.fit(x, cells, zero).mass[0]) < 0.01


@pytest.mark.parametrize("others", [[], [5.0], [5.0, 5.0]])
def test_next_to_nothing_between_the_atoms_is_finite(others):
    x = torch.tensor([0.5] * 30 + others).double()
    margin = Alone.fit(x, torch.tensor([[0.0, 1.0]]).double())
    points = torch.tensor([-9.0, 0.2, 0.9, 1.0, 5.0, 100.0]).double()
    z, slope = margin(points)
    assert torch.isfinite(z).all()
    assert torch.isfinite(slope).all()
    assert (z.diff() > 0).all()
    assert float(margin.mass.sum()) > 0.9


def test_it_comes_back_from_its_state(fitted):
    margin, x, _ = fitted
    again = Alone(MixedMargins.from_state(dict(margin.margins.state_dict())))
    for a, b in zip(margin(x), again(x), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("mass", lambda v: -v),
        ("mass", lambda v: v + 1),
        ("high", lambda v: v - 100),
        ("low", lambda v: v.flip(1)),
        ("low", lambda v: v.new_full(v.shape, torch.inf)),
        ("smooth.tails.edge", lambda v: v - 1),
        ("smooth.tails.scale", lambda v: 0 * v),
        ("smooth.tails.log_mass", lambda v: v - 1),
    ],
)
def test_a_torn_state_is_refused(part, change):
    x, cells = column("three")
    state = dict(Alone.fit(x, cells).margins.state_dict())
    state[part] = change(state[part])
    with pytest.raises(ValueError, match="marginal map"):
        MixedMargins.from_state(state)


def test_values_beyond_the_last_atom_are_finite_for_any_masses():
    generator = torch.manual_seed(0)
    for _ in range(100):
        low = torch.arange(7).double()
        cells = torch.stack([low, low + 0.5], dim=1)
        counts = torch.randint(3, 40, (7,), generator=generator)
        atoms = torch.repeat_interleave(low + 0.25, counts)
        rest = 8 + torch.rand(60, generator=generator).double() - 9 * (torch.arange(60) % 2)
        margin = Alone.fit(torch.cat([atoms, rest]), cells)
        z, log_slope = margin(rest)
        assert bool(torch.isfinite(z).all())
        assert bool(torch.isfinite(log_slope).all())
        assert float(z[rest > 7].min()) > float(margin(low[-1:] + 0.49)[0])
        torch.testing.assert_close(margin.inverse(z), rest, atol=1e-6, rtol=0)


def several(n=3000, seed=0):
    """Coordinates of one, one and three atoms, some with few other values: (4, n), cells."""
    shares = [("low end", 0.2), ("high end", 0.9), ("three", 0.1), ("three", 0.32)]
    both = [column(kind, n, share, seed + i) for i, (kind, share) in enumerate(shares)]
    return torch.stack([x for x, _ in both]), [cells for _, cells in both]


@pytest.mark.parametrize("weighted", [False, True])
def test_many_coordinates_are_fitted_and_mapped_as_each_alone(weighted):
    x, cells = several()
    weight = torch.linspace(0.1, 1, x.shape[1]).double() if weighted else None
    groups = MixedMargins.fit(x, cells, weight)
    assert sorted(j for own, _ in groups for j in own.tolist()) == [0, 1, 2, 3]
    assert len(groups) < 4  # of as many knots
    assert {margins.low.shape[1] for _, margins in groups} == {1, 3}
    z = torch.linspace(-6, 6, 500).double()
    for own, margins in groups:
        latent, slope = margins(x[own])
        back = margins.inverse(z.expand(len(own), -1))
        for i, j in enumerate(own.tolist()):
            alone = Alone.fit(x[j], cells[j], weight)
            torch.testing.assert_close(latent[i], alone(x[j])[0], atol=1e-9, rtol=0)
            torch.testing.assert_close(slope[i], alone(x[j])[1], atol=1e-9, rtol=0)
            torch.testing.assert_close(back[i], alone.inverse(z), atol=1e-9, rtol=1e-9)


def test_rows_of_no_weight_are_not_there():
    x, cells = several(n=400)
    there = torch.arange(400) % 3 > 0
    for (own, some), (same, few) in zip(
        MixedMargins.fit(x, cells, there.double()), MixedMargins.fit(x[:, there], cells),
        strict=True,
    ):  # fmt: skip
        assert own.tolist() == same.tolist()
        latent, _ = some(x[own])
        # but for the one row's weight that all parts share
        torch.testing.assert_close(latent, few(x[own])[0], atol=0.02, rtol=0)
