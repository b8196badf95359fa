"""evaluate and compare: the right measures for each kind of data, every figure with its origin."""

import functools
import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture

import pushforward
from pushforward.data import mixture
from pushforward.errors import DataError, ParameterError
from pushforward.metrics import LIMITATIONS, Measure, independent_critic, limitation_of
from pushforward.metrics.evaluate import MEASURES


class Levels:
    """A model of images with scores by level, as flows have."""

    def sample(self, n_samples=1, random_state=None):
        rng = np.random.default_rng(random_state)
        return rng.integers(0, 256, (n_samples, 8, 8), dtype=np.uint8)

    def score_samples(self, X, per_level=False):
        flat = -np.abs(X.reshape(len(X), -1).astype(float) - 60).mean(1)
        return np.stack([flat, -flat], 1) if per_level else flat


@pytest.fixture(scope="module")
def images():
    return (load_digits().images * 15.9).astype(np.uint8)


def test_a_table_and_its_model():
    train, real = mixture(300, 1), mixture(300, 2)
    model = pushforward.GIS(max_layers=2, random_state=0).fit(train)
    found = pushforward.evaluate(
        model, real, train=train, other=real.assign(x=9.0), n=200, random_state=3
    )
    names = [m.name for m in found.measures]
    assert found.kind == "table"
    assert found.name == "GIS"
    expected = ["column_fidelity", "pair_fidelity", "broken_dependence", "train_on_synthetic",
                "mmd2", "two_sample_auroc", "closer_to_train", "nats_per_row", "auroc",
                "average_precision", "fpr_at_95", "auroc [typicality]"]  # fmt: skip
    assert names == expected
    assert not found.skipped
    again = pushforward.evaluate(
        model, real, train=train, other=real.assign(x=9.0), n=200, random_state=3
    )
    assert again.to_dict() == found.to_dict()
    assert found["nats_per_row"].details["n_real"] == 200
    assert 0.4 < found["two_sample_auroc"].details["floor"] < 0.6
    json.dumps(found.to_dict(), allow_nan=False)


def test_rows_and_a_mixture_of_scikit_learn(rng):
    X = rng.normal(size=(300, 3))
    model = GaussianMixture(2, random_state=0).fit(X[:150])
    found = pushforward.evaluate(model, X[150:])
    assert found.kind == "rows"
    assert {"fid", "kid", "precision", "wasserstein_2", "nats_per_row"} <= {
        m.name for m in found.measures
    }
    assert set(found.skipped) == {"privacy", "ood"}
    frame = found.to_frame()
    assert frame.loc["fid", "value"] == found["fid"].value
    assert "fid" in str(found)


def test_images_of_a_model_with_levels(images):
    chosen = ["fid", "ms_ssim_diversity", "likelihood", "ood"]
    found = pushforward.evaluate(
        Levels(), images[:200], other=255 - images[:100], train=images[200:400],
        features="pixels", measures=chosen,
    )  # fmt: skip
    names = [m.name for m in found.measures]
    assert names[:3] == ["fid", "ms_ssim_diversity_small", "bits_per_dimension"]
    assert names[-2:] == ["auroc [level 1]", "auroc [level 2]"]
    total = found["auroc [level 1]"].value + found["auroc [level 2]"].value
    assert total == pytest.approx(1)
    assert "auroc [input complexity]" in names
    details = found["fid"].details
    assert (details["features"], details["n_real"], details["n_generated"]) == ("pixels", 200, 200)
    assert details["preprocessing"]
    assert details["precision"]


def test_features_of_the_user_and_layouts(images):
    given = pushforward.evaluate(
        images[:100], images[100:300, :, :, None], measures=["fid"],
        features=lambda x: x.reshape(len(x), -1)[:, 20:30].astype(np.float32),
    )  # fmt: skip
    assert given["fid"].details["dimension"] == 10
    with pytest.raises(DataError, match="Expected the same"):
        pushforward.evaluate(images[:50, :4], images[:50])


def test_the_critic_comes_when_asked_for_by_name(rng, monkeypatch):
    quick = functools.partial(independent_critic, steps=100)
    monkeypatch.setattr("pushforward.metrics.measure_registry.independent_critic", quick)
    real = rng.normal(size=(200, 2))
    usual = {m.name for m in pushforward.evaluate(real[:100], real[100:]).measures}
    assert "independent_critic" not in usual
    samples = {"near": rng.normal(size=(200, 2)), "far": rng.normal(size=(200, 2)) + 3}
    found = pushforward.compare(samples, real, measures=["critic"])
    assert found.best("independent_critic") == "near"
    details = found["near"]["independent_critic"].details
    assert (details["n_validation"], details["n_real"]) == (100, 100)
    assert details["features"] == "rows as given"
    assert "Danihelka" in found.cite()


