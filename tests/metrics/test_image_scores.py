"""Inception score and MS-SSIM: the oracles' values, conventions that never mix."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import inception_score, ms_ssim, ms_ssim_diversity
from pushforward.metrics.ms_ssim import SCALE_WEIGHTS


def pictures(rng, n, side, blur=3, channels=1):
    x = gaussian_filter(rng.normal(size=(n, channels, side, side)), (0, 0, blur, blur))
    return ((x - x.min()) / (x.max() - x.min()) * 255).astype(np.uint8)


@pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features")
def test_inception_score_equals_torchmetrics(rng):
    from torchmetrics.image.inception import InceptionScore

    class Logits(torch.nn.Module):
        num_features = 10

        def forward(self, x):
            return x

    logits = torch.from_numpy(3 * rng.normal(size=(400, 10)))
    metric = InceptionScore(feature=Logits(), splits=2).set_dtype(torch.float64)
    metric.update(logits)
    torch.manual_seed(0)
    expected = float(metric.compute()[0])
    torch.manual_seed(0)
    order = torch.randperm(400)  # the order that torchmetrics splits
    found = inception_score(torch.softmax(logits[order], 1).numpy(), splits=2)
    assert found.value == pytest.approx(expected, rel=1e-5)


def test_inception_score_limits(rng):
    uniform = np.full((100, 5), 0.2)
    assert inception_score(uniform).value == pytest.approx(1)
    one_class = np.tile([1.0, 0, 0], (100, 1))
    assert inception_score(one_class).value == pytest.approx(1)
    few = inception_score(rng.dirichlet(np.full(100, 0.05), 80))
    assert few.details["bias"] < 0
    assert "smaller by about" in few.warnings[0]
    with pytest.raises(DataError, match="softmax"):
        inception_score(rng.normal(size=(100, 5)))
    with pytest.raises(ParameterError, match="splits"):
        inception_score(uniform, splits=30)


def test_standard_ms_ssim_equals_torchmetrics_terms(rng):
    """torchmetrics pads the coarsest scale; its terms without the padding are ours."""
    from torchmetrics.functional.image import structural_similarity_index_measure as ssim

    a = pictures(rng, 2, 190, channels=2)
    b = np.clip(a + 20 * rng.normal(size=a.shape), 0, 255).astype(np.uint8)
    x, y = (torch.from_numpy(v).double() for v in (a, b))
    expected = torch.ones(2, dtype=torch.float64)
    options = {"data_range": 255.0, "reduction": "none"}
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale < 4:
            _, term = ssim(x, y, return_contrast_sensitivity=True, **options)
        else:
            _, whole = ssim(x, y, return_full_image=True, **options)
            term = whole[..., 5:-5, 5:-5].mean((1, 2, 3))
        expected *= term**weight
        x, y = (torch.nn.functional.avg_pool2d(v, 2) for v in (x, y))
    np.testing.assert_allclose(ms_ssim(a, b), expected.numpy(), rtol=1e-6)


def test_standard_ms_ssim_is_near_torchmetrics_whole(rng):
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms

    a = pictures(rng, 1, 240)
    b = np.clip(a + 20 * rng.normal(size=a.shape), 0, 255).astype(np.uint8)
    expected = float(ms(*(torch.from_numpy(v).double() for v in (a, b)), data_range=255.0))
    assert ms_ssim(a, b)[0] == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize("side", [8, 28, 31, 64])
def test_small_convention_takes_any_side_and_orders(rng, side):
    a = pictures(rng, 6, side, 1)
    near = np.clip(a + 5 * rng.normal(size=a.shape), 0, 255).astype(np.uint8)
    far = np.clip(a + 60 * rng.normal(size=a.shape), 0, 255).astype(np.uint8)
    found = [ms_ssim(a, x, convention="small") for x in (a, near, far)]
    assert found[0] == pytest.approx(1)
    assert (found[0] >= found[1]).all()
    assert (found[1] > found[2]).all()
    assert np.isfinite(ms_ssim(a, 255 - a, convention="small")).all()


def test_conventions_have_their_own_names_and_limits(rng):
    small = pictures(rng, 10, 32, 1)
    with pytest.raises(DataError, match="convention='small'"):
        ms_ssim_diversity(small)
    assert ms_ssim_diversity(small, convention="small").name == "ms_ssim_diversity_small"
    assert ms_ssim_diversity(pictures(rng, 4, 176), pairs=4).name == "ms_ssim_diversity"
    with pytest.raises(ParameterError, match="Expected one of standard, small"):
        ms_ssim(small, small, convention="tiny")


def test_diversity_falls_with_repetition(rng):
    images = pictures(rng, 60, 24, 2)
    varied = ms_ssim_diversity(images, convention="small", pairs=300)
    collapsed = ms_ssim_diversity(np.repeat(images[:3], 20, axis=0), convention="small", pairs=300)
    assert collapsed.value < varied.value - 0.1
    assert varied.interval[0] < varied.value < varied.interval[1]
