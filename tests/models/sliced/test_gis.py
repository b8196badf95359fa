"""GIS: the flow of slices as users call it."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import ks_2samp, kstest, norm, skew
from sklearn.datasets import make_moons

import pushforward
from pushforward import GIS, DataError, ParameterError
from pushforward.errors import LeftOutWarning
from pushforward.models.sliced.layer_growth import Layering, grow
from pushforward.transport import SlicedDensity
from pushforward.transport.row_blocks import RowBlocks


def banana(n=1500, d=4, seed=0):
    """Curved, in two clusters, correlated: nothing a Gaussian fits."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(n, d))
    x[:, 0] += x[:, 1] ** 2
    x[: n // 2, 2] += 5
    x[:, 3] += 0.8 * x[:, 2]
    return r.permutation(x) * [1, 10, 0.1, 1e3] + [0, 5, 0, -1e4]


def gaussian_value(train, test):
    mean, covariance = train.mean(0), np.cov(train.T)
    return float(
        torch.distributions.MultivariateNormal(
            torch.from_numpy(mean), torch.from_numpy(np.atleast_2d(covariance))
        )
        .log_prob(torch.from_numpy(test))
        .mean()
    )


@pytest.fixture(scope="module")
def data():
    x = banana(2100)
    return x[:1200], x[1200:]


@pytest.fixture(scope="module")
def model(data):
    return GIS(random_state=0).fit(data[0])


def test_fits_far_better_than_one_gaussian(model, data):
    assert model.score(data[1]) > gaussian_value(*data) + 0.5
    assert model.n_layers_ > 5


@pytest.mark.parametrize("margins", [False, True])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_round_trip_after_training_also_ten_deviations_out(margins, precision, tolerance, data):
    train, test = data
    model = GIS(random_state=0, precision=precision, margins=margins, max_layers=10).fit(train)
    spread = train.std(0)
    signs = np.where(np.random.default_rng(1).random(test.shape) < 0.5, -1, 1)
    for rows in (test, test + 10 * spread * signs):
        error = abs(model.inverse_transform(model.transform(rows)) - rows) / spread
        assert np.median(error) <= tolerance
        assert error.max() <= 100 * tolerance


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("margins", [False, True])
def test_log_density_is_that_of_autograds_jacobian(margins, precision, tolerance, data):
    model = GIS(random_state=0, precision=precision, margins=margins, max_layers=10).fit(data[0])
    z, _ = model.columns_.encode(data[1][:8])
    density = model.density_
    which = torch.zeros(1, dtype=torch.long)
    if precision == "float32":  # autograd's own rounding is not the question: exact arithmetic
        state = density.state_dict()
        exact = {k: v.double() if v.is_floating_point() else v for k, v in state.items()}
        density = type(density).from_state(exact)
    errors = []
    for row in z:
        jacobian = torch.autograd.functional.jacobian(
            lambda p: density.to_latent(p[None], which)[0], row
        )
        latent = model.density_.to_latent(row[None], which)
        normal = torch.distributions.Normal(0.0, 1.0).log_prob(latent).sum()
        log_det = model.density_.log_prob(row[None])[0] - normal
        errors.append(abs(float(torch.linalg.slogdet(jacobian)[1] - log_det)) / 4)
    assert np.median(errors) <= tolerance


@pytest.mark.parametrize("margins", [False, True])
def test_densities_in_one_dimension_integrate_to_one(margins):
    r = np.random.default_rng(0)
    x = np.where(r.random(800) < 0.4, r.normal(-3, 0.3, 800), r.exponential(2, 800))[:, None]
    model = GIS(random_state=0, margins=margins, max_layers=20).fit(x)
    out = np.logspace(np.log10(50), 7, 5000)
    grid = np.concatenate([-out[::-1], np.linspace(-50, 50, 50001)[1:-1], out])
    total = np.trapezoid(np.exp(model.score_samples(grid[:, None])), grid)
    assert total == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("margins", [False, True])
def test_densities_in_two_dimensions_integrate_to_one(margins):
    x = make_moons(800, noise=0.1, random_state=0)[0]
    model = GIS(random_state=0, margins=margins, max_layers=15).fit(x)
    assert integral(model, x, 400) == pytest.approx(1, abs=1e-3)


def integral(model, x, points, reach=3.0):
    middle, half = x.mean(0), reach * np.ptp(x, axis=0)
    # midpoints, dense in the middle: u -> sinh
    u = (np.arange(points) + 0.5) / points * 2 - 1
    a, b = (half[i] * np.sinh(4 * u) / np.sinh(4) + middle[i] for i in (0, 1))
    da, db = (half[i] * 4 * np.cosh(4 * u) / np.sinh(4) * 2 / points for i in (0, 1))
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), -1).reshape(-1, 2)
    return float(
        (np.exp(model.score_samples(grid)).reshape(points, points) * da[:, None] * db).sum()
    )


