"""What goes wrong now and then, in the user's networks or in the data, is left out or named."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import DataError, ParameterError
from pushforward.refinement import collapse, compare_methods, frozen, refine
from pushforward.refinement.sample_spaces import Space
from pushforward.refinement.streams import Stream
from pushforward.training import generator_of

MOVE = {"step": 0.05, "steps": 3}


@pytest.fixture
def ahead(generator):
    """Rows of N(1, 1), which samples of N(0, 1) are to become."""
    return torch.randn(800, 1, generator=generator) + 1


def identity(z):
    return z


# Random numbers


def test_noise_of_the_same_latents_is_not_the_latents(ahead):
    settings = {"step": 0.5, "steps": 1, "noise": 1.0}
    model = refine(
        identity,
        ahead,
        prior=1,
        logit=lambda x: 0.01 * x[:, 0],
        method="dgflow",
        settings=settings,
    )
    model.kept_ = model.kept_ or [_kept(model, settings)]
    before, after = model.before_after(4000, random_state=0)
    noise = after - before
    both = torch.cat([before, noise], dim=1).T
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.06
    assert float(after.std()) == pytest.approx(2**0.5, rel=0.05)


def _kept(model, settings):
    from pushforward.refinement.methods import DGflow
    from pushforward.refinement.stages import KeptStage

    return KeptStage(DGflow("kl", **settings), model.first_logit_, "data")


def test_the_displacement_is_that_of_other_noise_than_the_start(generator):
    """A step that halves every point, and noise of half their spread."""
    settings = {"step": 1 / 6, "steps": 1, "noise": 0.75}
    model = refine(
        identity, 0.5 * torch.randn(2000, 1, generator=generator), prior=1,
        logit=lambda x: -1.5 * x[:, 0] ** 2, method="dgflow", settings=settings,
    )  # fmt: skip
    (stage,) = model.report_.stages
    assert stage.displacement == pytest.approx(0.5**0.5, rel=0.1)


def test_streams_differ_by_the_length_of_their_key():
    draws = [torch.rand(3, generator=generator_of(*key)) for key in ((3, 14), (3, 14, 0))]
    assert not torch.equal(*draws)


# What is not finite


def test_one_bad_point_leaves_out_a_stage_and_not_the_model(ahead, monkeypatch):
    """Of more rows than were tried: one that moves to where nothing is finite."""
    quantised, tried = Space.quantised, []

    def ends(self, n, *key):
        rows = quantised(self, n, *key)
        if key[1] == Stream.TEST:
            tried.append(key)
            if len(tried) == 1:
                rows[7] = torch.nan
        return rows

    monkeypatch.setattr(Space, "quantised", ends)
    model = refine(identity, ahead, prior=1, logit=lambda x: x[:, 0] - 0.5)
    told = model.report_
    assert len(tried) > 1
    assert "left out" in told.notes[0]
    assert told == type(told).from_dict(told.to_dict())
    assert told.notes[0] in str(told)
    assert model.sample(500, random_state=0).isfinite().all()


def test_what_auto_leaves_out_a_method_by_itself_refuses(ahead):
    def ends(x):  # finite where samples are at first
        return x[:, 0] - 0.5 + 1e-3 * torch.log(4.6 - x[:, 0])

    with pytest.raises(DataError, match="not finite"):
        refine(
            identity, ahead, prior=1, logit=ends, method="dgflow",
            settings={"step": 0.1, "steps": 40},
        )  # fmt: skip
    made = refine(identity, ahead, prior=1, logit=ends)
    assert made.sample(500, random_state=0).isfinite().all()


def test_displacement_does_not_overflow(ahead):
    """Squares of half precision end at 65,504."""
    scale = 300.0
    model = refine(
        lambda z: (z * scale).half(), scale * ahead, prior=1, space="latent", method="dgflow",
        logit=lambda x: x[:, 0].float() / scale, settings=MOVE,
    )  # fmt: skip
    (stage,) = model.report_.stages
    assert stage.displacement == pytest.approx(0.15, rel=0.2)


@pytest.mark.parametrize("width", [1, 20])
@pytest.mark.parametrize(("rows", "value", "text"), [(10, 0.0, "200"), (300, np.nan, "NaN")])
def test_bad_rows_are_named_whatever_their_width(width, rows, value, text):
    data = torch.zeros(rows, width)
    data[0, 0] = value
    with pytest.raises(DataError, match=text):
        refine(identity, data, prior=width)


# Numbers of other kinds


@pytest.mark.parametrize("method", ["dgflow", "dot"])
def test_a_logit_of_double_precision_moves_latents_of_single(ahead, method):
    layer = nn.Linear(1, 1).requires_grad_(False)
    model = refine(
        lambda z: layer(z), ahead, prior=1, logit=lambda x: x[:, 0].double() - 0.5, method=method,
        space="latent", settings=MOVE if method == "dgflow" else {"steps": 3},
    )  # fmt: skip
    assert model.sample(8, random_state=0).dtype == torch.float32


def test_generators_of_half_precision_are_refined(ahead):
    for kind in (torch.float16, torch.bfloat16):
        model = refine(lambda z, kind=kind: z.to(kind), ahead, prior=1)
        assert model.report_.after.value <= model.report_.before.value
        assert model.sample(10, random_state=0).isfinite().all()


def test_inference_mode_is_no_obstacle(ahead):
    def logit(x):
        return x[:, 0] - 0.5

    outside = refine(identity, ahead, prior=1, logit=logit, method="dgflow", settings=MOVE)
    with torch.inference_mode():
        inside = refine(
            identity, ahead.clone(), prior=1, logit=logit, method="dgflow", settings=MOVE
        )
        sample = inside.sample(20, random_state=0)
    assert torch.equal(sample, outside.sample(20, random_state=0))


# Settings and budgets


@pytest.mark.parametrize(
    ("settings", "preset"),
    [({"steps": 3, "divergence": "js"}, "cifar10"), ({"noise": 0.5}, "stl10")],
)
def test_settings_stand_over_a_preset(ahead, settings, preset):
    model = refine(
        identity, ahead, prior=1, logit=lambda x: x[:, 0] - 0.5, method="dgflow", preset=preset,
        settings=settings,
    )  # fmt: skip
    (stage,) = model.report_.stages
    assert {k: stage.settings[k] for k in settings} == settings
    assert stage.settings["step"] == 0.1


@pytest.mark.parametrize(
    ("method", "settings", "text"),
    [
        ("dgflow", {"steps": 3, "divergence": "js"}, "no step"),
        ("mh", {"length": 0}, "length is 0"),
        ("resampling", {"pool": 0}, "pool is 0"),
        ("dot", {"steps": 0}, "steps is 0"),
    ],
)
def test_settings_that_would_be_ignored_are_named(ahead, method, settings, text):
    with pytest.raises(ParameterError, match=text):
        refine(
            identity, ahead, prior=1, logit=lambda x: x[:, 0] - 0.5, method=method,
            settings=settings,
        )  # fmt: skip


@pytest.mark.parametrize("method", ["dgflow", "dot", "mh", "drs", "resampling"])
def test_what_methods_take_by_default_fits_the_budget_of_a_refined_model(ahead, method):
    def logit(x):
        return x[:, 0] - 0.5

    settings = {"step": 0.1, "steps": 5}
    once = refine(identity, ahead, prior=1, logit=logit, method="dgflow", settings=settings)
    assert once.report_.helped
    draws = method in ("mh", "drs", "resampling")
    budget = {"draws": 20} if draws else {"evaluations": 12}
    made = refine(once, ahead, logit=logit, method=method, **budget)
    for stage in made.report_.stages:
        assert stage.draws <= 20.1 if draws else stage.evaluations <= 12


def test_all_methods_can_be_compared_on_a_refined_model(ahead):
    def logit(x):
        return x[:, 0] - 0.5

    once = refine(
        identity, ahead, prior=1, logit=logit, method="dgflow", settings={"step": 0.1, "steps": 4}
    )
    assert once.report_.helped
    names = ["rejection", "mh", "resampling", "drs", "dot"]
    lines = compare_methods(once, ahead, logit=logit, methods=names, evaluations=20)
    assert [line.reason for line in lines] == [""] * 7
    assert all(line.evaluations <= 20.2 for line in lines if line.method != "drs")


# The user's networks


class Wrapped:
    """A callable object that holds a network, in a dictionary of lists."""

    def __init__(self, network):
        self.parts = {"networks": [network]}

    def __call__(self, x):
        return self.parts["networks"][0](x)[:, 0]


def through(network, x):
    return network(x)[:, 0]


@pytest.mark.parametrize("wrap", [Wrapped, lambda n: partial(through, n)])
def test_networks_are_found_behind_objects_and_partials(wrap):
    network = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1)).train()
    with frozen(wrap(network)):
        assert not network[1].training
    assert network[1].training


def test_samples_of_a_comparison_leave_the_logit_as_it_was(ahead):
    network = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    lines = compare_methods(
        identity, ahead, prior=1, logit=lambda x: network(x)[:, 0], methods=["rejection"],
        evaluations=4,
    )  # fmt: skip
    lines[-1].sample(50)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


@pytest.mark.parametrize("method", ["auto", "dot", "mh", "rejection"])
def test_no_more_rows_than_asked_are_seen_at_once(ahead, method):
    seen = []

    def logit(x):
        seen.append(len(x))
        return x[:, 0] - 0.5

    def decode(z):
        seen.append(len(z))
        return z

    refine(decode, ahead, prior=1, logit=logit, method=method, batch_size=64)
    assert max(seen) == 64


# Models


def test_each_of_two_critics_comes_back_with_its_logit(table, tmp_path):
    base, data = table
    whose = [
        pushforward.TableGAN(width=8, depth=1, steps=steps, random_state=k).fit(data)
        for k, steps in enumerate((3, 12))
    ]
    model = base
    for k, critic_of in enumerate(whose):
        model = refine(
            model, data, ratio="corrected", critic_of=critic_of, method="rejection", random_state=k
        )
    once = refine(base, data, ratio="corrected", critic_of=whose[0], method="rejection")
    model.kept_ = [*once.kept_[:1], *model.kept_[-1:]] or model.kept_
    model.save(tmp_path / "model")
    loaded = pushforward.load(tmp_path / "model")
    drawn = (m.sample(300, random_state=0) for m in (model, loaded))
    pd.testing.assert_frame_equal(*drawn)
    weights = [m.weighted_sample(300, random_state=0)[1] for m in (model, loaded)]
    assert np.array_equal(*weights)


def test_a_refit_that_fails_leaves_the_model_as_it_was(table):
    base, data = table
    model = refine(base, data, method="rejection")
    before = model.sample(20, random_state=0)
    other = pushforward.GIS(max_layers=1, search_steps=2, random_state=1)
    model.set_params(generator=other.fit(data.assign(size=data["size"] * 50 + 300)))
    with pytest.raises(DataError, match="200"):
        model.fit(data[:50])
    pd.testing.assert_frame_equal(model.sample(20, random_state=0), before)


def test_the_order_of_rows_does_not_matter_to_the_collapse(ahead):
    model = refine(
        identity, ahead, prior=1, logit=lambda x: x[:, 0] - 0.5, method="dgflow", settings=MOVE
    )
    areas = [collapse(model, rows, steps=(0,), n=400)[0].auc for rows in (ahead, ahead.sort(0)[0])]
    assert abs(areas[0] - areas[1]) < 0.06


# Thinning that does nothing


@pytest.mark.parametrize("method", ["auto", "rejection"])
def test_a_logit_that_tells_nothing_thins_nothing(generator, method):
    """Its gain is 0 but for rounding, and so is the error of that."""
    for n in (220, 1000, 3000):
        data = torch.randn(n, 2, generator=generator)
        model = refine(
            identity, data, prior=2, logit=lambda x: 0 * x[:, 0], method=method, random_state=n
        )  # fmt: skip
        assert not model.report_.helped


def test_samples_that_are_all_alike_are_not_thinned(generator):
    data = torch.randn(600, 2, generator=generator)
    model = refine(lambda z: 0 * z, data, prior=2, method="rejection")
    assert not model.report_.helped


def test_weights_that_leave_means_to_a_few_rows_warn(generator):
    data = torch.randn(800, 2, generator=generator) + 4
    model = refine(
        identity, data, prior=2, logit=lambda x: 4 * x.sum(dim=1) - 16, method="rejection"
    )
    with pytest.warns(UserWarning, match="hardly overlap"):
        model.weighted_sample(500, random_state=0)


# Rows of the user's own


def test_numbers_of_other_spreads_move_alike(generator):
    """Step and noise have one length, which incomes beside ages would turn to nothing."""
    near = torch.randn(1500, 2, generator=generator) + 1
    units = torch.tensor([1.0, 1000.0])
    areas = []
    for unit in (torch.ones(2), units):
        model = refine(
            lambda z, unit=unit: z * unit, near * unit, prior=2, method="dgflow", space="data",
            logit=lambda x, unit=unit: (x / unit).sum(dim=1) - 1,
            settings={"step": 0.2 * float(unit.max()) ** 2, "steps": 5},
        )  # fmt: skip
        assert model.report_.helped
        areas.append(model.report_.after.value)
        again = refine(
            model, near * unit, method="dgflow", settings={"step": 1e-3, "steps": 1},
            logit=lambda x, unit=unit: (x / unit).sum(dim=1) - 1,
        )  # fmt: skip
        before, after = again.before_after(500, random_state=0)
        moved = ((after - before) / unit).mean(dim=0)
        assert torch.allclose(moved, torch.ones(2), atol=0.35)
    assert areas[0] == pytest.approx(areas[1], abs=0.02)


def test_a_number_that_never_changes_stays_as_it_is(generator):
    def decode(z):
        return torch.cat([z, torch.full_like(z, 3.0)], dim=1)

    data = decode(torch.randn(1500, 1, generator=generator) + 1)
    model = refine(
        decode, data, prior=1, logit=lambda x: x[:, 0] - 0.5, method="dgflow", space="data",
        settings={"step": 0.2, "steps": 5, "noise": 0.01},
    )  # fmt: skip
    assert model.report_.helped
    assert torch.allclose(model.sample(100, random_state=0)[:, 1], torch.tensor(3.0), atol=1e-4)


def test_frames_may_be_backwards_and_read_only(generator):
    data = (torch.randn(600, 2, generator=generator) + 1).numpy()
    frame = pd.DataFrame(data[:, ::-1], columns=["b", "a"])[["a", "b"]]
    model = refine(
        identity, frame, prior=2, logit=lambda x: x.sum(dim=1) - 1, method="dgflow", settings=MOVE
    )
    assert model.sample(3).shape == (3, 2)


def test_rows_that_single_precision_does_not_tell_apart_are_refused(generator):
    data = torch.randn(600, 2, generator=generator).double() + 1e8
    with pytest.raises(DataError, match="Single precision"):
        refine(lambda z: z + 1e8, data, prior=2)


class NoSeed:
    def sample(self, n):
        return np.zeros((n, 2))


class TooMany:
    def sample(self, n, random_state=None):
        return np.zeros((2 * n, 2))


@pytest.mark.parametrize(
    ("generator_", "options", "text"),
    [
        (lambda z: nn.Linear(3, 2)(z), {"prior": 2}, "generator failed"),
        (lambda z: nn.Linear(2, 2).double()(z), {"prior": 2}, "other precision"),
        (lambda z: z.numpy(), {"prior": 2}, "gives ndarray"),
        (lambda z: z + torch.randn_like(z), {"prior": 2}, "from call to call"),
        (lambda z: z / 0, {"prior": 2}, "not finite"),
        (NoSeed(), {}, "random_state"),
        (TooMany(), {}, "16 rows"),
        (identity, {"prior": 2, "logit": lambda x: x}, "one number a point|one"),
        (identity, {"prior": 2, "logit": lambda x: x[:, 0] * torch.nan}, "not finite"),
        (identity, {"prior": 2, "logit": lambda x: x[:, 0].sum()}, "a row for each"),
        (identity, {"prior": 2, "features": lambda x: x * torch.nan}, "not finite"),
    ],
)
def test_what_a_function_gives_is_looked_at_first(generator, generator_, options, text):
    with pytest.raises(DataError, match=text):
        refine(generator_, torch.randn(400, 2, generator=generator), **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"prior": 2.7}, "standard normal"),
        ({"prior": "normal"}, "Prior.normal"),
        ({"logit": "critic"}, "logit is 'critic'"),
        ({"method": "drs", "settings": ["budget"]}, "mapping"),
        ({"method": "dgflow", "settings": {"step": float("nan")}}, "finite number"),
        ({"method": "drs", "settings": {"percentile": 150}}, "above 0 and below 100"),
        ({"method": "drs", "settings": {"percentile": "abc"}}, "finite number"),
        ({"method": "resampling", "settings": {"pool": 2.5}}, "whole number"),
        ({"method": "dot", "settings": {"sphere": "maybe"}}, "True or False"),
        ({"method": "rejection", "settings": {"budget": "lots"}}, "finite number"),
        ({"method": "rejection", "settings": {"budgets": 2}}, "no setting 'budgets'"),
        ({"minutes": 0}, "above 0"),
        ({"draws": float("nan")}, "draws is nan. Expected a number of at least 1"),
        ({"evaluations": 0.5}, "evaluations is 0.5. Expected a number of at least 1"),
        ({"batch_size": True}, "batch_size is True. Expected a whole number"),
        ({"random_state": -1}, "random_state is -1"),
        ({"ratio": "none"}, "ratio is .none.. Expected one of direct"),
        ({"minutes": "5"}, "minutes is .5.. Expected a number above 0"),
    ],
)
def test_what_is_asked_is_looked_at_first(generator, options, text):
    with pytest.raises(ParameterError, match=text):
        refine(identity, torch.randn(400, 2, generator=generator), **{"prior": 2, **options})
