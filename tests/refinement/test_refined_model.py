"""A refined model is a model: the user's data in and out, saved, judged, refined again."""

import json
import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import pushforward
from pushforward.errors import (
    DataError,
    ModelFileError,
    NotFittedError,
    ParameterError,
    UnsupportedError,
)
from pushforward.refinement import Prior, RefinedModel, collapse, refine

FIXED = {"step": 0.02, "steps": 3, "noise": 0.01}


def same(a, b):
    """Whether two samples are alike to the last bit, of any container."""
    return a.equals(b) if isinstance(a, pd.DataFrame) else bool(np.all(np.asarray(a) == b))


def again(model, folder):
    """The model after a trip through a folder."""
    model.save(folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    return pushforward.load(folder)


@pytest.fixture(scope="module")
def refined(table):
    model, data = table
    return refine(model, data, random_state=0)


def test_a_table_stays_a_table(refined, table):
    sample = refined.sample(200, random_state=0)
    assert list(sample.columns) == ["size", "kind"]
    assert sample.dtypes.equals(table[1].dtypes)
    assert set(sample["kind"]) <= {"a", "b"}
    told = refined.report_
    assert told.helped
    assert told.after.value < told.before.value - 0.05
    off, now = (
        (x["size"].mean() - 1) ** 2 for x in (table[0].sample(200, random_state=0), sample)
    )
    assert now < off
    assert same(sample, refined.sample(200, random_state=0))


def test_it_is_saved_with_its_generator_and_samples_as_before(refined, tmp_path):
    loaded = again(refined, tmp_path / "model")
    assert same(loaded.sample(300, random_state=5), refined.sample(300, random_state=5))
    ours, theirs = (m.weighted_sample(50, random_state=1) for m in (refined, loaded))
    assert same(ours[0], theirs[0])
    assert same(ours[1], theirs[1])
    assert loaded.report_ == refined.report_
    assert "GIS" in (tmp_path / "model" / "README.md").read_text()
    assert type(loaded.base_).__name__ == "GIS"
    assert np.isfinite(loaded.base_.score_samples(refined.sample(5, random_state=0))).all()


def test_it_can_be_refined_again_saved_and_keeps_its_story(refined, table, tmp_path):
    twice = refine(refined, table[1], random_state=1)
    assert twice.base_ is refined.base_
    assert twice.kept_[: len(refined.kept_)] == refined.kept_
    assert twice.report_.stages[: len(refined.report_.stages)] == refined.report_.stages
    assert twice.report_.before == refined.report_.before
    assert twice.report_.logits["before"] == refined.report_.logits["before"]
    known = [told.logits["real"][50] for told in (twice.report_, refined.report_)]
    assert abs(known[0] - known[1]) < 0.3  # of one logit: that which the first run began with
    loaded = again(twice, tmp_path / "model")
    assert same(loaded.sample(50, random_state=5), twice.sample(50, random_state=5))


def test_a_gan_of_a_table_refined_twice_draws_by_both_refinements(table, tmp_path):
    data = table[1].head(300)
    gan = pushforward.TableGAN(width=8, depth=1, batch_size=32, steps=15, random_state=0).fit(data)
    plain = gan.sample(60, random_state=2)
    once = refine(gan, data, method="rejection", settings={"budget": 3.0}, random_state=2)
    assert [kept.method.name for kept in once.kept_] == ["rejection"]
    first = once.sample(60, random_state=2)
    twice = refine(once, data, method="rejection", settings={"budget": 2.0}, random_state=3)
    assert twice.kept_[:1] == once.kept_
    assert twice.base_ is gan
    assert twice.report_.stages[: len(once.report_.stages)] == once.report_.stages
    assert len(twice.kept_) == 2
    assert (once.report_.draws, twice.report_.draws) == pytest.approx((3.0, 6.0))
    assert twice.report_.after.value < twice.report_.before.value - 0.01
    # the models before it are as they were
    assert same(gan.sample(60, random_state=2), plain)
    assert same(once.sample(60, random_state=2), first)
    repeated = refine(once, data, method="rejection", settings={"budget": 2.0}, random_state=3)
    loaded = again(twice, tmp_path / "model")
    expected = twice.sample(60, random_state=2)
    assert same(repeated.sample(60, random_state=2), expected)
    assert same(loaded.sample(60, random_state=2), expected)


def test_it_is_judged_like_any_model(refined, table):
    found = pushforward.compare(
        {"before": table[0], "after": refined}, table[1], measures=["two_sample"], n=300
    )
    name = found.measure_names[0]
    before, after = (
        next(m.value for m in found[k].measures if m.name == name) for k in ("before", "after")
    )
    assert after < before


def test_it_says_what_it_has_not(refined):
    assert not hasattr(refined, "score_samples")
    with pytest.raises(UnsupportedError, match=r"base_\.score_samples"):
        refined.score_samples(None)
    with pytest.raises(NotFittedError):
        RefinedModel(refined.base_).sample(1)
    with pytest.raises(ParameterError, match="no generator"):
        RefinedModel().fit([[0.0]])


def test_what_needs_code_cannot_be_saved_and_says_why(generator, tmp_path, table):
    data = torch.randn(400, 2, generator=generator) + 1
    ratio = {"method": "rejection"}
    made = refine(lambda z: z, data, prior=2, logit=lambda x: x.sum(dim=1) - 1, **ratio)
    with pytest.raises(UnsupportedError, match="never code"):
        made.save(tmp_path / "a")
    given = refine(table[0], table[1], logit=lambda x: x[:, 0], **ratio)
    with pytest.raises(UnsupportedError, match="its logit is a function"):
        given.save(tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_an_altered_folder_is_refused(refined, tmp_path):
    from pushforward.storage.model_folder import read_folder, write_folder

    refined.save(tmp_path / "model")
    config, tensors = read_folder(tmp_path / "model")
    for change in (
        {"kept": [{**config["kept"][0], "method": "magic"}]},
        {"logits": []},
        {"base": {**config["base"], "class": "os"}},
        {"base": {**config, "class": "RefinedModel"}},
    ):
        write_folder(tmp_path / "bad", {**config, **change}, tensors, "")
        with pytest.raises(ModelFileError):
            pushforward.load(tmp_path / "bad")


# Images


def test_images_stay_images_moved_in_latents_by_their_own_critic(pictures, tmp_path):
    model, X = pictures
    before = {k: v.clone() for k, v in model.networks_["critic"].state_dict().items()}
    made = refine(model, X, method="dgflow", settings=FIXED)
    stage = made.report_.stages[0]
    assert (stage.logit, stage.space) == ("critic", "latent")
    made.kept_ = made.kept_ or [_kept(made, X)]
    sample = made.sample(4, random_state=0)
    assert (sample.shape, sample.dtype) == ((4, 16, 16), np.uint8)
    loaded = again(made, tmp_path / "model")
    assert same(loaded.sample(4, random_state=0), sample)
    old, new = made.before_after(4, random_state=0)
    assert same(old, model.decode(made.adapter_.prior.sample(4, _first_block(made))))
    assert old.shape == new.shape == sample.shape
    after = model.networks_["critic"].state_dict()
    assert all(torch.equal(v, after[k]) for k, v in before.items())


def _kept(made, X):
    """The stage that was tried, whether or not it helped."""
    from pushforward.refinement.methods import DGflow
    from pushforward.refinement.stages import KeptStage

    return KeptStage(DGflow("kl", **FIXED), made.first_logit_, "latent")


def _first_block(made):
    from sklearn.utils import check_random_state

    from pushforward.training import generator_of

    return generator_of(int(check_random_state(0).randint(2**31 - 1)), 0)


def test_a_critic_that_knows_nothing_gives_way_to_a_network(pictures, tmp_path):
    model, X = pictures
    made = refine(model, X[:250])
    logits = [stage.logit for stage in made.report_.stages]
    assert logits[0] == "critic"
    assert "direct" in logits
    assert made.report_.after.value <= made.report_.before.value + 0.05
    loaded = again(made, tmp_path / "model")
    assert same(loaded.sample(3, random_state=0), made.sample(3, random_state=0))


def test_images_of_another_size_are_refused(pictures):
    with pytest.raises(DataError, match="16"):
        refine(pictures[0], np.zeros((300, 8, 8), np.uint8))


def test_a_flow_of_images_is_moved_in_its_pixels_or_latents(tmp_path):
    X = pushforward.open_images("digits").images[:400][:, 0]
    flow = pushforward.NICE(width=8, steps=2, batch_size=32, device="cpu", random_state=0).fit(X)
    for space in ("data", "latent"):
        made = refine(flow, X, method="dgflow", space=space, settings=FIXED)
        assert made.report_.stages[0].space == space
        assert made.report_.stages[0].logit == "direct"
        assert made.sample(2, random_state=0).shape == (2, 8, 8)


# Text


def test_lines_stay_lines(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice(list("ab c"), 8)) for _ in range(300)]
    model = pushforward.CharacterGAN(
        length=8, width=8, latent=4, steps=3, batch_size=8, random_state=0
    )
    with pytest.warns(UserWarning, match="What the model writes is no text"):
        model.fit(lines)
    said = []
    made = refine(model, lines, draws=2, report=lambda text, share: said.append(text))
    assert any("critic" in text for text in said)  # helps, does not, or is flat
    sample = made.sample(3, random_state=0)
    assert all(isinstance(line, str) and len(line) <= 8 for line in sample)
    assert again(made, tmp_path / "model").sample(3, random_state=0) == sample


# Learning the logit


@pytest.mark.parametrize("ratio", ["direct", "corrected", "residual"])
def test_every_way_to_the_logit_finds_the_ratio(ratio, generator):
    """N(1, 1) over N(0, 1); the critic of the other knows N(1, 1) over N(-1, 1)."""
    from pushforward.refinement.acceptance_test import RealRows
    from pushforward.refinement.density_ratio import OtherCritic, RatioEstimator
    from pushforward.refinement.sample_spaces import Space

    rows = torch.randn(4000, 1, generator=generator) + 1
    real = RealRows.split(rows, lambda x: x.numpy(), 0)
    prior = Prior.normal(1)
    other = None
    if ratio != "direct":
        other = OtherCritic(lambda x: 2 * x[:, 0], Space(prior.sample, lambda z: z - 1).rows)
    estimator = RatioEstimator(real, ratio, other=other)
    logit = estimator.learned(Space(prior.sample, lambda z: z), moves=True)
    x = torch.linspace(-1, 1.5, 31)[:, None]
    assert float((logit(x) - (x[:, 0] - 0.5)).abs().max()) < 0.7


def test_a_ratio_that_begins_with_a_critic_needs_one(table, pictures, generator):
    model, data = table
    for options, text in (
        ({"ratio": "corrected"}, "neither"),
        ({"critic_of": model}, "no critic"),
        ({"ratio": "logistic"}, "logistic"),
    ):
        with pytest.raises((ParameterError, UnsupportedError), match=text):
            refine(model, data, **options)


def test_a_corrected_model_is_saved_with_the_model_of_its_critic(table, tmp_path):
    model, data = table
    gan = pushforward.TableGAN(width=8, depth=1, steps=3, random_state=0).fit(data)
    for ratio in ("corrected", "residual"):
        made = refine(model, data, ratio=ratio, critic_of=gan, method="rejection")
        loaded = again(made, tmp_path / ratio)
        ours, theirs = (m.weighted_sample(20, random_state=0)[1] for m in (made, loaded))
        assert same(ours, theirs)


def test_what_moves_near_the_data_is_sharp_unless_rows_are_wide(monkeypatch, generator):
    from pushforward.refinement import density_ratio
    from pushforward.refinement.acceptance_test import RealRows
    from pushforward.refinement.sample_spaces import Space

    seen = []

    def fit(real, generated, **how):
        seen.append((how["penalty"], len(generated), how["steps"]))
        return pushforward.refinement.fit_ratio(real, generated, **{**how, "steps": 1})

    monkeypatch.setattr(density_ratio, "fit_ratio", fit)
    monkeypatch.setattr(density_ratio, "_STEPS", 1000)
    for d in (2, 20):
        rows = torch.randn(400, d, generator=generator)
        estimator = density_ratio.RatioEstimator(RealRows.split(rows, lambda x: x.numpy(), 0))
        space = Space(Prior.normal(d).sample, lambda z: z)
        for how in ({"moves": True}, {"moves": True, "near": True}, {"moves": False}):
            estimator.learned(space, **how)
    narrow, wide = seen[:3], seen[3:]
    assert [penalty for penalty, *_ in narrow] == [0.002, 0.0, 0.0]
    assert narrow[2][1] > narrow[0][1]
    assert [penalty for penalty, *_ in wide] == [0.05, 0.05, 5e-5]
    # few wide rows are soon known by heart: thirty times each is enough
    assert narrow[0][2] == 1000
    assert wide[0][2] == 73  # 30 * (220 + 400) / 256


def test_a_little_too_much_mass_is_seen_and_thinned(grid, generator):
    """The exact ratio of shares, of which a two-sample test of 1,000 rows sees nothing."""
    tilt = 0.25 * torch.randn(25, generator=generator)
    shares = tilt.exp() / tilt.exp().sum()

    def draw(n, generator):
        kind = torch.multinomial(shares, n, replacement=True, generator=generator)
        return grid.centres[kind] + grid.sd * torch.randn(n, 2, generator=generator)

    def logit(x):
        return -(25 * shares).log()[(x[:, None] - grid.centres).norm(dim=-1).argmin(dim=1)]

    data = grid.real(4000, generator)
    model = refine(
        lambda z: z, data, prior=Prior(draw), logit=logit, method="rejection",
        settings={"budget": 2.0},
    )  # fmt: skip
    (stage,) = model.report_.stages
    assert stage.kept
    assert stage.auc.details["gain"] == pytest.approx(0.03, abs=0.02)
    assert "nats" in str(model.report_)
    _, _, before = pushforward.metrics.modes(draw(20_000, generator), grid.centres, grid.sd)
    _, _, after = pushforward.metrics.modes(
        model.sample(20_000, random_state=0), grid.centres, grid.sd
    )
    assert after.value < before.value / 4

    chosen = refine(lambda z: z, data, prior=Prior(draw), logit=lambda x: logit(x) + 0 * x[:, 0])
    *_, stage = chosen.report_.stages
    assert stage.name == "rejection"
    assert stage.kept
    assert 1 < chosen.report_.draws <= 2  # no ratio is over 2, and more draws change nothing


# Budgets and presets


def test_budgets_are_kept(table):
    model, data = table
    made = refine(model, data, evaluations=7, draws=1.25)
    assert made.report_.evaluations <= 7
    assert made.report_.draws <= 1.25
    for method, settings in (("dgflow", FIXED), ("rejection", {"budget": 8.0})):
        with pytest.raises(ParameterError, match="budget is 2"):
            refine(model, data, method=method, settings=settings, evaluations=2, draws=2)
    for name in ("minutes", "evaluations", "draws"):
        with pytest.raises(ParameterError, match=name):
            refine(model, data, **{name: 0})


def test_a_search_leaves_time_for_the_judging(grid):
    from pushforward.refinement.acceptance_test import RealRows
    from pushforward.refinement.dgflow_search import Search
    from pushforward.refinement.sample_spaces import Space

    draw = torch.Generator().manual_seed(0)
    real = RealRows.split(grid.real(1000, draw), lambda x: x.numpy(), 0)
    asked, steps = [], []

    def slowly(n, generator):
        time.sleep(0.05)
        return grid.generated(n, generator)

    space = Space(slowly, lambda x: x)

    def logit(x):
        steps.append(len(x))
        return grid.logit(x)

    def late(each):
        asked.append(each)
        return len(asked) > 2

    found = Search(100, (0.01, 0.03), (0.0, 0.5), (2, 5)).best(space, logit, real, 0, late)
    assert len(steps) == 1 + 5  # the steepness, and one run
    assert found["steps"] == 2  # samples of five could not be judged in time
    assert asked  # it is told what a sample takes, with what came before this stage
    assert min(asked) > 0.05 / 100
    steps.clear()
    search = Search(100, (0.01, 0.03), (0.0, 0.5), (2, 5))
    assert search.best(space, logit, real, 0, lambda each: True) is None
    assert len(steps) == 1  # not even two steps could be judged in time


def test_a_search_leaves_a_run_that_leads_away(grid):
    """Samples begin where data is, so that every step of a wrong logit takes them from there."""
    from pushforward.refinement.acceptance_test import RealRows
    from pushforward.refinement.dgflow_search import Search
    from pushforward.refinement.sample_spaces import Space

    draw = torch.Generator().manual_seed(0)
    real = RealRows.split(grid.real(1000, draw), lambda x: x.numpy(), 0)
    steps = []

    def away(x):
        steps.append(len(x))
        return x.sum(dim=1)

    space = Space(lambda n, generator: grid.real(n, generator), lambda x: x)
    looks = (2, 5, 10, 25, 50)
    found = Search(200, (0.3,), (0.0,), looks).best(space, away, real, 0)
    assert found["steps"] == 2
    assert len(steps) < 1 + 2 * max(looks)


class Misled:
    """Real rows whose area falls with every step, and whose distance grows after the fifth."""

    def __init__(self, validation, far_at_once=False):
        self.validation, self.far_at_once, self.asked = validation, far_at_once, 0

    def nearness(self, samples, most):
        moved = float(samples.mean())
        self.asked += 1
        distance = moved if self.far_at_once else abs(moved - 0.5)
        return 0.9 - 0.1 * moved, distance


@pytest.mark.parametrize(("far_at_once", "steps"), [(False, 5), (True, 2)])
def test_a_search_takes_no_smaller_area_for_a_larger_distance(far_at_once, steps):
    """From 0 to 1.5 in three looks; .5 is the distance at the start, or else 0."""
    from pushforward.refinement.dgflow_search import Search
    from pushforward.refinement.sample_spaces import Space

    real = Misled(torch.zeros(100, 1), far_at_once)
    space = Space(lambda n, generator: torch.linspace(-1, 1, n)[:, None], lambda x: x)
    spread = float(torch.linspace(-1, 1, 100).square().mean().sqrt())
    search = Search(100, (0.16 / spread,), (0.0,), (2, 5, 10))
    found = search.best(space, lambda x: x.sum(dim=1), real, 0)
    assert found["steps"] == steps


@pytest.mark.parametrize(("crossed", "runs"), [(True, 3 * 2 + 2), (False, 3 + 1 + 2)])
def test_a_search_tries_noise_with_every_length_or_with_the_best(crossed, runs):
    from pushforward.refinement.dgflow_search import Search
    from pushforward.refinement.sample_spaces import Space

    real = Misled(torch.zeros(100, 1))
    space = Space(lambda n, generator: torch.linspace(-1, 1, n)[:, None], lambda x: x)
    search = Search(100, (0.01, 0.02, 0.005), (0.0, 0.5), (1, 2), crossed)
    found = search.best(space, lambda x: x.sum(dim=1), real, 0)
    assert real.asked == 1 + 2 * search.runs  # the start, and two looks at each
    assert search.runs == runs
    assert found["steps"] == 2
    assert found["longest"] == pytest.approx(5 * 0.02 * 0.583, rel=0.01)  # of the best length


def test_a_search_by_nothing_that_can_be_seen_finds_nothing():
    from pushforward.refinement.dgflow_search import _UNSEEN, _least

    unseen = torch.full((2, 3, 2), _UNSEEN)
    assert unseen[0].flatten()[_least(unseen, 1.0)] == _UNSEEN


def test_no_round_begins_without_time_to_learn(generator, monkeypatch):
    from pushforward.refinement.density_ratio import RatioEstimator

    data = torch.randn(1200, 2, generator=generator) + 1
    monkeypatch.setattr(RatioEstimator, "seconds", lambda self, rows, moves, near=False: 3600.0)
    told = refine(lambda z: z, data, prior=2, minutes=5).report_
    assert any("no time" in note for note in told.notes)
    assert [stage.name for stage in told.stages] == ["dgflow"]  # the first is always tried
    assert int(told.expected.split("about ")[1].split(" s")[0]) >= 4 * 3600  # of four networks


def test_no_time_is_time_enough_for_an_answer(table):
    lines = []
    made = refine(*table, minutes=1e-3, report=lambda text, share: lines.append((text, share)))
    assert len(made.sample(3, random_state=0)) == 3
    assert lines[0][0].startswith("expected: ")
    assert "0.001 min" in lines[0][0]
    assert made.report_.expected == lines[0][0]
    shares = [share for _, share in lines]
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, {"step": 0.1, "noise": 0.01, "steps": 25, "divergence": "kl"}),
        ({"method": "drs"}, {"percentile": 95.0}),
        ({"method": "mh"}, {"length": 640}),
    ],
)
def test_published_settings_are_reached_by_name(generator, shifted, options, settings):
    data = torch.randn(200, 1, generator=generator) + 1
    made = refine(lambda z: z, data, prior=1, logit=shifted, preset="paper", **options)
    stage = made.report_.stages[0]
    assert settings.items() <= stage.settings.items()


