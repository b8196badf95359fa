"""The independent critic: near known distances, on unseen data, and told when it memorises."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from pushforward.errors import DataError, ParameterError, TrainingError
from pushforward.metrics.independent_critic import gradient_penalty, independent_critic


@pytest.fixture
def rows(rng):
    return rng.normal(size=(4, 2000, 2))


@pytest.mark.parametrize(("slope", "penalty"), [([0.6, 0.8], 0.0), ([0.0, 2.0], 1.0)])
def test_the_penalty_is_of_each_samples_slope(generator, slope, penalty):
    x, y = torch.randn(64, 2), torch.randn(64, 2)
    share = torch.rand(64, generator=generator)
    found = gradient_penalty(lambda x: x @ torch.tensor(slope), x, y, share)
    assert found.item() == pytest.approx(penalty, abs=1e-5)  # of the whole batch it would be 49


def test_the_penalty_looks_between_each_pair_at_a_point_of_its_own():
    seen = []

    def critic(x):
        seen.append(x)
        return x.sum(dim=(1, 2, 3))

    share = torch.linspace(0, 1, 50)
    gradient_penalty(critic, torch.zeros(50, 1, 3, 3), torch.ones(50, 1, 3, 3), share)
    expected = share[:, None, None, None].expand(50, 1, 3, 3)
    torch.testing.assert_close(seen[0].detach(), expected)


def test_the_penalty_can_be_trained_through_a_flat_point():
    weight, share = torch.zeros(2, requires_grad=True), torch.full((4,), 0.5)
    gradient_penalty(lambda x: x @ weight, torch.zeros(4, 2), torch.ones(4, 2), share).backward()
    assert torch.isfinite(weight.grad).all()


def test_a_shift_is_found_at_its_length(rows):
    found = independent_critic(rows[0] + [1.5, 0], rows[1], rows[2], steps=800, width=8)
    assert found.value == pytest.approx(-1.5, rel=0.12)  # the 1-Wasserstein distance is 1.5
    assert found.interval[0] < found.value < found.interval[1]
    assert found.better == "higher"


def test_no_difference_is_found_where_there_is_none(rows):
    found = independent_critic(rows[0], rows[1], rows[2], steps=200, width=8)
    assert abs(found.value) < 0.12
    assert found.interval[0] < 0 < found.interval[1]


def test_worse_samples_have_lower_values_and_dropped_modes_are_seen(rng):
    def mixture(centres):
        return np.array(centres)[rng.integers(len(centres), size=1500)] + rng.normal(
            size=(1500, 2), scale=0.1
        )

    both, half = [[-2, 0], [2, 0]], [[-2, 0]]
    values = [
        independent_critic(mixture(c), mixture(both), mixture(both), steps=300, width=8).value
        for c in (both, half)
    ]
    assert values[0] > -0.2
    assert values[1] < -0.6


def test_the_training_set_is_judged_as_samples_and_the_curve_has_all_parts(rows):
    found = independent_critic(rows[0] + 2, rows[1], rows[2], train=rows[3], steps=100, width=8)
    assert found.details["training_set_as_sample"] > found.value
    curve = found.details["curve"]
    assert [point["step"] for point in curve] == list(range(10, 101, 10))
    assert all(point.keys() == {"step", "validation", "test", "train"} for point in curve)
    assert curve[-1]["test"] < curve[0]["test"]  # the critic learned something


def test_a_seed_repeats_it_and_torchs_own_is_not_touched(rows):
    before = torch.get_rng_state()
    first, second, third = (
        independent_critic(rows[0], rows[1], rows[2], steps=20, width=8, random_state=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert first == second != third


def test_images_of_any_size_and_layout():
    digits = (load_digits().images * 15).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8)
    options = {"validation": digits[300:900], "test": digits[900:], "steps": 40, "width": 8}
    near = independent_critic(digits[:300], **options)
    far = independent_critic(noise, **options)
    assert far.value < near.value - 0.2
    assert near.details["preprocessing"] == "pixels in [-1, 1]"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        colour = np.zeros((16, 21, 12, 3), dtype=np.uint8)
        independent_critic(colour, colour, colour, steps=1, width=4)


def test_a_sampler_is_asked_once(rows):
    asked = []

    def sampler(n):
        asked.append(n)
        return rows[0, :n]

    independent_critic(sampler, rows[1, :100], rows[2, :60], steps=2, width=4)
    assert asked == [160]


def test_a_critic_that_learns_its_rows_by_heart_says_so(rng):
    few = rng.normal(size=(3, 24, 20))
    found = independent_critic(few[0], few[1], few[2].repeat(20, axis=0), steps=600, width=32)
    assert any("by heart" in warning for warning in found.warnings)


def test_what_cannot_be_used_is_named(rows):
    a, b, c = rows[:3]
    with pytest.raises(DataError, match=r"sample \(3,\)"):
        independent_critic(np.zeros((50, 3)), a, b)
    with pytest.raises(DataError, match="test has 3 rows"):
        independent_critic(a, b, c[:3])
    with pytest.raises(DataError, match="sample has values that are not finite"):
        independent_critic(a * np.nan, b, c)
    with pytest.raises(ParameterError, match="steps is 0"):
        independent_critic(a, b, c, steps=0)
    with pytest.raises(ParameterError, match=r"width is 1\.5"):
        independent_critic(a, b, c, width=1.5)
    with pytest.raises(TrainingError, match=r"failed at step 1, phase 'critic'.*extreme values"):
        independent_critic(a * 1e39, b, c, steps=5)
