"""Calibrated logits rise, are finite, and say what share is real."""

import pytest
import torch

from pushforward.errors import DataError, ParameterError
from pushforward.refinement import calibrate, calibration_statistic


@pytest.fixture
def sides(generator):
    x = torch.randn(2, 5000, generator=generator, dtype=torch.float64)
    return x[0] + 1 - 0.5, x[1] - 0.5  # logits of N(1, 1) over N(0, 1), exact


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_a_distorted_logit_is_set_right(sides, kind, generator):
    real, generated = (4 * part + 3 for part in sides)
    mapped = calibrate(real, generated, kind)
    grid = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    assert float((mapped(4 * grid + 3) - grid).abs().mean()) < 0.12
    fresh = torch.randn(2, 5000, generator=generator, dtype=torch.float64)
    tested = mapped(4 * (fresh[0] + 0.5) + 3), mapped(4 * (fresh[1] - 0.5) + 3)
    assert abs(calibration_statistic(*tested)) < 3
    assert abs(calibration_statistic(4 * fresh[0] + 5, 4 * fresh[1] + 1)) > 10


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_calibration_rises_and_is_finite_everywhere(sides, kind):
    mapped = calibrate(*sides, kind)(torch.linspace(-1e3, 1e3, 501))
    assert mapped.isfinite().all()
    assert (mapped.diff() >= 0).all()


def test_sides_that_do_not_overlap_give_finite_logits():
    mapped = calibrate(torch.ones(50), -torch.ones(50), "isotonic")
    assert mapped(torch.tensor([-5.0, 5.0])).abs().max() < 10


def test_unequal_numbers_of_rows_change_nothing(sides):
    real, generated = sides
    fair, rare = calibrate(real, generated), calibrate(real[:500], generated)
    assert float((fair.values - rare.values).abs().max()) < 0.25


def test_a_logit_that_points_the_wrong_way_is_taken_for_knowing_nothing(sides):
    line = calibrate(*reversed(sides))
    assert line(torch.tensor([-3.0, 3.0])).tolist() == [0, 0]


def test_what_cannot_be_is_named(sides):
    with pytest.raises(DataError, match="finite"):
        calibrate(torch.tensor([float("nan")]), sides[1])
    with pytest.raises(ParameterError, match="beta"):
        calibrate(*sides, "beta")
