"""Tables that come in: arrays of any layout, files in memory maps, lists of rows."""

import numpy as np
import torch

from pushforward.data import Columns


def encoded(X, **options):
    columns = Columns.learn(X, **options).columns
    return columns, *columns.encode(X)


def test_array_is_never_written_to_and_any_layout_will_do():
    X = np.random.default_rng(0).normal(size=(30, 3))
    X.setflags(write=False)
    columns, z, _ = encoded(X)
    for same in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], torch.tensor(X)):
        assert torch.equal(columns.encode(same)[0], z)
    assert torch.equal(columns.encode(torch.tensor(X, requires_grad=True))[0], z)


def test_memory_mapped_array(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 3))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert torch.equal(encoded(mapped)[1], encoded(X)[1])


def test_list_of_rows_with_words_keeps_numbers():
    columns = Columns.learn([["a", 1.5], ["b", 2.5], ["a", 3.25]]).columns
    assert columns.kinds == ("category", "continuous")
