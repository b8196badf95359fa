"""The three codecs satisfy one protocol, and its laws hold for each."""

import numpy as np
import pandas as pd
import pytest
import torch

from pushforward.data import Alphabet, Codec, Columns, Pixels

LINES = ["abba", "cab", "", "b!"]
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
FRAME = pd.DataFrame(
    {"n": [1, 2, 2, 30], "kind": ["a", "b", "a", "a"], "x": [0.25, -1.5, 3.125, 0.5]}
)
CASES = {
    "table": lambda: (Columns.learn(FRAME).columns, FRAME),
    "images": lambda: (Pixels((1, 5, 3), "nhw"), IMAGES),
    "images on logits": lambda: (Pixels((1, 5, 3), "nhw", logit=0.05), IMAGES),
    "images of 3 bits": lambda: (Pixels((1, 5, 3), "nhw", bits=3, low=-1.0, high=1.0), IMAGES),
    "text": lambda: (Alphabet("abc", 6), LINES),
}


@pytest.fixture(params=CASES)
def codec_and_data(request):
    return CASES[request.param]()


def same(a, b):
    return a.equals(b) if isinstance(a, pd.DataFrame) else np.array_equal(a, b)


def test_what_is_encoded_has_the_shape_that_is_said_and_comes_back(codec_and_data):
    codec, X = codec_and_data
    assert isinstance(codec, Codec)
    z, log_det = codec.encode(codec.open(X), 0)
    assert z.shape == (4, *codec.event_shape)
    assert log_det.shape == (4,)
    again, _ = codec.encode(codec.open(codec.decode(z)), 0)
    assert same(codec.decode(again), codec.decode(z))


def test_rows_that_are_taken_are_encoded_as_they_are_among_the_others(codec_and_data):
    codec, X = codec_and_data
    opened = codec.open(X)
    mask = np.array([True, False, True, False])
    z, log_det = codec.encode(opened, 3)
    some, some_log_det = codec.encode(codec.take(opened, mask), 3)
    torch.testing.assert_close(some, z[mask], rtol=0, atol=0)
    torch.testing.assert_close(some_log_det, log_det[mask], rtol=1e-12, atol=1e-9)


def test_quantised_numbers_are_those_of_the_rows_they_decode_to(codec_and_data):
    codec, X = codec_and_data
    z, _ = codec.encode(codec.open(X), 0)
    blurred = z + 0.05 * torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(z)
    quantised = codec.quantise(blurred)
    assert quantised.shape == z.shape
    assert quantised.dtype == z.dtype
    assert same(codec.decode(quantised), codec.decode(blurred))


def test_middles_of_cells_stay_where_they_are_and_noise_within_a_cell_goes():
    pixels = Pixels((1, 5, 3), "nhw")
    opened = pixels.open(IMAGES)
    middle, _ = pixels.encode(opened[:], None)
    noisy, _ = pixels.encode(opened[:], 7)
    assert not torch.equal(noisy, middle)
    torch.testing.assert_close(pixels.quantise(noisy), middle, rtol=0, atol=1e-7)
    assert torch.equal(noisy, pixels.encode(opened[:], 7)[0])  # what is given is left alone


def test_columns_without_cells_are_left_as_they_are():
    columns = Columns.learn(np.random.default_rng(0).normal(size=(50, 2))).columns
    z = torch.randn(3, 2)
    assert columns.quantise(z) is z


def test_a_codec_comes_back_from_its_config(codec_and_data):
    codec, X = codec_and_data
    again = type(codec).from_config(codec.to_config())
    z, _ = codec.encode(codec.open(X), 0)
    assert again.kind == codec.kind
    assert torch.equal(again.encode(again.open(X), 0)[0], z)
