"""Quantiles, ranks and weights are right far beyond where probabilities underflow."""

import numpy as np
import pytest
import scipy.special
import torch

from pushforward.transport.numerics import (
    alike,
    argsort,
    effective_size,
    gaussian_scores,
    log_ndtri,
    normal_log_prob,
    retracted,
    sort,
    unique_rows,
)


def log_probabilities():
    far = -np.logspace(30, 1, 400)
    near = np.linspace(-10, np.log(0.5), 400)
    return np.concatenate([far, near])


def test_log_ndtri_agrees_with_scipy():
    log_p = log_probabilities()
    expected = scipy.special.ndtri_exp(log_p)
    z = log_ndtri(torch.from_numpy(log_p)).numpy()
    assert np.isfinite(z).all()
    np.testing.assert_allclose(z, expected, rtol=1e-9, atol=1e-12)


def test_log_ndtri_is_the_inverse_of_log_ndtr():
    log_p = log_probabilities()
    log_p = log_p[log_p > -1e14]  # further out a float64 z cannot tell the probabilities apart
    back = scipy.special.log_ndtr(log_ndtri(torch.from_numpy(log_p)).numpy())
    np.testing.assert_allclose(back, log_p, rtol=1e-9)


def test_log_ndtri_never_falls():
    log_p = np.unique(log_probabilities())
    assert (np.diff(log_ndtri(torch.from_numpy(log_p)).numpy()) >= 0).all()


def numbers(kind, generator):
    values = torch.randn(3, 4, 500, generator=generator)
    if kind == "ties":
        return values.mul_(2).round_()  # zeros of both signs among them
    if kind == "tiny":
        return values.mul_(1e-44)
    if kind == "infinite":
        values[..., 7], values[..., 0], values[..., 9] = torch.inf, -torch.inf, -torch.inf
    return values.double() if kind == "double" else values


@pytest.mark.parametrize("flush", [False, True])
@pytest.mark.parametrize("kind", ["usual", "double", "ties", "tiny", "infinite"])
def test_numbers_are_sorted_along_the_last_dimension_and_none_is_lost(kind, flush, generator):
    values = numbers(kind, generator)
    right = values.sort(-1).values
    torch.set_flush_denormal(flush)
    try:
        (rising, order), again = sort(values), argsort(values)
        assert torch.equal(argsort(values.mT), argsort(values.mT.contiguous()))
    finally:
        torch.set_flush_denormal(False)
    assert torch.equal(order.sort(-1).values, torch.arange(500).expand_as(order))
    assert torch.equal(order, again)
    if kind != "tiny" or not flush:  # flushed they are zeros, which are in any order
        assert torch.equal(rising, right)
        assert torch.equal(values.gather(-1, order), right)


def test_nothing_is_sorted_to_nothing():
    assert sort(torch.zeros(2, 0))[0].shape == argsort(torch.zeros(2, 0)).shape == (2, 0)


def test_gaussian_scores_are_quantiles_at_mid_ranks():
    scores = gaussian_scores(1001)
    assert torch.allclose(scores, -scores.flip(0))
    assert float(scores.square().mean()) == pytest.approx(1, abs=5e-3)
    assert torch.allclose(
        torch.special.ndtr(scores), (torch.arange(1001).double() + 0.5) / 1001, atol=1e-12
    )


def test_normal_log_prob_of_far_float32_points_is_finite():
    z = torch.tensor([[1e25, 0.0], [1.0, 2.0]])
    value = normal_log_prob(z)
    assert value.dtype == torch.float64
    assert torch.isfinite(value).all()
    assert float(value[1]) == pytest.approx(-0.5 * 5 - np.log(2 * np.pi))


def test_effective_size_counts_equal_weights_fully_and_one_weight_once():
    assert effective_size(7, None) == 7
    assert effective_size(7, torch.full((7,), 3.0)) == pytest.approx(7)
    assert effective_size(3, torch.tensor([1.0, 0.0, 0.0])) == pytest.approx(1)


@pytest.mark.parametrize("ratio", [1.0, 1e2, 1e6])
def test_a_retraction_gives_orthonormal_columns_of_the_same_span(ratio):
    generator = torch.Generator().manual_seed(0)
    values = torch.logspace(0, 1, 6, ratio, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(5, 6, 6, generator=generator).double()).Q
    points = torch.randn(5, 20, 6, generator=generator).double()
    m = points @ (axes * values.sqrt()) @ axes.mT
    found = retracted(m)
    eye = torch.eye(6, dtype=torch.float64).expand(5, 6, 6)
    torch.testing.assert_close(found.mT @ found, eye, rtol=0, atol=1e-6)
    torch.testing.assert_close(found @ (found.mT @ m), m, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(retracted(m[0]), found[0], rtol=1e-12, atol=1e-12)


def test_a_retraction_stays_near_a_short_step():
    a = torch.linalg.qr(torch.eye(6, 3).double()).Q
    step = torch.zeros(6, 3).double()
    step[4, 0], step[5, 2] = 1e-4, -2e-4  # along the tangent space: at right angles to a
    torch.testing.assert_close(retracted(a + step), a + step, rtol=0, atol=1e-7)


@pytest.mark.parametrize("columns", [0, 1, 30, 31, 70])
def test_rows_with_the_same_marks_are_found_as_by_sorting_rows(columns, generator):
    mask = torch.rand(200, columns, generator=generator) < 0.5
    mask[100:] = mask[:100]
    mask[::3, : columns // 2] = False
    patterns, group = unique_rows(mask)
    assert patterns[group].equal(mask)
    if columns:
        assert patterns.equal(mask.unique(dim=0))
    found = list(alike(mask))
    assert all(mask[rows].equal(marks.expand(len(rows), -1)) for rows, marks in found)
    assert torch.cat([rows for rows, _ in found]).sort().values.equal(torch.arange(200))
    assert unique_rows(mask[:0])[0].shape == (0, columns)
