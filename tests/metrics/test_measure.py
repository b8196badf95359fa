"""A figure with its uncertainty: always finite, as JSON, and found in tables by its name."""

import json
import math

import pytest

from pushforward.errors import DataError
from pushforward.metrics import Measure, limitation_of
from pushforward.metrics.measure import entry_of


@pytest.mark.parametrize(
    ("value", "interval"), [(math.nan, None), (math.inf, None), (1.0, (0.0, math.nan))]
)
def test_a_measure_is_finite(value, interval):
    with pytest.raises(DataError, match="fid came out as"):
        Measure("fid", value, interval)


def test_json_has_all_of_it():
    measure = Measure("fid", 2.5, (1.0, 4.0), "lower", {"n_real": 7}, ("few rows",))
    found = json.loads(json.dumps(measure.to_dict()))
    assert found == {
        "name": "fid",
        "value": 2.5,
        "interval": [1.0, 4.0],
        "better": "lower",
        "details": {"n_real": 7},
        "warnings": ["few rows"],
    }
    assert str(measure) == "fid 2.5 [1, 4], lower is better"


def test_entries_are_found_without_brackets_and_numbers():
    table = {"js": 1, "auroc": 2, "js_3": 3}
    assert [entry_of(table, name) for name in ("js_4", "auroc [shift]", "js_3")] == [1, 2, 3]
    assert entry_of(table, "fid") is None


def test_the_limitation_of_a_measure_is_that_of_its_name():
    assert Measure("js_4", 0.1).limitation == limitation_of("js_4") != ""
    assert Measure("mine", 0.1).limitation == ""
