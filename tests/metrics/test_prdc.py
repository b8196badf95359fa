"""Precision, recall, density, coverage: the definitions, by brute force."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from pushforward.errors import DataError, ParameterError
from pushforward.metrics import prdc


def brute(real, generated, k):
    radius = [np.sort(cdist(x, x), axis=1)[:, k] for x in (real, generated)]
    apart = cdist(real, generated)
    inside = apart <= radius[0][:, None]
    return (
        inside.any(axis=0).mean(),
        (apart <= radius[1]).any(axis=1).mean(),
        inside.sum() / (k * len(generated)),
        inside.any(axis=1).mean(),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_the_definition(rng, k, monkeypatch):
    monkeypatch.setattr("pushforward.metrics.arrays.BLOCK_BYTES", 8 * 120 * 9)
    real, generated = rng.normal(size=(120, 4)) + 50, 0.7 * rng.normal(size=(90, 4)) + 50.2
    found = prdc(real, generated, k=k)
    assert [m.name for m in found] == ["precision", "recall", "density", "coverage"]
    np.testing.assert_allclose([m.value for m in found], brute(real, generated, k), rtol=1e-12)
    assert all(m.interval[0] <= m.value <= m.interval[1] for m in found)


def test_tells_fidelity_from_variety(rng):
    real = rng.normal(size=(400, 2))
    narrow = prdc(real, 0.3 * rng.normal(size=(400, 2)))
    wide = prdc(real, 3 * rng.normal(size=(400, 2)))
    assert narrow[0].value > wide[0].value + 0.3  # precision
    assert wide[1].value > narrow[1].value + 0.3  # recall
    assert narrow[3].value < 0.7  # coverage


def test_limits_are_named(rng):
    X = rng.normal(size=(20, 2))
    with pytest.raises(DataError, match="more than k = 20"):
        prdc(X, X, k=20)
    with pytest.raises(ParameterError, match="k is 0"):
        prdc(X, X, k=0)
    assert any("both" in text for text in prdc(X, np.tile(X, (3, 1)))[0].warnings)
