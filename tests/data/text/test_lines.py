"""Lines of text: files, characters as numbers and back."""

import gzip

import numpy as np
import pytest

from pushforward.data import Alphabet, as_lines, open_text
from pushforward.errors import DataError, ModelFileError


def test_plain_and_gzipped_files_are_the_same(tmp_path):
    text = "\ufeffOne line .\r\n\nÉté , 夏 !\n   \nlast"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(text.encode()))
    lines = ["One line .", "Été , 夏 !", "last"]
    assert open_text(tmp_path / "a.txt") == open_text(str(tmp_path / "a.txt.gz")) == lines
    with_blank = ["One line .", "", "Été , 夏 !", "   ", "last"]
    assert open_text(tmp_path / "a.txt", blank=True) == with_blank
    assert as_lines(tmp_path / "a.txt") == as_lines(np.array(lines)) == as_lines(tuple(lines))


def test_files_that_are_no_text(tmp_path):
    for name, content in (
        ("a.txt", b"\xff\xfe\x00"),
        ("b.txt.gz", b"no gzip"),
        ("c.txt", b"\n\n"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name):
            open_text(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        open_text(tmp_path)
    with pytest.raises(DataError, match="list of str"):
        as_lines(np.zeros((2, 2)))


def test_there_and_back():
    lines = ["aba", "", "xyz🙂", "a long line, longer than that"]
    known = Alphabet.learn(lines, length=12, size=100)
    numbers = known.numbers(lines)
    assert numbers.shape == (4, 12)
    assert known.lines(numbers) == [line[:12] for line in lines]
    assert known.n_symbols == len(set("".join(line[:12] for line in lines))) + 2
    assert Alphabet.from_config(known.to_config()) == known


def test_common_characters_are_known_and_others_are_not():
    known = Alphabet.learn(["aaab", "aabc", "d"], length=4, size=2)
    assert known.characters == "ab"
    assert known.lines(known.numbers(["abcd", "?"])) == ["ab\ufffd\ufffd", "\ufffd"]
    assert known.lines(np.array([[2, 0, 3, 3]])) == ["a"]  # a line ends at its padding


def test_an_altered_alphabet_is_refused():
    for wrong in ({"characters": "aa", "length": 3}, {"characters": "ab", "length": 0}):
        with pytest.raises(ModelFileError, match="altered"):
            Alphabet.from_config(wrong)