def test_presets_that_are_not_are_named(table):
    for options, text in (
        ({"preset": "imagenet"}, "imagenet"),
        ({"preset": "paper", "method": "ddls"}, "no published settings"),
        ({"preset": "cifar10", "method": "mh"}, "of DGflow"),
    ):
        with pytest.raises(ParameterError, match=text):
            refine(*table, **options)


# Processes


class Fake:
    """One of two processes, which sums nothing: the test does."""

    count = 2

    def __init__(self, rank):
        self.rank = rank

    def sum(self, value):
        return value

    together = nullcontext


@pytest.mark.parametrize("n", [100, 3000])
def test_two_processes_share_the_samples_and_draw_the_same(n, monkeypatch, grid):
    from pushforward.refinement import sample_spaces as spaces
    from pushforward.refinement.samplers.dgflow import dgflow

    def mover(points, generator):
        return dgflow(points, grid.logit, step=1e-3, steps=2, noise=0.1, generator=generator)

    space = spaces.moved(spaces.Space(grid.generated, lambda x: x), mover, 2)
    alone = space.points(n, 3, 4)
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(spaces, "Processes", lambda rank=rank: Fake(rank))
        parts.append(space.points(n, 3, 4))
    assert torch.equal(parts[0] + parts[1], alone)
    for part in parts[: 1 + (n > 1024)]:
        assert int((part != 0).any(dim=1).sum()) > 0
    assert int(((parts[0] != 0) & (parts[1] != 0)).sum()) == 0


