"""Each measure orders known corruptions of real images as it should, and is blind where we say."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from pushforward.metrics import (
    LIMITATIONS,
    class_modes,
    classifier_two_sample,
    fid,
    inception_score,
    kid,
    max_sliced_wasserstein,
    mmd,
    ms_ssim_diversity,
    nearest_neighbour_privacy,
    prdc,
    sliced_wasserstein,
    wasserstein,
)

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")


class Sets:
    """Training, held-out and fresh rows of a set of images, and corruptions of the fresh ones."""

    def __init__(self, images, labels, levels):
        rng = np.random.default_rng(0)
        order = rng.permutation(len(images))
        images, labels = images[order].astype(float) / levels, labels[order]
        third = len(images) // 3
        self.train, self.real, fresh = (images[i * third : (i + 1) * third] for i in range(3))
        self.train_labels, self.real_labels = labels[:third], labels[third : 2 * third]
        kept = labels[2 * third : 3 * third]
        self.ladders = {
            "noise": [fresh + s * rng.normal(size=fresh.shape) for s in (0, 0.25, 0.75)],
            "blur": [gaussian_filter(fresh, (0, s, s)) for s in (0, 1.2, 3)],
            "dropped classes": [self._filled(fresh[kept < k], third, rng) for k in (10, 6, 2)],
            "duplicates": [fresh[rng.integers(k, size=third)] for k in (third, third // 20, 3)],
        }
        self.ladders["duplicates"][0] = fresh

    @staticmethod
    def _filled(rows, n, rng):
        return rows if len(rows) == n else rows[rng.integers(len(rows), size=n)]


def rows(images):
    return images.reshape(len(images), -1)


def components(real, x):
    """The first principal components of the real rows, of both."""
    model = PCA(12, random_state=0).fit(real)
    return model.transform(real), model.transform(x)


def bytes_of(images):
    return np.clip(255 * images[:, None], 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return Sets(found.images, found.target, 16)


@pytest.fixture(scope="module")
def fashion():
    if not FASHION.exists():
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    with gzip.open(FASHION) as file:
        file.read(16)
        images = np.frombuffer(file.read(1500 * 784), np.uint8).reshape(-1, 28, 28)
    with gzip.open(str(FASHION).replace("images-idx3", "labels-idx1")) as file:
        labels = np.frombuffer(file.read(8 + 1500), np.uint8, offset=8)
    return Sets(images.reshape(-1, 14, 2, 14, 2).mean((2, 4)), labels, 255)


LOWER = {
    "fid": lambda real, x: fid(real, x, interval=False).value,
    "kid": lambda real, x: kid(real, x).value,
    "mmd2": lambda real, x: mmd(real, x, permutations=0).value,
    "sliced_wasserstein_1": lambda real, x: sliced_wasserstein(real, x, p=1, slices=100).value,
    "sliced_wasserstein_2": lambda real, x: sliced_wasserstein(real, x, slices=100).value,
    "max_sliced_wasserstein_2": lambda real, x: max_sliced_wasserstein(real, x, slices=50).value,
    "two_sample_auroc": lambda real, x: (
        classifier_two_sample(
            *components(real, x), classifier=QuadraticDiscriminantAnalysis(reg_param=0.1)
        ).value
    ),
    "coverage": lambda real, x: -prdc(real, x)[3].value,
}


@pytest.mark.parametrize("which", ["digits", "fashion"])
@pytest.mark.parametrize("measure", LOWER)
def test_distances_grow_along_every_ladder(request, which, measure):
    sets = request.getfixturevalue(which)
    for name, ladder in sets.ladders.items():
        values = [LOWER[measure](rows(sets.real), rows(x)) for x in ladder]
        worst = {"two_sample_auroc": 0.99, "coverage": -0.01}.get(measure, np.inf)
        assert values[0] < values[1], (name, values)
        assert values[1] < values[2] or values[2] >= worst, (name, values)


def test_exact_wasserstein_grows(digits):
    real = rows(digits.real)[:150]
    for name in ("noise", "dropped classes", "duplicates"):
        values = [wasserstein(real, rows(x)[:150]).value for x in digits.ladders[name]]
        assert values == sorted(values), name


def test_precision_and_recall_see_one_side_each(digits):
    real = rows(digits.real)
    noisy = [prdc(real, rows(x)) for x in digits.ladders["noise"]]
    assert [m[0].value for m in noisy] == sorted((m[0].value for m in noisy), reverse=True)
    assert [m[2].value for m in noisy] == sorted((m[2].value for m in noisy), reverse=True)
    for name in ("dropped classes", "duplicates"):
        dropped = [prdc(real, rows(x)) for x in digits.ladders[name]]
        recall = [m[1].value for m in dropped]
        assert recall == sorted(recall, reverse=True)
        assert recall[2] < 0.5 * recall[0]
        assert dropped[2][0].value > 0.8  # blind, as LIMITATIONS says of precision


def test_class_measures_see_dropped_classes(digits):
    model = LogisticRegression(max_iter=300).fit(rows(digits.train), digits.train_labels)
    answers = [model.predict_proba(rows(x)) for x in digits.ladders["dropped classes"]]
    scores = [inception_score(p, splits=2).value for p in answers]
    assert scores == sorted(scores, reverse=True)
    found = [class_modes(p, digits.real_labels) for p in answers]
    modes = [m[0].value for m in found]
    assert modes[0] == 10 > modes[1] > modes[2] == 2
    imbalance = [m[1].value for m in found]
    assert imbalance == sorted(imbalance)


def test_diversity_sees_duplicates_and_not_noise(digits):
    def diversity(name):
        return [
            ms_ssim_diversity(bytes_of(x), pairs=600, convention="small").value
            for x in digits.ladders[name]
        ]

    few = diversity("duplicates")
    assert few == sorted(few, reverse=True)
    noise = diversity("noise")
    assert noise[2] > noise[0]  # blind, as LIMITATIONS says


def test_memory_is_seen_by_privacy_and_by_nothing_else(digits):
    train, real = rows(digits.train), rows(digits.real)
    fresh = rows(digits.ladders["noise"][0])
    shares = []
    for part in (0, 0.3, 1):
        n = int(part * len(fresh))
        samples = np.concatenate([train[:n], fresh[n:]])
        shares.append(nearest_neighbour_privacy(train, real, samples).value)
    assert shares == sorted(shares)
    assert shares[2] == 1
    for measure in ("fid", "mmd2", "sliced_wasserstein_2"):
        copied, honest = (LOWER[measure](real, x) for x in (train, fresh))
        noisy = LOWER[measure](real, rows(digits.ladders["noise"][1]))
        assert copied < honest + 0.5 * (noisy - honest)
        assert "emorised" in LIMITATIONS[measure]  # blind, as it says
