"""Models of one's own that sample frames, lines of text or images in bytes are refined as such."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import pushforward
from pushforward.errors import DataError
from pushforward.refinement import refine
from pushforward.refinement.adapters import adapter_of


class Own:
    """Draws by a function of (a NumPy generator, n)."""

    def __init__(self, draw):
        self.draw = draw

    def sample(self, n, random_state=None):
        return self.draw(np.random.default_rng(random_state), n)


def mixed(r, n):
    return pd.DataFrame({"a": r.normal(size=n), "b": r.choice(["x", "y"], n)})


def two(r, n):
    return pd.DataFrame({"x": r.normal(0, 1, n), "y": r.normal(1, 1, n)})


def words(letters):
    return lambda r, n: ["".join(r.choice(list(letters), 5)) for _ in range(n)]


def test_columns_are_matched_by_name(rng):
    data = two(rng, 600)[["y", "x"]]
    refined = refine(Own(two), data, minutes=0.1, random_state=0)
    assert refined.report_.before.value < 0.6  # 0.83 by position
    drawn = refined.sample(200, random_state=0)
    assert list(drawn) == ["y", "x"]
    assert drawn["y"].mean() > drawn["x"].mean() + 0.5


def test_categories_are_refined_and_come_back(rng):
    data = pd.DataFrame(
        {"a": rng.normal(size=600), "b": rng.choice(["x", "y"], 600, p=[0.9, 0.1])}
    )
    refined = refine(Own(mixed), pl.from_pandas(data), minutes=0.2, random_state=0)
    drawn = refined.sample(600, random_state=0)
    assert isinstance(drawn, pl.DataFrame)
    assert refined.report_.after.value < refined.report_.before.value - 0.05
    assert (drawn["b"] == "x").mean() > 0.6


def test_lines_stay_lines(rng):
    lines = words("abd")(rng, 300)
    adapter = adapter_of(Own(words("abc")), data=lines)
    assert adapter.kind == "text"
    rows = adapter.encode(lines, 0)
    assert adapter.to_user(rows) == lines
    assert {*"".join(adapter.codec.characters)} == {*"abcd"}


def test_images_in_bytes_come_back_in_bytes(rng):
    images = rng.integers(0, 255, (300, 6, 6, 1)).astype(np.uint8)
    noise = Own(lambda r, n: r.integers(0, 255, (n, 6, 6, 1)).astype(np.uint8))
    refined = refine(noise, images, minutes=0.05, random_state=0)
    drawn = refined.sample(4, random_state=0)
    assert (drawn.dtype, drawn.shape) == (np.uint8, (4, 6, 6, 1))
    found = pushforward.evaluate(refined, images[:100], measures=["fid"], features="pixels")
    assert np.isfinite(found["fid"].value)


def test_other_columns_and_a_logit_that_sees_other_places_are_refused(rng):
    data = two(rng, 300)[["y", "x"]]
    renamed = Own(lambda r, n: two(r, n).rename(columns={"y": "z"}))
    with pytest.raises(DataError, match=r"columns \['x', 'z'\], and the data \['y', 'x'\]"):
        refine(renamed, data)
    with pytest.raises(DataError, match="Expected one order"):
        refine(Own(two), data, logit=lambda x: x[:, 0])


@pytest.mark.parametrize("shape", [(300,), (300, 1)])
def test_single_numbers_are_refused_in_words(shape, rng):
    with pytest.raises(DataError, match=r"shape \(300,\)|rows of shape \(\)"):
        refine(Own(lambda r, n: r.normal(size=n)), rng.normal(size=shape))