def test_latents_are_nearly_normal(model, data):
    z = model.transform(data[1])
    assert z.dtype == np.float64
    assert abs(z.mean(0)).max() < 0.12
    assert z.std(0) == pytest.approx(np.ones(4), abs=0.12)
    assert abs(np.corrcoef(z.T) - np.eye(4)).max() < 0.15
    assert abs(skew(z)).max() < 0.6
    for column in z.T:
        assert kstest(column, norm.cdf).statistic < 0.06


def test_latents_give_their_rows_back(model, data):
    z = np.random.default_rng(0).normal(size=(200, 4))
    again = model.transform(model.inverse_transform(z))
    assert np.median(abs(again - z)) < 1e-5
    assert model.encode(data[1][:3]) == pytest.approx(model.transform(data[1][:3]))


def test_samples_follow_the_data(model, data):
    sample = model.sample(5000, random_state=0)
    for j in range(4):
        assert ks_2samp(sample[:, j], data[0][:, j]).statistic < 0.06
    scores, expected = model.score_samples(sample), model.score_samples(data[1])
    assert scores.mean() == pytest.approx(expected.mean(), abs=0.4)
    linear = np.corrcoef(sample.T) - np.corrcoef(data[0].T)
    assert abs(linear).max() < 0.1


def test_a_seed_gives_the_same_bits_and_another_seed_does_not(data):
    train, test = data[0][:400], data[1]
    a, b, c = (GIS(max_layers=5, random_state=s).fit(train) for s in (0, 0, 1))
    assert (a.score_samples(test) == b.score_samples(test)).all()
    assert (a.score_samples(test) != c.score_samples(test)).any()
    assert (a.sample(20, random_state=3) == b.sample(20, random_state=3)).all()
    assert (a.sample(20, random_state=3) != a.sample(20, random_state=4)).any()


def test_fitting_and_sampling_leave_global_random_states_alone(data):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    model = GIS(max_layers=3, random_state=0).fit(data[0][:300])
    model.sample(5, random_state=0)
    model.explain(data[1][:2])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_the_order_of_rows_is_of_no_account(data):
    train, test = data[0][:400], data[1]
    order = np.random.default_rng(3).permutation(400)
    a = GIS(max_layers=8, random_state=0, precision="float64").fit(train)
    b = GIS(max_layers=8, random_state=0, precision="float64").fit(train[order])
    assert a.score_samples(test) == pytest.approx(b.score_samples(test), abs=1e-6)


# Stopping


def test_without_layers_it_is_a_gaussian(data):
    train, test = data
    whitened = GIS(max_layers=0, whiten=True, validation_fraction=0).fit(train)
    assert whitened.n_layers_ == 0
    assert whitened.score(test) == pytest.approx(gaussian_value(train, test), abs=0.01)
    plain = GIS(max_layers=0, validation_fraction=0).fit(train)  # rows held out widen it
    expected = norm.logpdf(test, train.mean(0), train.std(0)).sum(1)
    assert plain.score_samples(test) == pytest.approx(expected, abs=1e-5)


def test_the_best_prefix_is_kept():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 260, generator=g).double().exp()
    train, out = RowBlocks.of(x[:, :200]), RowBlocks.of(x[:, 200:])

    def run(layers):
        g = torch.Generator().manual_seed(1)
        return grow(
            train,
            out,
            Layering(3, step=0.6),
            generator=g,
            max_layers=layers,
            patience=10,
            min_gain=0.0,
        )

    whole = run(300)
    values = [value for _, value in whole.history]
    assert len(whole.layers) == int(np.argmax(values)) + 1
    assert whole.value == max(values)
    assert len(whole.history) == len(whole.layers) + 10
    again = run(len(whole.layers))
    assert len(again.layers) == len(whole.layers)
    for a, b in zip(whole.layers, again.layers, strict=True):
        assert torch.equal(a.directions, b.directions)
        assert torch.equal(a.splines.y, b.splines.y)


