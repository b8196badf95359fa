"""A thousand bad tables: a finite answer or a typed error, nothing else ever."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import pushforward
from pushforward import GIS, AutoDensity, PushforwardError
from pushforward.estimators.capabilities import complete_samples

SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, 1e-30, 1e30, -1e30, 1e300, -1e300, 1e308, 5e-324, 1e-310, 2.0**53),
    *(np.finfo(np.float64).max, np.finfo(np.float64).tiny, 1 / 3),
]


def size(r):
    n = int(r.choice([1, 2, 3, 5, 10, 21, 40], p=[0.1, 0.1, 0.1, 0.15, 0.15, 0.2, 0.2]))
    return n, int(r.choice([1, 2, 3, 6, 30], p=[0.3, 0.25, 0.25, 0.15, 0.05]))


def normal(r):
    return r.normal(size=size(r))


def scaled(r):
    return normal(r) * 10.0 ** r.integers(-300, 300)


def each_scaled(r):
    x = normal(r)
    return x * 10.0 ** r.integers(-150, 150, x.shape[1])


def constant_columns(r):
    x = normal(r)
    x[:, r.integers(x.shape[1])] = r.choice(SPECIAL)
    return x


def all_constant(r):
    return np.full(size(r), r.choice(SPECIAL))


def nearly_constant(r):
    x = np.full(size(r), float(r.choice([1.0, 1e6, 1e30, 1e300])))
    x[r.integers(len(x))] = np.nextafter(x[0], 0)
    return x


def repeated_columns(r):
    x = normal(r)
    return np.concatenate([x, x, -2 * x], axis=1)


def repeated_rows(r):
    x = normal(r)
    return x[r.integers(len(x), size=3 * len(x))]


def special_values(r):
    return r.choice(SPECIAL, size(r))


def one_special(r):
    x = normal(r)
    x[r.integers(len(x)), r.integers(x.shape[1])] = r.choice(SPECIAL)
    return x


def with_infinity(r):
    x = normal(r)
    x[r.integers(len(x)), 0] = r.choice([np.inf, -np.inf])
    return x


def with_nan(r):
    x = normal(r)
    x[r.integers(len(x)), -1] = np.nan
    return x


def denormal(r):
    return normal(r) * 1e-310


def large_offset(r):
    return normal(r) + 10.0 ** r.integers(3, 17)


def heavy(r):
    return r.standard_cauchy(size(r)) ** 3


def wide(r):
    return r.normal(size=(int(r.integers(1, 25)), 40))


def empty(r):
    return np.zeros([(0, 3), (3, 0), (0, 0), (0,), (3,), (2, 2, 2), ()][r.integers(7)])


def integers(r):
    kind = r.choice(["int8", "uint8", "int64", "uint64", "int32", "uint16"])
    info = np.iinfo(kind)
    return r.integers(info.min, info.max, size(r), dtype=kind, endpoint=True)


def few_integers(r):
    return r.integers(-2, 3, size(r)).astype(r.choice(["int8", "int64", "float64", "float32"]))


def booleans(r):
    return r.random(size(r)) < 0.3


def small_floats(r):
    with np.errstate(over="ignore", under="ignore"):
        return (normal(r) * 10.0 ** r.integers(-6, 6)).astype(r.choice(["float16", "float32"]))


def long_doubles(r):
    return normal(r).astype(np.longdouble) * np.longdouble("1e400") ** r.integers(0, 2)


def complex_numbers(r):
    return normal(r) * 1j


def strings(r):
    return r.choice(["a", "b", "", "ü", "nan", "1e5"], size(r))


def numbers_as_text(r):
    return normal(r).astype(str)


def objects(r):
    x = normal(r).astype(object)
    odd = [None, "text", 3, True, 1e30, object(), [1], {}, b"bytes", 10**400, 2 + 1j, float("nan")]
    for _ in range(r.integers(1, 4)):
        x[r.integers(len(x)), r.integers(x.shape[1])] = odd[r.integers(len(odd))]
    return x


def dates(r):
    return np.array(["2020-01-01", "2021-05-05"], dtype="M8[D]")[r.integers(0, 2, size(r))]


def lists(r):
    x = normal(r).tolist()
    if r.random() < 0.5:
        x[0] = x[0][:-1]  # ragged
    return x


def fortran(r):
    return np.asfortranarray(normal(r))


def read_only(r):
    x = normal(r)
    x.setflags(write=False)
    return x


def reversed_view(r):
    return normal(r)[::-1, ::-1]


def big_endian(r):
    return normal(r).astype(">f8")


def masked(r):
    x = normal(r)
    return np.ma.masked_array(x, x > 1)


def matrix_in_a_file(r, folder):
    x = normal(r)
    path = folder / f"{r.integers(1 << 40)}.npy"
    np.save(path, x)
    return np.load(path, mmap_mode="r")


def tensors(r):
    dtype = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int16, torch.bool]
    return torch.from_numpy(3 * normal(r)).to(dtype[r.integers(6)])


def gradients(r):
    return torch.from_numpy(normal(r)).requires_grad_(True)


def frame(r):
    n = size(r)[0]
    columns = {
        "x": r.normal(size=n),
        "k": r.integers(0, 3, n),
        "big": r.integers(-(2**62), 2**62, n),
        "c": r.choice(["u", "v", "w"], n),
        "b": r.random(n) < 0.5,
        "same": np.full(n, "s"),
        "zero": np.where(r.random(n) < 0.7, 0.0, r.exponential(size=n)),
        "huge": r.normal(size=n) * 1e200,
    }
    names = r.choice(list(columns), r.integers(1, 6), replace=False)
    return pd.DataFrame({name: columns[name] for name in names})


def odd_frame(r):
    x = frame(r)
    n = len(x)
    kind = r.integers(9)
    if kind == 0:
        x["c2"] = pd.Categorical(r.choice(["a", "b"], n), categories=["a", "b", "never"])
    elif kind == 1:
        x["na"] = pd.array(np.where(r.random(n) < 0.3, None, 1), dtype="Int64")
    elif kind == 2:
        x["when"] = pd.Timestamp("2020-01-01")
    elif kind == 3:
        x["mix"] = [1 if i % 2 else "one" for i in range(n)]
    elif kind == 4:
        x.columns = ["same name"] * x.shape[1]
    elif kind == 5:
        x.index = np.zeros(n)
    elif kind == 6:
        x["id"] = [f"id{i}" for i in range(n)]
    elif kind == 7:
        x[3.5] = 1.0
    else:
        x["f"] = pd.array(r.normal(size=n), dtype="Float32")
    return x


def polars_frame(r):
    x = frame(r)
    x = pl.DataFrame({name: x[name].to_numpy().tolist() for name in x.columns})
    if r.random() < 0.2:
        x = x.with_columns(pl.lit(None).alias("null"))
    return x


def series(r):
    return pd.Series(normal(r)[:, 0])


def no_table(r):
    return [None, 5, "iris.csv", {}, {"a": [1, 2]}, set(), object(), [], [[]], [1, 2], b"x"][
        r.integers(11)
    ]


MAKERS = [
    *(normal, scaled, each_scaled, constant_columns, all_constant, nearly_constant),
    *(repeated_columns, repeated_rows, special_values, one_special, with_infinity, with_nan),
    *(denormal, large_offset, heavy, wide, empty, integers, few_integers, booleans, small_floats),
    *(long_doubles, complex_numbers, strings, numbers_as_text, objects, dates, lists, fortran),
    *(read_only, reversed_view, big_endian, masked, matrix_in_a_file, tensors, gradients, frame),
    *(odd_frame, polars_frame, series, no_table),
]


def make(maker, seed, folder):
    r = np.random.default_rng([seed, MAKERS.index(maker)])
    return maker(r, folder) if maker is matrix_in_a_file else maker(r)


def numbers(X):
    """All numbers of a table, wherever they are."""
    if isinstance(X, torch.Tensor):
        return X.detach().double().numpy()
    if isinstance(X, pl.DataFrame):
        X = X.to_pandas()
    if isinstance(X, pd.DataFrame):
        X = X.select_dtypes("number").to_numpy(dtype=np.float64, na_value=np.nan)
    X = np.asarray(X)
    return X.astype(np.float64) if X.dtype.kind in "fiub" else np.zeros(0)


def ours(warning):
    return issubclass(warning.category, RuntimeWarning) and "pushforward" in warning.filename


def attempt(model, X):
    """Fit, score, sample; "finite" or "refused", or a complaint."""
    try:
        model.fit(X)
    except PushforwardError as error:
        return "refused" if len(str(error)) > 20 else f"error without advice: {error!r}"
    left_out = getattr(getattr(model, "columns_", None), "n_left_out", 0)
    try:
        if left_out:  # the rows with gaps, which have no score
            scores = model.score_samples(X, missing="blank")
            scored = scores[~np.isnan(scores)]
        else:
            scores = scored = model.score_samples(X)
        if len(scored) == 0 or not np.isfinite(scored).all():
            return f"scores {scores[~np.isfinite(scores)][:3]}"
        if scores.shape != (len(X),):
            return f"scores of shape {scores.shape}"
    except PushforwardError as error:
        return f"fitted, and refused to score the same rows: {error}"
    # rows of a fit with missing cells have samples with some
    sample = complete_samples(model, 7, 0)
    if type(sample) is not type(X) and not isinstance(X, (list, np.ndarray)):
        return f"a sample of type {type(sample).__name__}"
    if len(sample) != 7:
        return f"{len(sample)} rows instead of 7"
    if not np.isfinite(numbers(sample)).all():
        return "a sample with NaN or infinity"
    try:
        if not np.isfinite(model.score_samples(sample)).all():
            return "NaN scores of its own sample"
    except PushforwardError:
        pass
    if not set(model.predict(X)) <= {-1, 1}:
        return "predictions other than +1 and -1"
    return "finite"


def run(new_model, makers_and_seeds, folder):
    results, complaints = Counter(), []
    for maker, seed in makers_and_seeds:
        X = make(maker, seed, folder)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = attempt(new_model(), X)
            except Exception as error:
                result = f"{type(error).__name__}: {error}"
        result = next((f"warned: {w.message}" for w in caught if ours(w)), result)
        results[result in ("finite", "refused")] += 1
        results[maker.__name__, result] += 1
        if result not in ("finite", "refused"):
            complaints.append(f"{maker.__name__}({seed}): {result[:300]}")
    return results, complaints


SEEDS_GIS, SEEDS_AUTO = 7, 2


def test_gis_answers_or_refuses_hundreds_of_tables(tmp_path):
    cases = [(maker, seed) for maker in MAKERS for seed in range(SEEDS_GIS)]
    results, complaints = run(
        lambda: GIS(max_layers=2, search_steps=4, knots=16, random_state=0), cases, tmp_path
    )
    assert results[True] + results[False] == len(cases) >= 250
    assert complaints == [], f"{len(complaints)} of {len(cases)}"
    # most makers make tables that can be fitted: a refusal of everything would be no answer
    fitted = sum(count for (_, result), count in list_items(results) if result == "finite")
    assert fitted > 0.6 * len(cases)


def list_items(results):
    return [(key, count) for key, count in results.items() if isinstance(key, tuple)]


@pytest.mark.parametrize("margins", [True])
def test_gis_behind_margins_answers_or_refuses(margins, tmp_path):
    cases = [(maker, 1000 + seed) for maker in MAKERS for seed in range(3)]
    results, complaints = run(
        lambda: GIS(
            max_layers=2, search_steps=4, margins=margins, precision="float64", random_state=0
        ),
        cases,
        tmp_path,
    )
    assert results[True] + results[False] == len(cases) >= 120
    assert complaints == [], f"{len(complaints)} of {len(cases)}"


def test_the_automatic_model_answers_or_refuses(tmp_path):
    cases = [(maker, 2000 + seed) for maker in MAKERS for seed in range(SEEDS_AUTO)]
    results, complaints = run(lambda: AutoDensity(random_state=0), cases, tmp_path)
    assert results[True] + results[False] == len(cases) >= 80
    assert complaints == [], f"{len(complaints)} of {len(cases)}"


@pytest.mark.parametrize(
    "weight",
    [
        np.zeros(20),
        -np.ones(20),
        np.full(20, np.nan),
        np.full(20, np.inf),
        np.ones(19),
        np.ones((20, 2)),
        ["a"] * 20,
        np.eye(1, 20)[0],
        np.full(20, 1e300),
        np.full(20, 1e-300),
        np.append(np.ones(19), 1e30),
        np.full(20, True),
        10 ** np.linspace(-200, 200, 20),
    ],
)
@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_strange_weights_are_used_or_refused(cls, weight):
    x = np.random.default_rng(0).normal(size=(20, 2))
    parameters = {"max_layers": 3} if cls is GIS else {}
    try:
        model = cls(random_state=0, **parameters).fit(x, sample_weight=weight)
        assert np.isfinite(model.score_samples(x)).all()
        assert np.isfinite(model.sample(5)).all()
    except PushforwardError as error:
        assert "weight" in str(error)  # noqa: PT017


@pytest.mark.filterwarnings("ignore:Cells of .* are left out of account:UserWarning")
@pytest.mark.parametrize("cls", [GIS, AutoDensity])
def test_a_fitted_model_answers_or_refuses_any_table(cls, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    model = cls(random_state=0, **({"max_layers": 3} if cls is GIS else {})).fit(x)
    complaints = []
    calls = ("score_samples", "predict", "explain", *(["transform"] if cls is GIS else []))
    for maker in MAKERS:
        for seed in range(4):
            X = make(maker, 3000 + seed, tmp_path)
            for call in calls:
                if call == "explain" and hasattr(X, "__len__") and len(X) > 5:
                    continue
                try:
                    result = getattr(model, call)(X)
                    values = result["gain"] if call == "explain" else result
                    if not np.isfinite(np.asarray(values, dtype=float)).all():
                        complaints.append(f"{maker.__name__}({seed}).{call}: not finite")
                except PushforwardError:
                    pass
                except Exception as error:
                    complaints.append(f"{maker.__name__}({seed}).{call}: {error!r:.200}")
    assert complaints == []


@pytest.mark.parametrize("distance", [1e2, 1e6, 1e12, 1e30, 1e100, 1e145])
@pytest.mark.parametrize("margins", [False, True])
def test_rows_far_out_are_unlikely_and_finite(distance, margins):
    x = np.random.default_rng(0).normal(size=(200, 2))
    model = GIS(max_layers=5, margins=margins, random_state=0).fit(x)
    far = distance * np.array([[1.0, 0], [0, -1], [1, 1]])
    scores = model.score_samples(far)
    assert np.isfinite(scores).all()
    assert (scores < model.score_samples(x).min()).all()
    assert (model.predict(far) == -1).all()
    assert np.isfinite(model.transform(far)).all()


def test_fit_of_paths_and_names_that_do_not_exist():
    for name in ("no/such/file.csv", "no such set", ""):
        with pytest.raises(PushforwardError):
            pushforward.fit(name, verbose=False)
