"""Fields of requests are what they have to be, or are refused with what was expected."""

import pytest

from pushforward.studio.fields import Fields, RequestError


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (lambda f, x: f.whole("a", 0, 10), (True, 1.0, "1", None, 11, -1, [1])),
        (lambda f, x: f.number("a", 0, 1), (True, "1", float("nan"), float("inf"), 2, {})),
        (lambda f, x: f.text("a", most=3), (1, "abcd", None, ["a"])),
        (lambda f, x: f.one_of("a", "b", "c"), (1, "d", None, ["b"])),
        (lambda f, x: f.texts("a", most=2), ("a", [1], ["a", "b", "c"], ["x" * 201], {"a": 1})),
        (lambda f, x: f.numbers("a", most=2, low=0, high=1), ([2], ["a"], [0, 0, 0], [True], 1)),
        (lambda f, x: f.mapping("a", most=1), ([1], "a", {"a": 1, "b": 2})),
        (lambda f, x: f.objects("a", most=1), ({"a": 1}, [1], [{}, {}])),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected(read, values):
    for value in values:
        with pytest.raises(RequestError, match=r"Expected|no JSON object") as refused:
            read(Fields({"a": value}), value)
        assert 400 <= refused.value.status < 500


def test_what_is_left_out_has_its_default():
    asked = Fields({"b": None})
    assert (asked.whole("a", 0, 9, 3), asked.text("b", "x"), asked.has("b")) == (3, "x", False)
    assert (asked.texts("a", most=1), asked.mapping("a", most=1)) == ([], {})


def test_what_is_no_object_is_refused():
    for value in ([], "a", 1, None):
        with pytest.raises(RequestError, match="no JSON object"):
            Fields(value)