def test_refitting_with_as_many_layers_as_were_kept_gives_the_same_density(model, data):
    again = GIS(random_state=0, max_layers=model.n_layers_).fit(data[0])
    assert (again.score_samples(data[1]) == model.score_samples(data[1])).all()


def test_history_rises_and_says_why_it_ended(model):
    train = np.array([pair[0] for pair in model.history_])
    assert train[model.n_layers_ - 1] > train[0]
    assert "no gain" in model.stopped_
    reached = GIS(max_layers=2, random_state=0).fit(banana(300))
    assert "built all 2" in reached.stopped_


def test_validation_rows_decide_when_given(data):
    train, test = data
    model = GIS(random_state=0).fit(train, validation=test[:300])
    assert model.score(test[300:]) > gaussian_value(train, test[300:]) + 0.5
    values = [value for _, value in model.history_]
    spread = model.density_.spread
    (flow,) = model.density_.components()
    model.density_ = SlicedDensity.assemble([replace(flow, spread=1.0)])
    assert model.score(test[:300]) == pytest.approx(max(values), abs=1e-3)
    assert float(spread) < 1.1  # with enough rows there is little to mend
    # unlike the data, validation rows allow no layer at all
    unlike = np.random.default_rng(0).normal(size=(300, 4)) * train.std(0) + train.mean(0)
    assert GIS(random_state=0).fit(train, validation=unlike).n_layers_ <= 1


def test_warm_start_adds_layers_and_does_not_lose(data):
    train, test = data
    model = GIS(random_state=0, max_layers=4, warm_start=True).fit(train)
    assert model.n_layers_ == 4
    before = model.score(test)
    model.fit(train)
    assert model.n_layers_ == 8
    assert len(model.history_) == 8
    assert model.score(test) > before
    model.set_params(max_layers=1000).fit(train)
    best = model.score(test)
    layers = model.n_layers_
    model.fit(train)
    assert model.n_layers_ >= layers
    assert model.score(test) > best - 0.05
    cold = GIS(random_state=0, max_layers=4).fit(train)
    cold.fit(train)
    assert cold.n_layers_ == 4


def test_warm_start_with_validation_rows_works(data):
    train, test = data
    model = GIS(random_state=0, max_layers=4, warm_start=True)
    model.fit(train, validation=test[:200]).fit(train, validation=test[:200])
    assert model.n_layers_ == 8


def test_minutes_end_a_fit(data):
    begun = time.monotonic()
    model = GIS(
        random_state=0, minutes=0.005, patience=10**6, max_layers=10**6, search_steps=100
    ).fit(data[0])
    assert time.monotonic() - begun < 5
    assert model.stopped_ == "out of time"
    assert np.isfinite(model.score(data[1]))


def test_without_validation_all_layers_are_built(data):
    model = GIS(random_state=0, validation_fraction=0, max_layers=12).fit(data[0])
    assert model.n_layers_ == 12


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_few_rows_give_finite_scores(size):
    x = np.random.default_rng(0).normal(size=(size, 3))
    model = GIS(random_state=0).fit(x)
    assert np.isfinite(model.score_samples(x)).all()
    assert np.isfinite(model.sample(10, random_state=0)).all()
    assert model.transform(x).shape == (size, model.columns_.n_coordinates)
    assert model.n_layers_ == 0  # nothing to stop on


def test_faithful_beats_a_gaussian(data):
    train, test = data[0][:500], data[1]
    model = GIS(faithful=True, random_state=0, max_layers=60).fit(train)
    assert model.n_layers_ > 20
    assert model.score(test) > gaussian_value(train, test) + 0.1
    error = abs(model.inverse_transform(model.transform(test)) - test) / train.std(0)
    assert np.median(error) < 1e-5
    steps = np.diff([value for _, value in model.history_][:20])
    assert (steps > -0.02).mean() > 0.9


# Weights


def test_whole_weights_are_repeated_rows(data):
    train, test = data[0][:400], data[1]
    count = np.random.default_rng(0).integers(0, 4, 400)
    weighted = GIS(random_state=0, max_layers=10).fit(train, sample_weight=count)
    repeated = GIS(random_state=0, max_layers=10).fit(train.repeat(count, axis=0))
    assert weighted.score_samples(test) == pytest.approx(repeated.score_samples(test), abs=1e-4)


