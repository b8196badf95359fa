"""What people do with flows of images, for every flow of the library."""

import math

import numpy as np
import pytest
import torch
from sklearn.base import clone

import pushforward
from pushforward.data import open_images
from pushforward.errors import DataError, NotFittedError, ParameterError, TrainingError
from pushforward.models.flows import NICE, Glow, RealNVP

SMALL = {
    "glow": lambda **more: Glow(depth=2, width=8, warm_up=2, **{"device": "cpu", **more}),
    "pictures": lambda **more: Glow(
        goal="pictures", depth=2, width=8, warm_up=2, **{"device": "cpu", **more}
    ),
    "realnvp": lambda **more: RealNVP(width=4, scales=2, blocks=1, device="cpu", **more),
    "nice": lambda **more: NICE(width=32, device="cpu", **more),
}

LITTLE = "The labels hardly act"  # after a few steps


@pytest.fixture(scope="module")
def digits():
    return open_images("digits")


@pytest.fixture(scope="module", params=SMALL)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def trained(name, digits):
    torch.set_num_threads(1)
    X = digits.images[:300][:, 0]
    return SMALL[name](steps=20, random_state=0).fit(X), X


def test_every_pixel_comes_back_from_the_latent_after_training(trained):
    model, X = trained
    z = model.encode(X)
    assert z.shape == (300, 64)
    expected = X if model.pixels_.bits == 8 else np.rint((X >> 3) * (255 / 31))
    assert (model.decode(z) == expected).all()


def test_training_lowers_the_bits(name, digits):
    X = digits.images[:300][:, 0]
    # Glow's own start leaves so small a network little to gain
    more = {"gaussianise": False} if name in ("glow", "pictures") else {}
    long, short = (
        SMALL[name](steps=steps, random_state=0, **more).fit(X).bits_per_dim(X[:200])
        for steps in (20, 1)
    )
    assert long < short - 0.02


def test_a_score_does_not_depend_on_the_batch(trained):
    model, X = trained
    scores = model.score_samples(X[:70])
    alone = [model.score_samples(X[k : k + 1])[0] for k in (0, 3, 69)]
    np.testing.assert_allclose(scores[[0, 3, 69]], alone, rtol=1e-5)
    assert scores.std() > 0
    assert math.isclose(model.score(X[:70]), scores.mean())
    bits = -scores.mean() / (64 * math.log(2))
    assert math.isclose(model.bits_per_dim(X[:70]), bits)


def test_more_draws_tighten_the_bound(trained):
    model, X = trained
    one, many = (model.score_samples(X, n_draws=k).mean() for k in (1, 8))
    assert many > one


def test_the_levels_sum_to_the_score(trained):
    model, X = trained
    levels = model.score_samples(X[:20], per_level=True)
    np.testing.assert_allclose(levels.sum(1), model.score_samples(X[:20]), rtol=1e-5)


def test_a_saved_model_scores_and_samples_bit_for_bit(trained, tmp_path):
    model, X = trained
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.score_samples(X[:9]) == model.score_samples(X[:9])).all()
    assert (again.sample(5, random_state=3) == model.sample(5, random_state=3)).all()
    assert again.history_ == model.history_
    assert again.best_ == model.best_
    assert "bits_per_dim" in (tmp_path / "model" / "README.md").read_text()
    assert "title" in model.cite()


def test_samples_are_uint8_in_the_layout_of_fit_and_repeat(trained):
    model, _ = trained
    images = model.sample(70, random_state=0)
    assert images.shape == (70, 8, 8)
    assert images.dtype == np.uint8
    assert (images == model.sample(70, random_state=0)).all()
    assert (images != model.sample(70, random_state=1)).any()
    plain = model.sample(3, random_state=0, temperature=0)
    assert (plain[0] == plain[1]).all()


def test_ways_and_edits_keep_their_fixed_points(trained):
    model, X = trained
    way = model.interpolate(X[:3], X[3:6], steps=5)
    assert way.shape == (5, 3, 8, 8)
    kept = model.reconstruct(X[:6])
    assert (way[0] == kept[:3]).all()
    assert (way[-1] == kept[3:]).all()
    direction = model.attribute_direction(X[:50], X[50:100])
    edited = model.manipulate(X[:4], direction, [-1, 0, 1])
    assert (model.manipulate(X[:4], direction, 1.0) == edited[:, 2:]).all()
    with pytest.raises(DataError, match="a number or a list"):
        model.manipulate(X[:4], direction, [[1.0]])
    assert edited.shape == (4, 3, 8, 8)
    assert (edited[:, 1] == kept[:4]).all()
    assert (edited[:, 0] != edited[:, 2]).any()


