"""Functions among columns are found, and nothing that chance explains."""

import numpy as np
import pytest
import torch

from pushforward.transport.dependencies import Lookup, find_lookups


def found(*columns):
    values = torch.from_numpy(np.column_stack(columns).astype(np.int64))
    return find_lookups(values, (values.amax(0) + 1).tolist()), values


def keys(lookups):
    return {j: sorted(lookup.keys.tolist()) for j, lookup in lookups.items()}


def test_a_code_and_its_name(rng):
    code = rng.integers(0, 4, 200)
    lookups, values = found(code, np.array([2, 0, 3, 1])[code])
    assert len(lookups) == 1
    ((j, lookup),) = lookups.items()
    known, value, count = lookup.find(values)
    assert known.all()
    assert torch.equal(value, values[:, j])
    assert int(count.min()) == int(torch.bincount(values[:, 0]).min())


def test_a_city_is_in_one_country_and_a_country_has_many_cities(rng):
    city = rng.integers(0, 30, 500)
    lookups, _ = found(city // 5, city, rng.integers(0, 3, 500))
    assert keys(lookups) == {0: [1]}


def test_a_product_of_two_columns(rng):
    a, b = rng.integers(0, 4, (2, 400))
    lookups, _ = found(a, b, (a + b) % 4)
    assert len(lookups) == 1  # any of the three is a function of the others
    ((j, lookup),) = lookups.items()
    assert sorted([j, *lookup.keys.tolist()]) == [0, 1, 2]


def test_no_column_of_the_keys_is_looked_up_itself(rng):
    region = rng.integers(0, 40, 800)
    lookups, values = found(region // 2, region, region // 20, region[::-1])
    for j, lookup in lookups.items():
        assert j not in lookup.keys.tolist()
        assert not set(lookup.keys.tolist()) & set(lookups)
        assert torch.equal(lookup.find(values)[1], values[:, j])
    assert {0, 2} <= set(lookups)


def test_keys_that_never_repeat_determine_nothing(rng):
    lookups, _ = found(np.arange(300), rng.integers(0, 3, 300))
    assert lookups == {}


def test_one_exception_among_many_rows_is_enough(rng):
    code = rng.integers(0, 4, 5000)
    name = code.copy()
    name[4321] = (code[4321] + 1) % 4  # beyond the rows of the first looks or not
    assert found(code, name)[0] == {}


def test_rare_agreement_by_chance_is_no_function(rng):
    # a column that is nearly constant agrees with any other
    for seed in range(20):
        r = np.random.default_rng(seed)
        nearly = (np.arange(100) == 50).astype(int)
        lookups, _ = found(r.integers(0, 40, 100), nearly)
        assert 1 not in lookups


def test_independent_columns_have_none():
    for seed in range(20):
        r = np.random.default_rng(seed)
        assert found(*(r.integers(0, k, 150) for k in (2, 3, 8, 40, 100)))[0] == {}


@pytest.mark.parametrize("n", [1, 2])
def test_one_row_two_rows_one_column(n):
    assert found(np.arange(n), np.arange(n))[0] == {}
    assert found(np.zeros(50))[0] == {}


def test_unknown_keys_are_said_to_be_unknown(rng):
    code = rng.integers(0, 4, 200) * 2
    lookups, _ = found(code, code // 2)
    ((j, lookup),) = lookups.items()
    odd = torch.full((3, 2), 1)
    odd[:, 1 - j] = torch.tensor([1, 7, 0]) if j == 1 else torch.tensor([5, 9, 0])
    assert lookup.find(odd)[0].tolist() == [False, False, True]


def test_two_hundred_columns_are_looked_at_in_few_comparisons(rng, monkeypatch):
    from pushforward.transport import dependencies

    calls = []
    table = dependencies._table
    monkeypatch.setattr(dependencies, "_table", lambda *given: calls.append(1) or table(*given))
    columns = rng.integers(0, 3, (200, 300))
    columns[7] = columns[3]
    lookups, _ = found(*columns)
    assert set(lookups) in ({3}, {7})
    assert len(calls) < 200  # of 40,000 pairs


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("keys", torch.tensor([1])),  # of itself
        ("keys", torch.tensor([-1])),
        ("keys", torch.zeros(0, dtype=torch.long)),
        ("size", torch.tensor([4, 4])),
        ("code", torch.tensor([2, 1, 0, 3])),
        ("code", torch.tensor([0.0, 1.0, 2.0, 3.0])),
        ("value", torch.tensor([0, 1, 2, 9])),
        ("value", torch.tensor([0, 1, 2])),
        ("count", torch.tensor([1, 1, 1, 0])),
        ("count", torch.tensor([1, 1])),
    ],
)
def test_a_torn_state_is_refused(part, value):
    code = torch.arange(4)
    state = {"keys": torch.tensor([0]), "size": torch.tensor([4])}
    state |= {"code": code, "value": code.flip(0), "count": code + 1}
    assert Lookup.from_state(state, 1, 4).find(torch.tensor([[3, 0]]))[1].tolist() == [0]
    with pytest.raises(ValueError, match="table of a column"):
        Lookup.from_state(state | {part: value}, 1, 4)