def test_weights_bring_the_density_to_the_rows_they_stress():
    """A sample drawn from the wrong distribution, with weights that put it right."""
    r = np.random.default_rng(0)
    x = r.uniform(-4, 4, size=(4000, 2))
    weight = np.exp(-0.5 * ((x[:, 0] - 1) ** 2 / 0.25 + x[:, 1] ** 2))
    model = GIS(random_state=0).fit(x, sample_weight=weight)
    sample = model.sample(4000, random_state=0)
    assert sample.mean(0) == pytest.approx([1, 0], abs=0.1)
    assert sample.std(0) == pytest.approx([0.5, 1.0], abs=0.1)
    truth = np.column_stack([r.normal(1, 0.5, 2000), r.normal(size=2000)])
    value = norm.logpdf(truth, [1, 0], [0.5, 1]).sum(1).mean()
    assert model.score(truth) > value - 0.1


def test_fractional_weights_are_near_whole_ones_of_the_same_proportions(data):
    train, test = data
    count = np.where(train[:, 2] > 0.2, 3, 1)
    whole = GIS(random_state=0).fit(train, sample_weight=count)
    fractional = GIS(random_state=0).fit(train, sample_weight=count * 0.37)
    assert whole.score(test) == pytest.approx(fractional.score(test), abs=0.2)
    repeated = GIS(random_state=1).fit(train.repeat(count, axis=0))
    assert whole.score(test) == pytest.approx(repeated.score(test), abs=0.2)


def test_weighted_rows_do_not_teach_their_own_copies(data):
    """Copies on both sides of the split would praise spikes for ever."""
    train, test = data
    once = GIS(random_state=0).fit(train)
    thrice = GIS(random_state=0).fit(train, sample_weight=np.full(len(train), 3))
    assert thrice.score(test) > once.score(test) - 0.15


# Containers


@pytest.mark.parametrize("kind", ["float64", "float32", "fortran", "read-only", "tensor", "view"])
def test_the_callers_array_is_never_written_to(kind, data):
    x = data[0][:200]
    x = {
        "float64": lambda: x.copy(),
        "float32": lambda: x.astype(np.float32),
        "fortran": lambda: np.asfortranarray(x),
        "read-only": lambda: np.frombuffer(x.tobytes()).reshape(x.shape),
        "tensor": lambda: torch.from_numpy(x.copy()),
        "view": lambda: np.repeat(x, 2, 0)[::2],
    }[kind]()
    kept = x.clone() if kind == "tensor" else x.copy()
    model = GIS(max_layers=3, random_state=0).fit(x)
    scores = model.score_samples(x)
    sample = model.sample(4, random_state=0)
    model.explain(x[:2])
    assert (x == kept).all()
    assert type(sample) is type(x)
    assert sample.dtype == x.dtype
    assert scores.dtype == np.float64
    expected = GIS(max_layers=3, random_state=0).fit(np.asarray(x, dtype=np.float64))
    tolerance = 0.05 if kind == "float32" else 1e-9
    assert scores == pytest.approx(
        expected.score_samples(np.asarray(x, np.float64)), abs=tolerance
    )


def test_integers_are_modelled_as_probabilities():
    x = np.random.default_rng(0).poisson(3, size=(2000, 1))
    model = GIS(random_state=0, margins=True).fit(x)
    values = np.arange(60)[:, None]
    probability = np.exp(model.score_samples(values, n_draws=20))
    assert probability.sum() == pytest.approx(1, abs=0.05)
    assert probability[3] == pytest.approx((x == 3).mean(), abs=0.03)
    assert model.sample(5).dtype == x.dtype


def test_nan_is_a_data_error_that_names_the_cell(data):
    x = data[0][:50].copy()
    x[7, 2] = np.nan
    with pytest.raises(DataError, match=r"NaN.*column 2.*row 7"):
        GIS(max_layers=2).fit(x)
    model = GIS(max_layers=2, missing="drop", random_state=0)
    with pytest.warns(LeftOutWarning, match="1 of 50 rows left out"):
        model.fit(x)
    with pytest.raises(DataError, match="row 7"):
        model.score_samples(x)
    same = GIS(max_layers=2, random_state=0).fit(np.delete(x, 7, 0))
    assert model.score(data[1]) == same.score(data[1])


