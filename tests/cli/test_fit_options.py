"""The options of a fit: from files, from the command line, and one over the other."""

import pytest

from pushforward.cli.fit_options import FitOptions, bounds_of, contamination_of, literal, pairs
from pushforward.data.tables.reading_options import ReadingOptions
from pushforward.errors import ParameterError


def test_what_is_said_goes_over_a_file_and_tables_are_joined():
    mine = FitOptions(minutes=2.0, column={"a": "integer"}, reading=ReadingOptions(decimal=","))
    theirs = FitOptions(
        minutes=9.0,
        random_state=4,
        drop=["id"],
        column={"a": "continuous", "b": "category"},
        reading=ReadingOptions(decimal=".", header=False),
    )
    found = mine.with_defaults(theirs)
    assert (found.minutes, found.random_state, found.drop) == (2.0, 4, ["id"])
    assert found.column == {"a": "integer", "b": "category"}
    assert found.reading == ReadingOptions(decimal=",", header=False)


def test_options_of_tables_and_images_are_named_as_they_are_written():
    options = FitOptions(weight="w", pixel_range=(0.0, 1.0))
    assert {k: v for k, v in options.of_tables().items() if v} == {"--weight": "w"}
    said = {k: v for k, v in options.of_images().items() if v is not None}
    assert said == {"--pixel-range": (0.0, 1.0)}


def test_a_file_has_the_words_of_the_command_line(tmp_path):
    path = tmp_path / "fit.toml"
    path.write_text('minutes = 1.5\ndecimal = ","\n[bounds]\nage = "0:"\n[set]\nsteps = 3\n')
    found = FitOptions.read(path)
    assert (found.minutes, found.bounds, found.set) == (1.5, {"age": (0.0, None)}, {"steps": 3})
    assert found.reading == ReadingOptions(decimal=",")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("minutes = ", "is not TOML"),
        ("speed = 3", "unknown word 'speed'"),
        ("minutes = true", "minutes is True. Expected a number"),
        ('missing = "fill"', "missing is 'fill'"),
        ('contamination = "few"', "contamination is 'few'"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path, text, why):
    path = tmp_path / "fit.toml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=why):
        FitOptions.read(path)


def test_texts_become_values():
    assert bounds_of("-1:2.5") == bounds_of([-1, "2.5"]) == (-1.0, 2.5)
    assert pairs(["a=1", "a=2=3"], "--set") == {"a": "2=3"}
    assert [contamination_of(text) for text in (None, "auto", "0.25")] == [None, "auto", 0.25]
    assert [literal(text) for text in ("[1, 2]", "None", "1e-3")] == [[1, 2], None, 1e-3]
    for bad in ("5", "a:b", "1:2:3"):
        with pytest.raises(ParameterError, match="LOW:HIGH"):
            bounds_of(bad)
    with pytest.raises(ParameterError, match="NAME=VALUE"):
        pairs(["novalue"], "--set")
