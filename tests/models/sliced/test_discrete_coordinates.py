"""Which columns are values: categories, what is a function, numbers where that is likelier."""

import numpy as np
import pytest
import torch

from pushforward.models.sliced.discrete_coordinates import choose_chained
from pushforward.models.sliced.layer_growth import Layering
from pushforward.transport import Rows


def table(*columns, nominal=()):
    """Rows of whole-number columns in unit cells; a column of floats is continuous."""
    n, d = len(columns[0]), len(columns)
    r = np.random.default_rng(9)
    discrete = torch.tensor([c.dtype.kind == "i" for c in columns])
    x = [c + 0.01 + 0.98 * r.random(n) if c.dtype.kind == "i" else c for c in columns]
    return Rows(
        x=torch.from_numpy(np.column_stack(x)),
        weight=None,
        log_det=torch.zeros(n).double(),
        discrete=discrete,
        origin=torch.zeros(d).double(),
        width=torch.ones(d).double(),
        nominal=torch.tensor([j in nominal for j in range(d)]),
        listed=torch.zeros(d).bool(),
        atoms=tuple(torch.zeros(0, 2).double() for _ in range(d)),
    )


def chosen(rows):
    return choose_chained(rows, Layering(2, step=0.5, search_steps=20), 0).tolist()


def test_categories_and_two_valued_columns_always_are_numbers_never(rng):
    rows = table(
        rng.integers(0, 9, 200), rng.integers(0, 2, 200), rng.normal(size=200), nominal=(0,)
    )
    assert chosen(rows) == [True, True, False]
    assert chosen(table(rng.normal(size=200))) == [False]


def test_a_code_goes_with_the_name_it_determines(rng):
    # alone it may be either; only as a value it keeps the function
    for seed in range(5):
        r = np.random.default_rng(seed)
        code = r.integers(0, 4, 200)
        name = np.array([2, 0, 3, 1])[code]
        assert chosen(table(code, name, r.normal(size=200) + code, nominal=(1,)))[:2] == [True] * 2


def test_a_count_in_spikes_is_values_and_a_fine_one_is_a_number(rng):
    spikes = rng.choice([0, 5, 6, 14], 600, p=[0.5, 0.2, 0.2, 0.1])
    assert chosen(table(spikes, rng.normal(size=600))) == [True, False]
    x = rng.normal(size=(600, 2)) @ np.array([[1.0, 1.0], [0.0, 0.1]])
    fine = np.rint(300 * x[:, 1]).astype(int)
    assert chosen(table(x[:, 0], fine)) == [False, False]


def test_a_range_is_that_of_all_rows(rng):
    few = rng.integers(0, 2, 20_000)
    few[17] = 10**9  # in a row that the choice may not look at
    assert chosen(table(few, rng.normal(size=20_000))) == [False, False]


@pytest.mark.parametrize("n", [20, 21, 30])
def test_few_rows(n, rng):
    found = chosen(table(rng.integers(0, 9, n), rng.integers(0, 3, n), nominal=(1,)))
    assert found[1]
    assert len(found) == 2


def test_a_seed_gives_the_same_choice(rng):
    rows = table(rng.poisson(4, 400), rng.poisson(30, 400), rng.normal(size=400))
    assert chosen(rows) == chosen(rows)


def test_a_wide_count_that_is_mostly_one_value_is_values(rng):
    """A smooth density would spill from the zeros into the ones, which hardly any row has."""
    weeks = np.where(rng.random(500) < 0.9, 0, rng.integers(5, 40, 500))
    assert chosen(table(weeks, rng.normal(size=500))) == [True, False]


def test_zeros_of_a_wide_count_do_not_leak(rng):
    import pandas as pd

    import pushforward

    pregnant = rng.random(400) < 0.15
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, 400),
            "pregnant": np.where(pregnant, "yes", "no"),
            "weeks": np.where(pregnant, rng.integers(5, 40, 400), 0),
        }
    )
    drawn = pushforward.fit(X, random_state=0, verbose=False).sample(2000, random_state=0)
    assert ((drawn["pregnant"] == "yes") != (drawn["weeks"] > 0)).mean() < 0.005
    assert abs((drawn["weeks"] > 0).mean() - pregnant.mean()) < 0.04