def test_bounds_hold_for_samples_and_rows():
    r = np.random.default_rng(0)
    x = np.column_stack([r.beta(0.5, 0.5, 1500), r.exponential(size=1500)])
    model = GIS(random_state=0, bounds={0: (0, 1), 1: (0, None)}).fit(x)
    sample = model.sample(3000, random_state=0)
    assert sample[:, 0].min() >= 0
    assert sample[:, 0].max() <= 1
    assert sample[:, 1].min() >= 0
    with pytest.raises(DataError, match="bounds"):
        model.score_samples([[1.5, 1.0]])
    free = GIS(random_state=0).fit(x)
    assert model.score(x) > free.score(x)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_layers", -1),
        ("max_layers", 2.5),
        ("max_layers", "many"),
        ("slices", 0),
        ("step", 0),
        ("step", 1.5),
        ("step", float("nan")),
        ("tail_step", 0.0),
        ("bandwidth", -1.0),
        ("bandwidth", None),
        ("knots", 3),
        ("knots", True),
        ("search_steps", 0),
        ("search_rows", 1),
        ("patience", 0),
        ("validation_fraction", 1.0),
        ("validation_fraction", -0.1),
        ("validation_fraction", "half"),
        ("validation_fraction", None),
        ("minutes", 0),
        ("minutes", -1.0),
        ("minutes", "ten"),
        ("precision", "float16"),
        ("contamination", 0.9),
        ("contamination", -0.1),
        ("contamination", "some"),
        ("false_alarm_rate", 0),
        ("false_alarm_rate", 2),
        ("false_alarm_rate", None),
        ("columns", {0: "colour"}),
        ("columns", {9: "integer"}),
        ("columns", [0]),
        ("bounds", {0: (1, 0)}),
        ("bounds", {0: 3}),
        ("bounds", {"x": (0, 1)}),
        ("bounds", "none"),
        ("missing", "ignore"),
    ],
)
def test_a_parameter_out_of_range_is_named(name, value):
    with pytest.raises(ParameterError, match=name):
        GIS(**{name: value}).fit(np.random.default_rng(0).normal(size=(30, 2)))


@pytest.mark.parametrize("n", [0, -1, 2.5, "three", None])
def test_a_number_of_samples_below_one_is_refused(n, model):
    with pytest.raises(ParameterError, match="n_samples"):
        model.sample(n)


def test_wrong_shapes_are_refused(model, data):
    with pytest.raises(DataError):
        model.score_samples(data[1][:, :3])
    with pytest.raises(DataError, match="Expected"):
        model.inverse_transform(np.zeros((2, 3)))
    for bad in (np.nan, np.inf):
        with pytest.raises(DataError):
            model.inverse_transform(np.full((2, 4), bad))
    with pytest.raises(DataError):
        GIS().fit(data[0], sample_weight=np.ones(3))


def test_set_output_gives_frames_with_names(data):
    model = GIS(max_layers=3, random_state=0).set_output(transform="pandas").fit(data[0])
    frame = model.transform(data[1][:5])
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["gis0", "gis1", "gis2", "gis3"]
    assert model.inverse_transform(frame) == pytest.approx(data[1][:5], rel=1e-4)


def test_frames_come_back_as_frames():
    frame = pushforward.load_dataset("iris")
    model = GIS(max_layers=5, random_state=0).fit(frame)
    sample = model.sample(20, random_state=0)
    assert list(sample.columns) == list(frame.columns)
    assert (sample.dtypes == frame.dtypes).all()
    assert list(model.feature_names_in_) == list(frame.columns)


def test_interpolation_leads_from_one_row_to_the_other(model, data):
    a, b = data[1][:3], data[1][3:6]
    way = model.interpolate(a, b, steps=5)
    assert len(way) == 5
    spread = data[0].std(0)
    assert abs(way[0] - a).max(0) / spread == pytest.approx(np.zeros(4), abs=1e-3)
    assert abs(way[-1] - b).max(0) / spread == pytest.approx(np.zeros(4), abs=1e-3)
    assert np.isfinite([model.score(rows) for rows in way]).all()


