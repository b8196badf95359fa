"""Models saved by earlier code load, and answer as they did."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import pushforward
from pushforward.estimators.registry import MODELS as CLASSES

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.npz"))

_spec = importlib.util.spec_from_file_location("golden_make", HERE / "make.py")
assert _spec is not None
assert _spec.loader is not None
make = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_earlier_code_answers_as_it_did(name, all_fits):
    model = pushforward.load(HERE / name)
    with np.load(HERE / f"{name}.npz", allow_pickle=False) as file:
        expected = dict(file)
    # the score of a table's row takes draws within its whole numbers from its cells, every bit
    # of them: that of the sample itself is another where its last bits are
    found = make.answers(model, make.sampled(expected))
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].shape == value.shape
        if value.dtype == np.uint8:
            # rounding may go the other way on another processor: one grey level, seldom
            apart = np.abs(found[key].astype(int) - value)
            assert apart.max() <= 1
            assert (apart > 0).mean() < 0.01
        elif value.dtype.kind == "f":
            np.testing.assert_allclose(found[key], value, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_saved_again_answers_as_before(name, tmp_path):
    model = pushforward.load(HERE / name)
    again = pushforward.load(model.save(tmp_path / "again"))
    first, second = make.answers(model), make.answers(again)
    for key, value in first.items():
        np.testing.assert_array_equal(second[key], value)


def test_every_class_has_a_folder():
    found = {type(pushforward.load(HERE / name)).__name__ for name in NAMES}
    assert found == set(CLASSES)
    assert set(NAMES) == set(make.MODELS)
