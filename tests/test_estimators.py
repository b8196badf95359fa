"""scikit-learn's own checks pass whole, with nothing expected to fail."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from pushforward import GIS, AutoDensity

# needs SCIPY_ARRAY_API=1 before scipy is imported; it checks arrays of other libraries
MAY_BE_SKIPPED = {"check_array_api_input"}


# without time AutoDensity takes every step of a fit with the least of each: it is the contract
# that is checked, in a hundred fits, and not the density
ESTIMATORS = {"GIS": GIS(max_layers=5), "Auto": AutoDensity(minutes=1e-6)}


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_check_estimator_passes_whole(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None)
    failed = {r["check_name"]: repr(r["exception"]) for r in results if r["status"] == "failed"}
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert failed == {}
    assert skipped <= MAY_BE_SKIPPED
    assert not [r for r in results if r["expected_to_fail"]]
    assert len(results) >= 45


def test_constructors_store_their_arguments_and_nothing_else():
    for cls in (GIS, AutoDensity):
        parameters = cls().get_params()
        marked = {name: object() for name in parameters}
        model = cls(**marked)
        assert vars(model) == marked


def test_every_parameter_is_documented():
    for cls in (GIS, AutoDensity):
        text = cls.__doc__
        for name in cls().get_params():
            assert name in text, name


def test_they_work_in_pipelines_and_searches():
    x = np.random.default_rng(0).normal(size=(150, 2)) ** 3
    pipeline = make_pipeline(StandardScaler(), GIS(max_layers=5, random_state=0)).fit(x)
    assert pipeline.transform(x).shape == x.shape
    assert pipeline.inverse_transform(pipeline.transform(x)) == pytest.approx(x, abs=1e-2)
    search = GridSearchCV(GIS(random_state=0, max_layers=10), {"margins": [False, True]}, cv=3)
    assert search.fit(x).best_params_["margins"] in (False, True)
    assert np.isfinite(cross_val_score(GIS(max_layers=3, random_state=0), x, cv=3)).all()


def test_a_clone_is_unfitted_and_has_equal_parameters():
    model = GIS(max_layers=2, bounds={1: (0, None)}, random_state=0)
    model.fit(np.random.default_rng(0).random((30, 2)))
    fresh = clone(model)
    assert not hasattr(fresh, "density_")
    assert fresh.get_params() == model.get_params()