def test_mixed_columns_with_a_constant_go_there_and_back():
    r = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": r.normal(size=300),
            "k": r.integers(0, 5, 300),
            "c": pd.Categorical(r.choice(["a", "b", "ccc"], 300)),
            "flag": r.random(300) < 0.3,
            "one": "always",
        }
    )
    model = GIS(max_layers=10, random_state=0).fit(frame)
    z = model.transform(frame)
    assert z.shape == (300, 4)
    again = model.inverse_transform(z)
    for name in ("k", "c", "flag", "one"):
        assert (again[name] == frame[name]).mean() > 0.999
    assert again["x"].to_numpy() == pytest.approx(frame["x"].to_numpy(), abs=1e-3)
    sample = model.sample(100, random_state=0)
    assert (sample.dtypes == frame.dtypes).all()
    assert set(sample["c"]) <= {"a", "b", "ccc"}


def test_repeated_columns_are_finite():
    r = np.random.default_rng(0)
    x = r.normal(size=(300, 2))
    x = np.column_stack([x, x[:, 0], x.sum(1)])
    model = GIS(random_state=0, max_layers=30).fit(x)
    assert np.isfinite(model.score_samples(x)).all()
    assert np.isfinite(model.score_samples(r.normal(size=(50, 4)))).all()
    sample = model.sample(500, random_state=0)
    assert np.isfinite(sample).all()
    assert np.corrcoef(sample.T)[0, 2] > 0.95


def test_progress_is_reported(data):
    told = []
    GIS(max_layers=4, random_state=0).fit(data[0][:200], report=lambda *a: told.append(a))
    assert len(told) >= 4
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    "container", [np.asarray, torch.from_numpy, pd.DataFrame, np.ndarray.tolist]
)
def test_counts_of_whole_numbers_are_their_probabilities(container):
    """A table of counts: one row a value, the weight says how often."""
    count = np.array([5, 50, 200, 400, 200, 100, 40, 5])
    x = container(np.arange(8)[:, None])
    model = GIS(margins=True, max_layers=10, random_state=0).fit(x, sample_weight=count)
    probability = np.exp(model.score_samples(x, n_draws=100))
    assert probability == pytest.approx(count / count.sum(), abs=0.02)


def test_a_flow_that_gains_almost_nothing_ends(data):
    mean, deviation = data[0].mean(0), data[0].std(0)
    points = [RowBlocks.of(torch.from_numpy((x - mean) / deviation).float().T) for x in data]

    def growth(min_gain):
        g = torch.Generator().manual_seed(0)
        how = {"max_layers": 60, "patience": 5, "min_gain": min_gain}
        return grow(*points, Layering(3, step=0.1), generator=g, **how)

    assert len(growth(1.0).history) < len(growth(0.0).history)
    assert growth(1.0).reason == "no gain in 5 layers"


def test_the_share_done_rises_and_is_near_one_at_the_end(data):
    told = []
    GIS(random_state=0).fit(data[0], report=lambda text, share: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert told[-2] > 0.3  # of 1,000 layers allowed, few are built
    assert max(np.diff(told[:-1])) < 0.35


def test_columns_of_few_values_keep_their_shares_in_samples():
    r = np.random.default_rng(0)
    z = r.normal(size=(800, 6)) + 0.8 * r.normal(size=(800, 1))
    edges = [(0.3,), (0.3,), (-1.1, 1.4), (-1.1, 1.4), (-1.1, 0.1, 1.4)]
    x = pd.DataFrame({f"code{j}": np.searchsorted(e, z[:, j]) for j, e in enumerate(edges)})
    x["age"] = np.round(54 + 7 * z[:, 5])
    model = GIS(random_state=0).fit(x)
    assert model.density_.margins is not None  # five of six have few values
    sample = model.sample(20_000, random_state=0)
    for name in x.columns[:-1]:
        shares, drawn = (t[name].value_counts(normalize=True).sort_index() for t in (x, sample))
        assert drawn.to_numpy() == pytest.approx(shares.to_numpy(), abs=0.03)
    assert GIS(random_state=0, max_layers=2).fit(x[["code0", "age"]]).density_.margins is None


def test_searches_of_many_rows_look_at_more():
    """Those of fewer are as they were: a fit of them keeps its bits."""
    assert [Layering(2).searched(n) for n in (1, 2**17 - 1, 2**17, 2**20)] == [
        *(2048, 2048, 4096, 2**15)
    ]
    assert Layering(2, search_rows=50).searched(2**20) == 50