def test_the_critic_of_images_sees_pixels(images, monkeypatch):
    asked = {}

    def critic(sample, validation, test, **options):
        asked.update(options, shapes=[part.shape for part in (sample, validation, test)])
        asked["rows"] = np.concatenate([validation[:], test[:]])
        return Measure("independent_critic", -1.0)

    monkeypatch.setattr("pushforward.metrics.measure_registry.independent_critic", critic)
    found = pushforward.evaluate(
        images[:60], images[100:201], measures=["critic"], features="pixels", random_state=2
    )
    assert found["independent_critic"].value == -1
    assert asked["shapes"] == [(1, 8, 8)] * 3
    assert asked["random_state"] == 2
    theirs, ours = (np.sort(x.reshape(101, -1), axis=0) for x in (asked["rows"], images[100:201]))
    np.testing.assert_array_equal(theirs, ours)  # every real image, once


def test_features_are_kept_where_asked(images, tmp_path):
    real, samples = images[:100], images[100:200]
    options = {"measures": ["fid"], "features": "pixels"}
    before = pushforward.evaluate(samples, real, **options)
    kept = pushforward.evaluate(samples, real, cache=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 2
    assert kept["fid"].value == before["fid"].value
    pushforward.compare({"again": samples}, real, cache=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_go_to_the_network_and_to_nothing_else(images, tmp_path):
    absent = tmp_path / "inception.pth"
    with pytest.raises(ParameterError, match=r"inception\.pth.*no such file"):
        pushforward.evaluate(images[:50], images[50:100], features="inception", weights=absent)
    for features in (None, "pixels"):
        with pytest.raises(ParameterError, match="such as features='inception'"):
            pushforward.compare({"a": images[:50]}, images, features=features, weights=absent)


def test_text():
    found = pushforward.evaluate(["abcdefgh"] * 9, ["abcdefgh"] * 9)
    assert [m.value for m in found.measures] == [0, 0]
    with pytest.raises(DataError, match="list of str"):
        pushforward.evaluate(np.zeros((5, 2)), ["abc"] * 5)


def test_compare_uses_one_reference(rng):
    real = rng.normal(size=(200, 2))
    near, far = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) + 1
    found = pushforward.compare(
        {"near": near, "far": far}, real, measures=["fid", "prdc", "likelihood"]
    )
    assert found.best("fid") == found.best("coverage") == "near"
    assert found.to_frame().shape == (5, 2)
    assert "near" in str(found)
    assert "likelihood" in found["far"].skipped
    alone = pushforward.evaluate(far, real, measures=["fid"])
    assert found["far"]["fid"].value == alone["fid"].value
    with pytest.raises(ParameterError, match="No models"):
        pushforward.compare({}, real)


def test_wrong_requests_are_named(rng):
    X = rng.normal(size=(50, 2))
    with pytest.raises(ParameterError, match=r"'ngrams'.*rows"):
        pushforward.evaluate(X, X, measures=["ngrams"])
    with pytest.raises(ParameterError, match="train="):
        pushforward.evaluate(X, X, measures=["privacy"])
    with pytest.raises(ParameterError, match="for images"):
        pushforward.evaluate(X, X, features="pca")
    with pytest.raises(ParameterError, match="at least 4"):
        pushforward.evaluate(X, X, n=2)
    with pytest.raises(DataError, match=r"pixel_range=\(0, 1\)"):
        pushforward.evaluate(X, np.zeros((9, 4, 4)))


def test_every_measure_says_what_it_is_blind_to(rng, images):
    names = {m.name for m in pushforward.evaluate(
        images[:120], images[200:400], train=images[400:600],
        y=load_digits().target[400:600], features="pixels",
    ).measures}  # fmt: skip
    names |= {"independent_critic", "js_4", "nats_per_row", "column_fidelity", "high_quality"}
    assert all(limitation_of(name) for name in names)
    assert limitation_of("auroc [level 2]") == LIMITATIONS["auroc"]
    assert all(entry.kinds for entry in MEASURES.values())


def test_a_measure_is_never_nan():
    with pytest.raises(DataError, match="finite"):
        Measure("fid", float("nan"))
    with pytest.raises(DataError, match="finite"):
        Measure("fid", 1.0, (0.0, float("inf")))
