"""SIG on the command line: it goes on, samples by label, and says where images are strange."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import pushforward
from pushforward.data import open_images

QUICK = [w for s in ("layers=1", "search_steps=2", "knots=16") for w in ("--set", s)]


@pytest.fixture(scope="module")
def sig(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "sig"
    run("fit", "sig", "digits", "-o", folder, "--set", "validation_fraction=0.1", *QUICK).ok()
    return folder


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """Five digits and one of noise."""
    images = open_images("digits").images[:6][:, 0].copy()
    images[4] = np.random.default_rng(0).integers(0, 256, (8, 8))
    path = tmp_path_factory.mktemp("data") / "odd.npy"
    np.save(path, images)
    return path


def test_continue_adds_a_schedule(run, sig, tmp_path):
    before = len(pushforward.load(sig)._flow.layers)
    copy = tmp_path / "more"
    pushforward.load(sig).save(copy)
    run("fit", "sig", "digits", "-o", copy, "--continue").ok()
    after = pushforward.load(copy)
    assert len(after._flow.layers) == 2 * before
    assert [r["step"] for r in after.history_] == list(range(1, 2 * before + 1))
    seconds = [r["seconds"] for r in after.history_]
    assert seconds == sorted(seconds)
    assert not after.warm_start
    again = run("fit", "sig", "digits", "-o", copy, "--continue", "--minutes", "0.0001").ok()
    assert "out of time" in again.err
    assert len(pushforward.load(copy)._flow.layers) == 3 * before
    run("fit", "glow", "digits", "-o", copy, "--continue").refused("SIG, not Glow")


def test_an_interrupted_fit_goes_on(run, tmp_path, monkeypatch):
    from pushforward.models.sliced import patch_loop

    keep = patch_loop._keep

    def dies(kept, count, number, layer):
        keep(kept, count, number, layer)
        kept.write()
        if count == 2:
            raise KeyboardInterrupt

    words = ["fit", "sig", "digits", "-o", tmp_path / "m", *QUICK]
    with monkeypatch.context() as patched:
        patched.setattr(patch_loop, "_keep", dies)
        stopped = run(*words)
    assert "Repeat the command" in stopped.err
    assert stopped.code != 0
    assert (tmp_path / "m.run" / "unfinished").is_dir()
    assert "it goes on" in run(*words).ok().err
    assert not (tmp_path / "m.run" / "unfinished").exists()


def test_score_says_how_far_it_is_where_stderr_is_a_file(run, sig, tmp_path, monkeypatch):
    from pushforward.cli import console

    monkeypatch.setattr(console, "_SECONDS_A_LINE", -1.0)
    done = run("score", sig, "digits", "-o", tmp_path / "s.csv").ok()
    assert "scoring: 512 of 1,797\nscoring: 1,024 of 1,797\n" in done.err
    assert len(pd.read_csv(tmp_path / "s.csv")) == 1797
    quiet = run("score", sig, "digits", "-o", tmp_path / "s.csv", "--quiet").ok()
    assert "scoring" not in quiet.err


def test_score_says_that_few_held_out_images_have_no_small_p_values(run, tmp_path):
    few = pushforward.open_images("digits").images[:200]
    pushforward.SIG(layers=1, random_state=0).fit(few).save(tmp_path / "few")
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8))
    done = run("score", tmp_path / "few", tmp_path / "noise.npy", "-o", tmp_path / "s.csv").ok()
    least = pd.read_csv(tmp_path / "s.csv").p_value.min()
    assert least > 0.05
    assert "p-values cannot tell" in done.err
    assert f"none is below {least:.2f}" in done.err
    np.save(tmp_path / "one.npy", few[:1])
    one = run("score", tmp_path / "few", tmp_path / "one.npy", "-o", tmp_path / "t.csv").ok()
    assert "1 image of" in one.err
    assert "nan" not in one.err


def test_score_writes_p_values(run, sig, odd):
    model, images = pushforward.load(sig), np.load(odd)
    done = run("score", sig, odd, "-o", odd.with_suffix(".csv")).ok()
    table = pd.read_csv(odd.with_suffix(".csv"))
    assert list(table.columns) == ["image", "log_prob", "bits_per_dim", "inlier_score", "p_value"]
    np.testing.assert_allclose(table.p_value, model.p_values(images))
    assert "p-value of at most 0.05" in done.err
    told = json.loads(run("score", sig, odd, "--json").ok().out)
    assert told["share_of_p_up_to_0.05"] == (model.p_values(images) <= 0.05).mean()
    run("score", sig, odd, "--draws", "2", "-o", odd.with_name("two.csv")).ok()
    assert "p_value" not in pd.read_csv(odd.with_name("two.csv")).columns


def test_explain_draws_where_images_are_strange(run, sig, odd):
    picture = odd.with_suffix(".png")
    told = json.loads(run("explain", sig, odd, "-n", "3", "-o", picture, "--json").ok().out)
    model, images = pushforward.load(sig), np.load(odd)
    scores = model.inlier_scores(images)
    assert [one["image"] for one in told] == np.argsort(scores)[:3].tolist()
    first = told[0]
    assert first["inlier_score"] == pytest.approx(scores.min())
    assert first["p_value"] == model.p_values(images)[first["image"]]
    beside = model.inlier_maps(images[[first["image"]]])[0]
    assert beside[first["row"], first["column"]] == beside.min()
    with Image.open(picture) as page:
        assert page.size[0] > page.size[1] > 8
    assert "worst place" in run("explain", sig, odd).ok().out
    run("explain", sig, odd, "--columns", "2").refused("--columns is for models of tables")
    run("explain", sig, odd, "-o", odd.with_name("x.csv")).refused(".png")


def test_samples_by_label(run, tmp_path):
    folder = tmp_path / "by"
    run("fit", "sig", "digits", "-o", folder, "--set", "conditional=true", *QUICK).ok()
    run(
        "sample",
        folder,
        "-n",
        "4",
        "--random-state",
        "1",
        "--label",
        "3",
        "-o",
        tmp_path / "x.npy",
    ).ok()
    expected = pushforward.load(folder).sample(4, random_state=1, y=3)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    run("encode", folder, "digits", "-o", tmp_path / "z.npy").refused("--label")