def test_diagnosis_counts_what_it_says(trained):
    model, X = trained
    found = model.diagnose(X[:32], n_samples=64)
    assert found["round_trip.data"] < 0.5
    assert found["non_finite.1"] == 0
    assert {"round_trip.noise", "round_trip.constant", "non_finite.0.7"} <= found.keys()
    if isinstance(model, Glow):
        assert found["condition_number"] >= 1


def test_estimator_parameters_round_trip(name):
    model = SMALL[name](random_state=3)
    assert clone(model).get_params() == model.get_params()


def test_before_fit_everything_refuses(name, digits):
    model = SMALL[name]()
    for call in (model.sample, lambda: model.score_samples(digits.images[:2])):
        with pytest.raises(NotFittedError):
            call()


def test_two_and_two_steps_are_four(name, digits, tmp_path):
    X = digits.images[:100]

    def run(steps, folder=None):
        return SMALL[name](steps=steps, random_state=1, validation_fraction=0).fit(
            X, folder=folder
        )

    whole = run(4)
    run(2, tmp_path)
    again = run(4, tmp_path)
    for key, value in whole._tensors().items():
        assert torch.equal(value, again._tensors()[key]), key


def test_other_images_are_refused(trained):
    model, _ = trained
    with pytest.raises(DataError, match=r"\(1, 9, 8\).*Expected \(1, 8, 8\)"):
        model.score_samples(np.zeros((2, 9, 8), np.uint8))
    with pytest.raises(DataError, match="uint8"):
        model.encode(np.zeros((2, 8, 8)))
    with pytest.raises(DataError, match="Expected"):
        model.decode(np.zeros((2, 63)))
    with pytest.raises(ParameterError, match="temperature"):
        model.sample(2, temperature=-1)


def test_sizes_that_cannot_be_halved_are_refused():
    X = np.zeros((30, 7, 9), np.uint8)
    with pytest.raises(ParameterError, match="even"):
        Glow(steps=1).fit(X)


def test_sizes_of_the_network_are_checked_by_their_own_names():
    with pytest.raises(ParameterError, match="depth is 0"):
        Glow(depth=0, steps=1).fit(np.zeros((30, 8, 8), np.uint8))


def test_odd_channels_and_constant_channels_train(rng):
    X = rng.integers(0, 256, (60, 8, 8, 5), dtype=np.uint8)
    X[..., 2] = 7
    model = SMALL["glow"](steps=3, random_state=0).fit(X)
    assert (model.reconstruct(X) == X).all()
    assert model.sample(2).shape == (2, 8, 8, 5)


def test_a_run_leaves_logs_and_pictures(digits, tmp_path):
    pytest.importorskip("tensorboard")
    model = SMALL["glow"](steps=12, random_state=0)
    model.fit(digits.images[:100], folder=tmp_path, tensorboard=True)
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"checkpoint", "log.jsonl", "log.csv", "samples", "tensorboard"}
    assert (tmp_path / "samples" / "0000012.png").stat().st_size > 500
    with pytest.raises(ParameterError, match="needs a folder"):
        SMALL["glow"](steps=1).fit(digits.images[:100], tensorboard=True)


