"""n-grams of lines: ends count once, lines count alike, blank ones are far from text."""

import numpy as np
import pytest

from pushforward.data.text.ngrams import jensen_shannon, ngram_distance, ngrams

TEXT = [
    f"the {a} {b} a {c}" for a in ("cat", "dog") for b in ("sees", "has") for c in ("ox", "fig")
]


def test_ngrams_are_those_of_the_line_and_its_end():
    kind, line, mass = ngrams(["abab", "b", "", "b", "éa\U0001f30d"], 3)
    assert line.tolist() == [0, 0, 0, 1, 2, 3, 4, 4]
    assert len(set(kind.tolist())) == 7  # "aba", "bab", "ab|", "b|" twice, "|", "éa🌍", "a🌍|"
    assert kind[3] == kind[5]
    np.testing.assert_allclose(np.bincount(line, mass), 1)
    assert [len(part) for part in ngrams([], 3)] == [0, 0, 0]


@pytest.mark.parametrize("n", [1, 4, 6])
def test_blank_and_short_lines_are_farther_than_gibberish(n):
    rng = np.random.default_rng(0)
    gibberish = [line[:6] + "".join(rng.permutation(list(line[6:]))) for line in TEXT]
    assert ngram_distance(TEXT, TEXT, n) == 0
    assert ngram_distance(TEXT, [""] * 8, n) > ngram_distance(TEXT, gibberish, n)
    assert ngram_distance(TEXT, ["   "] * 8, n) > ngram_distance(TEXT, gibberish, n)
    assert ngram_distance(TEXT, ["a"] * 8, n) > ngram_distance(TEXT, gibberish, n)
    shares = [ngram_distance(TEXT, TEXT[:k] + [""] * (8 - k), n) for k in (8, 6, 4, 2, 0)]
    assert shares == sorted(shares)
    assert shares[3] > 0.4  # three in four are blank, and the others are of the text
    broken_off = [ngram_distance(TEXT, [line[:k] for line in TEXT], n) for k in (30, 9, 5, 2)]
    assert broken_off == sorted(broken_off)
    assert broken_off[0] == 0 < broken_off[1] <= broken_off[2]


def test_without_an_ngram_in_common_it_is_largest():
    assert ngram_distance(TEXT, [""]) == pytest.approx(1, abs=1e-12)
    assert ngram_distance(["abc"], ["xyz", "", "x"], 2) == pytest.approx(1, abs=1e-12)
    assert ngram_distance(["", ""], [""]) == 0


def test_the_divergence_by_definition(rng):
    p, q = rng.dirichlet(np.ones(9), 2)
    middle = (p + q) / 2
    expected = sum((x * np.log2(x / middle)).sum() / 2 for x in (p, q))
    assert jensen_shannon(3 * p, q) == pytest.approx(expected, rel=1e-12)
