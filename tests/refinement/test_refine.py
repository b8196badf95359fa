"""Whole refinements: what helps is kept, what does not is not, and nothing else is touched."""

import copy
import dataclasses
import json
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.errors import DataError, ParameterError, UnsupportedError
from pushforward.metrics import modes
from pushforward.refinement import Prior, acceptance_test, density_ratio, refine


@pytest.fixture
def one_gaussian(generator):
    return torch.randn(1200, 1, generator=generator) + 1


def identity(z):
    return z


FIXED = {"step": 0.1, "steps": 10}


@pytest.fixture(scope="module")
def automatic(grid):
    draw = torch.Generator().manual_seed(5)
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(density_ratio, "_STEPS", 450)
        patch.setattr(density_ratio, "_STEPS_THAT_WEIGH", 450)
        model = refine(
            identity, grid.real(2400, draw), prior=Prior(grid.generated),
            report=lambda text, share: lines.append((text, share)),
        )  # fmt: skip
    return model, lines


def test_the_automatic_recipe_without_a_critic(automatic, grid):
    model, lines = automatic
    report = model.report_
    assert report.before.value > 0.7
    assert report.after.value < 0.65
    assert report.floor.value == pytest.approx(0.5, abs=0.06)
    names = [stage.name for stage in report.stages]
    assert (names[0], names[-1]) == ("dgflow", "rejection")
    assert report.stages[0].kept
    assert 0.01 < report.stages[0].displacement < 0.3
    shares = [share for _, share in lines]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    before = modes(grid.generated(3000, torch.Generator().manual_seed(1)), grid.centres, grid.sd)
    after = modes(model.sample(3000, random_state=0), grid.centres, grid.sd)
    assert before[0].value < 0.45 < 0.75 < after[0].value
    assert after[1].value == 25
    assert after[0].details["spread"] > 0.6


def test_the_report_tells_the_story_and_is_plain_data(automatic):
    report = automatic[0].report_
    text = str(report)
    assert all(word in text for word in ("before", "dgflow", "kept", "logits a sample"))
    told = json.loads(json.dumps(report.to_dict()))
    assert told["after"]["value"] == report.after.value
    assert {"real", "before", "after"} == set(told["logits"])
    assert sum(told["rows"]) == 2400
    assert "ansari2021refining" in automatic[0].cite()


def test_a_random_logit_returns_the_generator_as_it_was(generator):
    data = torch.randn(1200, 2, generator=generator)
    weight = torch.randn(2, 16, generator=generator)

    def logit(x):
        return torch.sin(3 * x @ weight).sum(dim=1)

    for method in ("dgflow", "rejection"):
        model = refine(identity, data, prior=2, logit=logit, method=method)
        assert not model.report_.helped
        assert "Nothing helped" in str(model.report_)
        assert model.report_.after == model.report_.before
        plain = model.weighted_sample(50, random_state=3)[0]
        assert torch.equal(model.sample(50, random_state=3), plain)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("dgflow", FIXED),
        ("dot", {"constant": 0.5, "steps": 100}),
        ("ddls", {"step": 0.5, "steps": 20}),
        ("mh", {"length": 30}),
        ("rejection", {"budget": 8.0}),
        ("resampling", {"pool": 16}),
        ("drs", {"percentile": 80.0}),
    ],
)
def test_every_method_helps_where_the_logit_is_exact(one_gaussian, shifted, method, settings):
    model = refine(
        identity, one_gaussian, prior=1, logit=shifted, method=method, settings=settings,
        space="latent",
    )  # fmt: skip
    report = model.report_
    assert report.before.value > 0.65
    assert report.helped
    assert report.after.value < report.before.value - 0.08
    x = model.sample(500, random_state=0)
    assert x.shape == (500, 1)
    assert torch.equal(x, model.sample(500, random_state=0))
    assert not torch.equal(x, model.sample(500, random_state=1))
    stage = report.stages[0]
    moves = method in ("dgflow", "dot", "ddls")
    assert (stage.displacement is not None) == moves
    assert (stage.acceptance == 1) == moves
    assert stage.evaluations >= 1
    assert model.cite().startswith("@")


def test_what_a_lucky_draw_was_kept_for_is_taken_back(one_gaussian, shifted, monkeypatch):
    verdict, areas = acceptance_test.RealRows.verdict, []

    def unlucky(self, samples):
        found = verdict(self, samples)
        areas.append(found.measure.value)
        if len(areas) == 3:  # of samples drawn anew, after the generator and its one stage
            worse = dataclasses.replace(found.measure, value=areas[0] + 0.01)
            return dataclasses.replace(found, measure=worse)
        return found

    monkeypatch.setattr(acceptance_test.RealRows, "verdict", unlucky)
    model = refine(
        identity, one_gaussian, prior=1, logit=shifted, method="rejection", space="latent",
        settings={"budget": 8.0},
    )  # fmt: skip
    report = model.report_
    assert areas[1] < areas[0] - 0.08
    assert not report.helped
    assert report.after == report.before
    assert any("taken back" in note for note in report.notes)
    assert torch.equal(
        model.sample(50, random_state=3), model.weighted_sample(50, random_state=3)[0]
    )


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))

    def forward(self, z):
        return z + 0.01 * self.body(z)


@pytest.fixture
def networks():
    critic = nn.Sequential(
        nn.utils.parametrizations.spectral_norm(nn.Linear(2, 8)), nn.SiLU(), nn.Linear(8, 1)
    )
    return Generator().train(), critic.train()