class TestConditional:
    @pytest.fixture(scope="class")
    @classmethod
    def model(cls, digits):
        torch.set_num_threads(1)
        with pytest.warns(UserWarning, match=LITTLE):
            return SMALL["glow"](steps=20, conditional=True, random_state=0).fit(digits)

    def test_labels_change_the_score_and_none_is_the_mean(self, model, digits):
        X = digits.images[:5]
        each = np.stack([model.score_samples(X, np.full(5, k)) for k in range(10)])
        assert (each.std(0) > 0).all()
        mean = np.logaddexp.reduce(each, 0) - math.log(10)
        np.testing.assert_allclose(model.score_samples(X), mean, rtol=1e-5)

    def test_samples_of_a_label(self, model):
        a, b = (model.sample(20, random_state=0, y=k) for k in (0, 1))
        assert (a != b).any()
        assert model.sample(3, y=[1, 2, 3]).shape == (3, 8, 8)
        with pytest.raises(DataError, match="fit has not seen"):
            model.sample(2, y=11)

    def test_the_label_loss_is_a_term(self, model):
        assert "flow.labels" in model.history_[0]
        assert model.classes_.tolist() == list(range(10))

    def test_labels_are_needed(self, model, digits):
        with pytest.raises(DataError, match="needs labels"):
            SMALL["glow"](steps=1, conditional=True).fit(digits.images[:50])
        with pytest.raises(DataError, match="conditional"):
            model.encode(digits.images[:2])
        y = digits.labels[:2]
        assert (model.reconstruct(digits.images[:2], y) == digits.images[:2][:, 0]).all()
        with pytest.raises(DataError, match="or one label"):
            model.encode(digits.images[:3], y)

    @pytest.mark.parametrize("y", [7, [3, 0]])
    def test_ways_and_edits_under_a_label_keep_their_fixed_points(self, model, digits, y):
        X = digits.images[:4][:, 0]
        way = model.interpolate(X[:2], X[2:], steps=3, y=y)
        assert (way[0] == X[:2]).all()
        assert (way[-1] == X[2:]).all()
        direction = model.attribute_direction(X[:2], X[2:], y_with=y, y_without=7)
        edited = model.manipulate(X[:2], direction, [0, 2], y=y)
        assert (edited[:, 0] == X[:2]).all()
        assert (edited[:, 1] != X[:2]).any()


def test_a_run_that_diverges_stops_and_keeps_what_was_good(digits):
    model = SMALL["realnvp"](steps=200, learning_rate=1e18, random_state=0)
    with pytest.raises(TrainingError, match="last good step"):
        model.fit(digits.images[:300])
    assert all(torch.isfinite(v).all() for v in model._tensors().values() if v.is_floating_point())
    assert model.stopped_.startswith("step")


def test_samples_that_are_not_finite_are_drawn_anew_and_counted(trained, monkeypatch):
    model, _ = trained
    plain = type(model)._decoded

    def some_bad(self, z, labels):
        x = plain(self, z, labels)
        if len(x) > 10:
            x[:3] = math.nan
        return x

    monkeypatch.setattr(type(model), "_decoded", some_bad)
    with pytest.warns(UserWarning, match="3 samples were not finite"):
        assert model.sample(20, random_state=0).shape == (20, 8, 8)
    monkeypatch.setattr(type(model), "_decoded", lambda self, z, y: plain(self, z, y) * math.nan)
    with pytest.raises(TrainingError, match="not finite"):
        model.sample(20)


@pytest.mark.filterwarnings(f"ignore:{LITTLE}:UserWarning")
@pytest.mark.parametrize("model", ["SIG", "Glow"])
def test_labels_are_as_many_as_the_images_or_one(model):
    X, y = _digits_with_labels()
    steps = {"layers": 1} if model == "SIG" else {"steps": 1}
    fitted = getattr(pushforward, model)(conditional=True, random_state=0, **steps).fit(X, y)
    for wrong in (y[:2], y[:5], y[:4, None]):
        for method in ("score_samples", "score", "bits_per_dim", "encode"):
            with pytest.raises(DataError, match=r"y has shape .* Expected \(4,\), or one label"):
                getattr(fitted, method)(X[:4], wrong)
    one = fitted.score_samples(X[:4], y[:1])
    np.testing.assert_array_equal(one, fitted.score_samples(X[:4], np.repeat(y[:1], 4)))


def test_labels_with_gaps_are_refused():
    X, y = _digits_with_labels()
    gaps = y.astype(object)
    gaps[3] = None
    with pytest.raises(DataError, match=r"1 of 200 labels of y are missing, .* image 3"):
        pushforward.Glow(steps=1, conditional=True).fit(X, gaps)
    items = [{"image": image, "label": label} for image, label in zip(X, gaps, strict=True)]

    class Items(torch.utils.data.Dataset):
        def __len__(self):
            return len(items)

        def __getitem__(self, i):
            return items[i]

    with pytest.raises(DataError, match="labels of the data set are missing"):
        pushforward.Glow(steps=1, conditional=True).fit(Items())


def _digits_with_labels():
    found = pushforward.open_images("digits")
    return found.images[:200][:, 0], found.labels[:200]


def test_labels_that_hardly_act_are_warned_of():
    X, y = _digits_with_labels()
    with pytest.warns(UserWarning, match=rf"{LITTLE}: .*10 % by guessing") as found:
        Glow(steps=1, conditional=True, random_state=0).fit(X, y)
    assert found[0].filename == __file__
    Glow(steps=1, random_state=0).fit(X)