def test_two_processes_share_the_search(monkeypatch, grid):
    from pushforward.refinement import dgflow_search
    from pushforward.refinement.acceptance_test import RealRows
    from pushforward.refinement.sample_spaces import Space

    draw = torch.Generator().manual_seed(0)
    real = RealRows.split(grid.real(1000, draw), lambda x: x.numpy(), 0)
    search = dgflow_search.Search(100, (0.01, 0.03), (0.0, 0.5), (2, 5))
    said = []

    class Recording(Fake):
        def sum(self, value):
            said.append(value.clone())
            return value

    def best():
        return search.best(Space(grid.generated, lambda x: x), grid.logit, real, 0)

    best()
    for rank in (0, 1):
        monkeypatch.setattr(dgflow_search, "Processes", lambda rank=rank: Recording(rank))
        best()
    first, second = said[0][0], said[3][0]  # areas; between them the start, and log D
    assert ((first == 0) != (second == 0)).all()


# What it costs, and what going on would do


def test_a_step_is_one_pass(generator):
    calls = []

    def score(x):
        calls.append(len(x))
        return x[:, 0]

    from pushforward.refinement.samplers.dgflow import dgflow

    dgflow(torch.zeros(10, 1), score, step=0.1, steps=7)
    assert calls == [10] * 7