def test_frozen_networks_stay_bit_identical(networks, generator):
    """Batch moments, power iterations, gradients and modes: as they were, inside no_grad too."""
    before = copy.deepcopy([network.state_dict() for network in networks])
    data = torch.randn(400, 2, generator=generator)
    state = torch.get_rng_state()
    with torch.no_grad():
        model = refine(
            networks[0], data, prior=2, logit=lambda x: networks[1](x), method="dgflow",
            settings=FIXED, space="latent",
        )  # fmt: skip
        model.sample(10, random_state=0)
    assert torch.equal(torch.get_rng_state(), state)
    for network, old in zip(networks, before, strict=True):
        assert all(torch.equal(v, old[k]) for k, v in network.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in network.parameters())
        assert all(module.training for module in network.modules())


def test_samples_do_not_depend_on_the_batch_size(networks, generator):
    data = torch.randn(400, 2, generator=generator)
    small, large = (
        refine(networks[0], data, prior=2, logit=lambda x: 5 * x[:, 0], method="dgflow",
               settings={**FIXED, "noise": 0.1}, batch_size=size)
        for size in (7, 400)
    )  # fmt: skip
    torch.testing.assert_close(
        small.sample(30, random_state=0), large.sample(30, random_state=0), rtol=1e-4, atol=1e-5
    )


def test_a_network_whose_rows_see_each_other_is_refused(generator):
    norm = nn.BatchNorm1d(2).train()
    hidden = weakref.WeakValueDictionary(norm=norm)  # where it is not found and set right
    data = torch.randn(400, 2, generator=generator)
    with pytest.raises(DataError, match="evaluation mode"):
        refine(
            identity, data, prior=2, method="rejection",
            logit=lambda x: (3 * hidden["norm"](torch.cat([x, x]))[: len(x), 0]) + x[:, 1],
        )  # fmt: skip


def test_a_model_is_refined_in_the_space_of_its_rows(generator):
    rows = np.random.default_rng(0).normal(size=(800, 2))
    coarse = pushforward.GIS(max_layers=1, random_state=0).fit(rows)
    data = rows + np.array([1.0, 0.0])
    model = refine(coarse, data, logit=lambda x: x[:, 0] - 0.5, method="dgflow", settings=FIXED)
    sample = model.sample(300, random_state=0)
    assert isinstance(sample, np.ndarray)
    assert sample.mean(axis=0) == pytest.approx([1, 0], abs=0.25)
    weight = model.weighted_sample(300, random_state=0)[1]
    assert weight.sum() == pytest.approx(1, abs=1e-4)
    assert pushforward.evaluate(model, data, train=data) is not None


def test_features_are_what_the_ratio_and_the_test_see(generator, monkeypatch):
    monkeypatch.setattr(density_ratio, "_STEPS_THAT_WEIGH", 50)
    data = torch.randn(400, 2, generator=generator) + torch.tensor([1.0, 0.0])
    seen = set()

    def second(x):
        seen.add(x.shape[1:])
        return x[:, 1:]

    model = refine(identity, data, prior=2, features=second, method="rejection")
    assert model.report_.before.value == pytest.approx(0.5, abs=0.12)
    assert not model.report_.helped
    assert seen == {(2,)}


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"method": "annealing"}, ParameterError, "annealing"),
        ({"space": "pixels"}, ParameterError, "pixels"),
        ({"method": "dgflow", "settings": {"eta": 0.1}}, ParameterError, "eta"),
        ({"method": "dgflow", "settings": {"preset": "mnist"}}, ParameterError, "mnist"),
        ({"settings": {"steps": 3}}, ParameterError, "Name a method"),
        ({"prior": 2}, DataError, r"\(2,\)"),
        ({"prior": None}, UnsupportedError, "prior"),
        ({"prior": Prior.uniform(1), "method": "ddls", "space": "latent"}, UnsupportedError,
         "log_prob"),
        ({"logit": lambda x: (x[:, 0] - 9).log()}, DataError, "finite|change"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(one_gaussian, shifted, options, error, text):
    with pytest.raises(error, match=text):
        refine(identity, one_gaussian, **{"prior": 1, "logit": shifted, **options})


def test_rows_that_cannot_be_used_are_named(one_gaussian, shifted):
    with pytest.raises(DataError, match="at least 200"):
        refine(identity, one_gaussian[:100], prior=1, logit=shifted)
    one_gaussian[3] = float("nan")
    with pytest.raises(DataError, match="1 row"):
        refine(identity, one_gaussian, prior=1, logit=shifted)
    with pytest.raises(DataError, match="numbers"):
        refine(identity, ["a", "b"], prior=1, logit=shifted)


def test_a_useless_logit_gives_way_to_a_network_or_a_note_says_why_not(one_gaussian, monkeypatch):
    def useless(x):
        return torch.sin(40 * x[:, 0])

    by_itself = refine(identity, one_gaussian, prior=1, logit=useless, method="rejection")
    assert [stage.logit for stage in by_itself.report_.stages] == ["given"]
    assert any("went by the given logit alone" in note for note in by_itself.report_.notes)
    automatic = refine(identity, one_gaussian, prior=1, logit=useless)
    assert automatic.report_.helped
    assert "direct" in {stage.logit for stage in automatic.report_.stages if stage.kept}
    rng = np.random.default_rng(0)
    table = rng.normal(size=(600, 2)) + np.array([1.0, 0.0])
    gan = pushforward.TableGAN(steps=2, random_state=0).fit(table)
    adapter_of = pushforward.refinement.adapters.adapter_of

    def seen(model, *arguments, **options):
        return dataclasses.replace(adapter_of(model, *arguments, **options), critic=useless)

    monkeypatch.setattr("pushforward.refinement.refined_model.adapter_of", seen)
    told = refine(gan, table, method="rejection").report_
    assert [stage.logit for stage in told.stages][-1] == "direct"
