"""JSON that means one thing: what is written comes back equal, and what is doubtful is refused."""

import math

import numpy as np
import pytest

from pushforward.storage import strict_json


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(2**70), 0.1, 5e-324, -0.0, 'é\n"', [], {}, {"a": [1, {"b": None}]}],
)
@pytest.mark.parametrize("write", [strict_json.dumps, strict_json.dumps_canonical])
def test_what_is_written_comes_back_equal(value, write):
    found = strict_json.loads(write(value))
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, found) == math.copysign(1, value)


def test_the_canonical_form_does_not_depend_on_the_order_of_keys():
    one, other = {"a": 1, "b": [2]}, {"b": [2], "a": 1}
    assert strict_json.dumps_canonical(one) == strict_json.dumps_canonical(other)
    assert strict_json.dumps_canonical(one) == b'{"a":1,"b":[2]}'


def test_plain_has_no_numpy_and_no_tuples():
    found = strict_json.plain({"n": np.int64(3), "x": (np.float32(0.5), np.bool_(True))})
    assert found == {"n": 3, "x": [0.5, True]}
    assert [type(one) for one in (found["n"], *found["x"])] == [int, float, bool]


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({1: 2}, "config has the key 1"),
        ({"a": [0.0, math.inf]}, r"config\['a'\]\[1\] is inf"),
        ({"a": {2}}, "type set"),
        ({"a": 10**400}, "400 digits"),
    ],
)
def test_plain_names_what_json_cannot_hold(value, where):
    with pytest.raises(ValueError, match=where):
        strict_json.plain(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": 1, "a": 1}', "twice"),
        (b"[NaN]", "finite"),
        (b"[-Infinity]", "finite"),
        (b"[1e999]", "finite"),
        (b"[" * 101 + b"]" * 101, "nested"),
        (b'"abc', "never ends"),
        (b"1" * 401, "401 digits"),
        ('["é"]'.encode(), "ascii"),
        (b"{", "Expecting"),
        (b"1 2", "Extra data"),
    ],
)
def test_doubtful_bytes_are_refused(data, why):
    with pytest.raises(ValueError, match=why):
        strict_json.loads(data)


def test_brackets_in_strings_are_not_nesting():
    assert strict_json.loads(b'["' + b"[" * 500 + b'"]') == ["[" * 500]
