"""An estimator that leaves its tables to Columns passes scikit-learn's checks."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, DensityMixin, TransformerMixin
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import _check_feature_names, check_is_fitted

from pushforward.data import Columns


class Independent(TransformerMixin, DensityMixin, BaseEstimator):
    """Each coordinate is standard normal."""

    def fit(self, X, y=None, sample_weight=None):
        _check_feature_names(self, X, reset=True)
        learned = Columns.learn(X, sample_weight=sample_weight, estimator="Independent")
        self.columns_ = learned.columns
        self.n_features_in_ = self.columns_.n_columns
        return self

    def _encode(self, X):
        check_is_fitted(self)
        _check_feature_names(self, X, reset=False)
        return self.columns_.encode(X)

    def transform(self, X):
        return self._encode(X)[0].numpy()

    def score_samples(self, X):
        z, log_det = self._encode(X)
        return (-0.5 * (z**2 + np.log(2 * np.pi)).sum(1) + log_det).numpy()

    def score(self, X, y=None):
        return float(np.mean(self.score_samples(X)))


# without SCIPY_ARRAY_API scikit-learn warns that it skips a check
@pytest.mark.filterwarnings("ignore:Skipping check:sklearn.exceptions.SkipTestWarning")
def test_check_estimator():
    check_estimator(Independent())