def test_going_on_is_good_by_the_logit_and_bad_by_the_test(grid, generator):
    data = grid.real(1500, generator)
    model = refine(
        lambda z: z, data, prior=Prior(grid.generated), logit=grid.logit, method="dgflow",
        settings={"step": 2e-5, "steps": 20, "longest": 0.1},
    )  # fmt: skip
    looks = collapse(model, data, steps=(0, 10, 100))
    assert [look.steps for look in looks] == [0, 10, 100]
    assert looks[0].good < 0.7 < 0.9 < looks[-1].good
    assert looks[-1].auc > looks[1].auc


def test_the_report_is_plain_data(refined):
    told = json.loads(json.dumps(refined.report_.to_dict()))
    assert type(refined.report_).from_dict(told) == refined.report_
    assert "expected: " in str(refined.report_)
    assert refined.account() == str(refined.report_)
    assert "dai2021sliced" in refined.cite()


def test_methods_that_there_is_no_time_for_say_so(table):
    lines = pushforward.refinement.compare_methods(*table, minutes=1e-3, methods=["rejection"])
    assert [line.reason for line in lines] == ["", "", "there was no time"]


@pytest.mark.parametrize("method", ["auto", "dgflow", "rejection"])
def test_a_budget_holds_by_the_clock(generator, monkeypatch, method):
    """Rows that are drawn take time, and so does every look at the clock: steps of learning."""
    from pushforward.refinement import (
        budget,
        density_ratio,
        dgflow_search,
        pipeline,
        preparation,
        ratio_trees,
        setup,
        trial,
    )
    from pushforward.training import loop

    now = 0.0

    def clock():
        nonlocal now
        now += 2e-3
        return now

    modules = (
        *(dgflow_search, density_ratio, budget, pipeline, preparation, setup, trial),
        *(ratio_trees, loop),
    )
    for module in modules:
        fake = SimpleNamespace(monotonic=clock, perf_counter=clock)
        monkeypatch.setattr(module, "time", fake)

    def slow(z):
        nonlocal now
        now += 1e-3 * len(z)
        return z

    data = torch.randn(2000, 2, generator=generator) + 1
    told = refine(slow, data, prior=2, minutes=1, method=method).report_
    assert told.seconds > 1  # the clock is the one that counts
    assert told.seconds < 66
    assert now < 66
