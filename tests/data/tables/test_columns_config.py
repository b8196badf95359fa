"""A data description that was altered is refused."""

import copy
import json

import numpy as np
import pandas as pd
import pytest

from pushforward.data import Columns
from pushforward.errors import ModelFileError


@pytest.fixture
def values():
    frame = pd.DataFrame({"x": [1.0, 2.5, 4.0], "n": [1, 2, 7], "s": ["a", "b", "a"], "k": 1})
    return Columns.learn(frame, bounds={"x": (0, None)}).columns.to_config()


def altered(values, path, value):
    values = copy.deepcopy(values)
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return values


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["container"], "excel"),
        (["container"], "numpy"),
        (["container"], None),
        (["n_rows"], 0),
        (["n_rows"], True),
        (["n_rows"], 10**400),
        (["columns"], []),
        (["columns"], {}),
        (["extra"], 1),
        (["columns", 0, "extra"], 1),
        (["columns", 0, "name"], 1.5),
        (["columns", 0, "name"], "n"),
        (["columns", 0, "dtype"], "nonsense"),
        (["columns", 0, "kind"], "float"),
        (["columns", 0, "family"], "text"),
        (["columns", 0, "loc"], "0"),
        (["columns", 0, "loc"], float("nan")),
        (["columns", 0, "scale"], 0.0),
        (["columns", 0, "scale"], float("inf")),
        (["columns", 0, "low"], 9.0),
        (["columns", 0, "bounds"], [0.0]),
        (["columns", 0, "bounds"], [0, None]),
        (["columns", 0, "bend"], {}),
        (["columns", 0, "bend", "unit"], -1.0),
        (["columns", 0, "bend", "high"], -1.0),
        (["columns", 1, "low"], 1.0),
        (["columns", 1, "high"], 2**70),
        (["columns", 1, "values"], [1]),
        (["columns", 2, "values"], ["a"]),
        (["columns", 2, "values"], ["a", "a"]),
        (["columns", 2, "values"], ["a", 1]),
        (["columns", 2, "levels"], ["a", "b"]),
        (["columns", 2, "levels"], [["a"]]),
        (["columns", 3, "values"], [1, 2]),
        (["columns", 3, "values"], [True]),
        (["columns", 3, "ordered"], 0),
    ],
)
def test_altered_entry_is_refused(values, path, value):
    with pytest.raises(ModelFileError, match="data description"):
        Columns.from_config(altered(values, path, value))


def test_missing_entries_are_refused(values):
    for key in values.keys() - {"constraints"}:  # which older folders lack
        with pytest.raises(ModelFileError, match=f"lacks \\['{key}'\\]"):
            Columns.from_config({k: v for k, v in values.items() if k != key})
    for junk in (None, [], "x", 3):
        with pytest.raises(ModelFileError):
            Columns.from_config(junk)


def test_categories_are_levels_of_their_dtype():
    frame = pd.DataFrame({"c": pd.Categorical(["a", "b", "a"])})
    values = Columns.learn(frame).columns.to_config()
    for wrong in ([], ["a"], ["a", "c"]):
        with pytest.raises(ModelFileError, match="columns"):
            Columns.from_config(altered(values, ["columns", 0, "levels"], wrong))


def test_positions_of_an_array_are_checked():
    values = Columns.learn(np.eye(2)).columns.to_config()
    with pytest.raises(ModelFileError, match="names"):
        Columns.from_config(altered(values, ["columns", 1, "name"], 5))
    with pytest.raises(ModelFileError, match="different dtypes"):
        Columns.from_config(altered(values, ["columns", 1, "dtype"], "<f4"))
    with pytest.raises(ModelFileError, match="dtype"):
        Columns.from_config(altered(values, ["columns", 1, "dtype"], "<M8[ns]"))


def test_steps_are_saved_and_folders_without_them_are_read():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"minutes": 15.0 * rng.integers(0, 10**6, 60), "x": rng.normal(size=60)})
    columns = Columns.learn(frame).columns
    config = json.loads(json.dumps(columns.to_config()))
    saved = config["columns"][0]["digits"]
    assert saved == {"decimals": 0, "significant": None, "multiple": 15, "remainder": 0}
    again = Columns.from_config(config)
    moved = again.decode(again.encode(frame)[0] + 1e-3)["minutes"]
    assert (moved % 15 == 0).all()
    config["columns"][0]["digits"] = {"decimals": 0, "significant": None}
    older = Columns.from_config(config).decode(columns.encode(frame)[0] + 1e-3)["minutes"]
    assert (older % 1 == 0).all()
    assert (older % 15 != 0).any()
    for wrong in ({"multiple": 0}, {"remainder": 15}, {"decimals": None, "significant": 3}):
        config["columns"][0]["digits"] = saved | wrong
        with pytest.raises(ModelFileError):
            Columns.from_config(config)
