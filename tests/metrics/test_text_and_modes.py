"""n-grams of text and modes of known sets: by the definition."""

import gzip
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from sklearn.datasets import make_swiss_roll

from pushforward.errors import DataError
from pushforward.metrics import (
    class_modes,
    grid_of_gaussians,
    modes,
    ngram_divergence,
    swiss_roll_curve,
)


def by_definition(real, generated, n):
    p, q = Counter(), Counter()
    for shares, lines in ((p, real), (q, generated)):
        for line in lines:
            whole = (*line, "end")
            grams = [whole[i : i + n] for i in range(max(1, len(whole) - n + 1))]
            for gram in grams:
                shares[gram] += 1 / len(grams) / len(lines)
    total = 0.0
    for gram in p.keys() | q.keys():
        a, b = p[gram], q[gram]
        total += sum(x * np.log2(2 * x / (a + b)) for x in (a, b) if x) / 2
    return total


@pytest.mark.parametrize("n", [1, 4, 6])
def test_ngrams_by_definition(rng, n):
    alphabet = list("abc déθ\U0001f30d ")
    real = ["".join(rng.choice(alphabet, rng.integers(0, 30))) for _ in range(60)]
    other = ["".join(rng.choice(alphabet[:6], rng.integers(0, 30))) for _ in range(40)]
    found = ngram_divergence(real, other, n=n)
    assert found.value == pytest.approx(by_definition(real, other, n), rel=1e-9)
    assert ngram_divergence(real, real, n=n).value == 0
    assert found.details["floor"] > 0


def test_ngrams_order_a_ladder_of_corruption(shared):
    with gzip.open(
        shared("data", "text", "lm1b_heldout_test.txt.gz"), "rt", encoding="utf-8"
    ) as f:
        lines = [line.strip() for line in islice(f, 600)]
    rng = np.random.default_rng(0)
    real, fresh = lines[:300], lines[300:]
    half = [line if rng.random() < 0.5 else "".join(rng.permutation(list(line))) for line in fresh]
    mixed = ["".join(rng.permutation(list(line))) for line in fresh]
    for n in (4, 6):
        values = [ngram_divergence(real, x, n=n).value for x in (real, fresh, half, mixed)]
        assert values == sorted(values)


def test_ngrams_refuse_what_is_no_text():
    for wrong in ("abcd", ["a", "b"], [1, 2, 3, 4]):
        with pytest.raises(DataError, match="list of lines"):
            ngram_divergence(["abcd"] * 4, wrong)


def test_blank_lines_are_as_far_from_text_as_can_be():
    real = ["the cat sees a fish", "a dog has the bread"] * 20
    for n in (4, 6):
        found = ngram_divergence(real, [""] * 40, n=n)
        assert found.value == pytest.approx(1, abs=1e-12)
        assert found.details["blank_generated"] == 40
        assert "40 of 40 generated lines are blank, and 0 of 40 real" in " ".join(found.warnings)
        assert ngram_divergence(real, ["cat"] * 40, n=n).value == pytest.approx(1, abs=1e-12)
        few = ngram_divergence(real, real[:8] + ["", " "] * 16, n=n)
        assert few.value > 0.5
        assert "32 of 40 generated" in " ".join(few.warnings)
        assert "blank" not in " ".join(ngram_divergence(real, real, n=n).warnings)


def test_modes_of_the_grid(rng):
    centres, sd = grid_of_gaussians()
    real = centres[rng.integers(25, size=4000)] + sd * rng.normal(size=(4000, 2))
    quality, found, imbalance = modes(real, centres, sd)
    assert quality.value > 0.99
    assert found.value == 25
    assert imbalance.value < 0.02
    assert quality.details["spread"] == pytest.approx(1, abs=0.05)
    collapsed = modes(centres[rng.integers(9, size=4000)], centres, sd)
    assert collapsed[0].value == 1  # the share alone is fooled, the others are not
    assert collapsed[0].details["spread"] == 0
    assert collapsed[1].value == 9
    assert collapsed[2].value == pytest.approx(np.log(25 / 9), abs=0.05)
    assert modes(rng.normal(size=(4000, 2)), centres, sd)[0].value < 0.2


def test_quality_along_the_swiss_roll(rng):
    curve, sd = swiss_roll_curve()
    real = make_swiss_roll(2000, noise=0.25, random_state=0)[0][:, [0, 2]] / 7.5
    shares = [
        modes(real + noise * rng.normal(size=real.shape), curve, sd, within=3, curve=True)[0].value
        for noise in (0, 0.1, 0.5)
    ]
    assert shares[0] > 0.98
    assert shares == sorted(shares, reverse=True)


def test_class_modes_from_labels_and_probabilities(rng):
    real = rng.integers(10, size=2000)
    found, imbalance = class_modes(rng.integers(5, size=1000), real)
    assert found.value == 5
    assert found.details["missing"] == [5, 6, 7, 8, 9]
    assert imbalance.value == pytest.approx(np.log(2), abs=0.05)
    same = class_modes(np.eye(10)[real], real)
    assert same[0].value == 10
    assert same[1].value == 0
    with pytest.raises(DataError, match="class numbers"):
        class_modes([0.5, 1.0], real)
