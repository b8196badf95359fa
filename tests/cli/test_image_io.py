"""Models of images on the command line: training that goes on, and what latents are good for."""

import json
import signal
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import pushforward
from pushforward.cli import app, image_io
from pushforward.data import ImageSet, open_images

TINY = ["--set", "depth=1", "--set", "width=4", "--set", "validation_fraction=0.1"]


def parameters(**more):
    return {"depth": 1, "width": 4, "validation_fraction": 0.1, "random_state": 0} | more


@pytest.fixture(scope="module")
def digits():
    found = open_images("digits")
    return ImageSet(found.images, found.labels, found.class_names, name="digits")


@pytest.fixture(scope="module")
def glow(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "glow"
    done = run("fit", "glow", "digits", "-o", folder, "--set", "steps=12", *TINY).ok()
    assert done.out == f"{folder}\n"
    assert "1,797 images of 1 x 8 x 8" in done.err
    assert "held-out bits/dim" in done.err
    return folder


@pytest.fixture(scope="module")
def conditional(digits, tmp_path_factory):
    model = pushforward.Glow(**parameters(steps=3, conditional=True, device="cpu"))
    with pytest.warns(UserWarning, match="The labels hardly act"):  # after three steps
        model.fit(digits)
    return model.save(tmp_path_factory.mktemp("models") / "conditional")


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(image_io, "images_at_a_time", lambda n_values: 300)
    monkeypatch.setattr("pushforward.cli.image_commands.images_at_a_time", lambda n_values: 300)


@pytest.fixture
def few(tmp_path, digits):
    """Twelve images in a file of arrays."""
    np.save(tmp_path / "few.npy", digits.images[:12][:, 0])
    return tmp_path / "few.npy"


# fit


def test_fit_equals_the_python_call(glow, digits):
    run_folder = glow.with_name("glow.run")
    assert {path.name for path in run_folder.iterdir()} == {
        *("checkpoint", "log.jsonl", "log.csv", "samples")
    }
    made = pushforward.Glow(**parameters(steps=12)).fit(digits)
    loaded = pushforward.load(glow)
    images = digits.images[:5]
    np.testing.assert_array_equal(loaded.score_samples(images), made.score_samples(images))
    with Image.open(max((run_folder / "samples").iterdir())) as picture:
        assert picture.size[0] == picture.size[1] > 8 * 8


def test_continue_equals_one_long_run(run, glow, tmp_path):
    parts = tmp_path / "parts"
    for steps, words in ((5, TINY), (12, ["--continue"])):
        budget = ["--set", f"steps={steps}"]
        done = run(
            "fit", "glow", "digits", "-o", parts, *budget, *words, *(TINY if not words else [])
        )
        done.ok()
    assert "going on from step 5" in done.err
    np.testing.assert_equal(tensors(parts), tensors(glow))
    run("fit", "glow", "digits", "-o", parts, "--continue").refused("12 steps", "--set steps=24")
    again = ["--set", "steps=4", *TINY]
    run("fit", "glow", "digits", "-o", parts, *again).refused("--overwrite", "--continue")
    done = run("fit", "glow", "digits", "-o", parts, "--overwrite", *again).ok()
    assert "going on" not in done.err  # the finished run made way for a new one
    assert pushforward.load(parts).history_[-1]["step"] == 4
    run("fit", "nice", "digits", "-o", parts, "--continue").refused("Glow, not NICE")


def tensors(folder):
    return {k: v.cpu().numpy() for k, v in pushforward.load(folder)._tensors().items()}


def test_fit_refuses(run, csv, glow, tmp_path):
    refused = [
        (["glow", "digits", "--drop", "age"], "--drop is for models of tables"),
        (["glow", "digits", "--bounds", "age=0:"], "--bounds is for models of tables"),
        (["glow", "digits", "--contamination", "0.1"], "Glow is a model of images"),
        (["gis", csv, "--size", "32"], "--size is for models of images"),
        (["gis", csv, "--split", "test"], "GIS is a model of tables"),
        (["glow", "digits", "--size", "big"], "--size is 'big'"),
        (["glow", "digits", "--crop", "face"], "crop is 'face'"),
        (["glow", "digits", "--split", "test"], "no split 'test'"),
        (["glow", "digitz"], "did you mean 'digits'?"),
        (["glow", "digits", "--set", "layers=3"], "no parameter 'layers'"),
        (["glow", "digits", "--size", "7"], "have to be even"),
        (
            ["glow", "digits", "--set", "steps=1", "--set", "depth=0"],
            "Expected a whole number of at least 1",
        ),
    ]
    for words, said in refused:
        run("fit", *words, "-o", tmp_path / "m", "-q").refused(said)
    assert not (tmp_path / "m").exists()


def test_another_run_is_not_gone_on_with(run, glow, tmp_path):
    words = ["fit", "glow", "digits", "-o", tmp_path / "m", "-q", *TINY]
    run(*words, "--set", "steps=1").ok()
    for path in (tmp_path / "m").iterdir():
        path.unlink()
    run(*words, "--set", "steps=2", "--random-state", "9").refused(
        "m.run cannot be continued: it has another seed"
    )
    for path in sorted((tmp_path / "m.run").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run(*words, "--set", "steps=1").ok()


def test_a_config_file_has_the_words_for_images(run, tmp_path, digits):
    config = tmp_path / "fit.toml"
    config.write_text(
        'size = 4\ncrop = 6\nsplit = "all"\n[set]\nsteps = 1\ndepth = 1\nwidth = 2\n'
    )
    run("fit", "glow", "digits", "-o", tmp_path / "m", "--config", config, "-q").ok()
    assert pushforward.load(tmp_path / "m").pixels_.shape == (1, 4, 4)
    done = run("score", tmp_path / "m", "digits", "--json").ok()
    assert "cropped as in fit: 6" in done.err
    same = run("score", tmp_path / "m", "digits", "--json", "--size", "4", "--crop", "6").ok()
    assert same.out == done.out
    np.save(tmp_path / "made.npy", pushforward.load(tmp_path / "m").sample(3))
    done = run("score", tmp_path / "m", tmp_path / "made.npy", "--json").ok()
    assert "crop" not in done.err  # images of the model's size are framed already
    np.save(tmp_path / "flat.npy", np.zeros((3, 5, 7), np.uint8))
    run("score", tmp_path / "m", tmp_path / "flat.npy", "-q").refused("crop is 6")


ARGUMENTS = ["digits", "--set", "steps=1000000", *TINY]


def lines(log):
    return log.read_bytes().count(b"\n") if log.exists() else 0


def start(processes, folder):
    """Start a fit in a process beside this one; returns when it has taken steps."""
    log = folder.with_name("m.run") / "log.jsonl"
    before = lines(log)
    process = processes.start(app, ["fit", "glow", *ARGUMENTS, "-o", str(folder)])
    deadline = time.monotonic() + 120
    while lines(log) < before + 3:
        assert process.poll() is None, process.stderr
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_of_several_processes_one_saves_and_speaks(processes, tmp_path):
    words = ["fit", "glow", "digits", "-o", str(tmp_path / "m"), "--set", "steps=1", *TINY]
    ended = processes(2, app, words)
    assert ended.codes == [0, 0], ended.stderr
    assert ended.stdout == f"{tmp_path / 'm'}\n"
    assert ended.stderr.count("fitted in") == 1
    assert pushforward.load(tmp_path / "m").history_[-1]["step"] == 1


def test_interrupted_and_killed(run, processes, tmp_path):
    """Ctrl-C keeps the step it came in; a kill, the last checkpoint; both are gone on from."""
    folder = tmp_path / "m"
    process = start(processes, folder)
    process.kill(signal.SIGINT)
    assert (process.wait(120), process.stdout) == (130, "")
    last = process.stderr.splitlines()[-1]
    assert "interrupted at step" in last
    assert "Repeat the command" in last
    assert str(tmp_path / "m.run") in last
    assert not folder.exists()
    step = int(last.split("at step ")[1].split(".")[0].replace(",", ""))
    killed = start(processes, folder)
    killed.kill()
    assert killed.wait(120) == -signal.SIGKILL
    assert f"going on from step {step:,}" in killed.stderr
    budget = ["--set", f"steps={step + 2}"]
    done = run("fit", "glow", *ARGUMENTS[:1], "-o", folder, *budget, *TINY).ok()
    assert f"going on from step {step:,}" in done.err
    assert pushforward.load(folder).history_[-1]["step"] == step + 2


# sample


def test_samples_in_every_form(run, glow, tmp_path, small_batches):
    model = pushforward.load(glow)
    run("sample", glow, "-n", "7", "--random-state", "3", "-o", tmp_path / "x.npy").ok()
    expected = model.sample(7, random_state=3)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    done = run("sample", glow, "-n", "7", "--random-state", "3", "-o", tmp_path / "folder").ok()
    assert done.out == f"{tmp_path / 'folder'}\n"
    read = open_images(tmp_path / "folder").images[:]
    np.testing.assert_array_equal(read[:, 0], expected)
    run("sample", glow, "-n", "700", "--random-state", "3", "-o", tmp_path / "x.npz").ok()
    many = open_images(tmp_path / "x.npz").images[:]
    np.testing.assert_array_equal(many[:300, 0], model.sample(300, random_state=3))
    assert len(np.unique(many, axis=0)) > 600  # blocks are not repetitions
    run("sample", glow, "-o", tmp_path / "x.png").ok()
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (8 * (8 * 14 + 2) + 2,) * 2


def test_temperature(run, glow, tmp_path):
    for t in ("0", "0.5"):
        words = ["-n", "4", "--random-state", "0", "--temperature", t]
        run("sample", glow, *words, "-o", tmp_path / f"{t}.npy").ok()
    still, mild = (np.load(tmp_path / f"{t}.npy") for t in ("0", "0.5"))
    assert (still == still[:1]).all()
    expected = pushforward.load(glow).sample(4, random_state=0, temperature=0.5)
    np.testing.assert_array_equal(mild, expected)


def test_what_sample_refuses(run, glow, gis, tmp_path):
    run("sample", glow).refused("Images do not go to stdout")
    run("sample", glow, "-o", tmp_path / "x.csv").refused("ends in .png, .npy or .npz")
    run("sample", glow, "-o", tmp_path / "x.png", "--label", "3").refused("not conditional")
    run("sample", glow, "-o", tmp_path / "x.png", "--temperature", "-1").refused("0 to 10")
    run("sample", glow, "-o", tmp_path / "x.png", "-n", "5000", "-q").refused("too many")
    run("sample", gis, "--temperature", "0.5").refused("is for models of images")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    run("sample", glow, "-o", tmp_path / "full").refused("not an empty folder")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_labels(run, conditional, digits, tmp_path):
    model = pushforward.load(conditional)
    run(
        "sample",
        conditional,
        "-n",
        "3",
        "--random-state",
        "1",
        "--label",
        "7",
        "-o",
        tmp_path / "x.npy",
    )
    expected = model.sample(3, random_state=1, y=7)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    run("sample", conditional, "-n", "2", "--label", "all", "-o", tmp_path / "x.png").ok()
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.height > picture.width  # a row for each of ten labels
    run("sample", conditional, "--label", "12", "-o", tmp_path / "y.png").refused("one of 0, 1")
    own = ["--label", "own", "--json"]
    told = json.loads(run("score", conditional, "digits", *own).ok().out)
    assert told["mean_log_prob"] == pytest.approx(model.score(digits, digits.labels))
    words = ["digits", "--label", "own", "-o", tmp_path / "z.npy"]
    run("encode", conditional, *words).ok()
    z = model.encode(digits, digits.labels)
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), z, rtol=1e-5, atol=1e-5)
    run("encode", conditional, "digits", "-o", tmp_path / "z.npy").refused("give --label")
    ways = ["digits", "digits", "-o", tmp_path / "w.png", "--steps", "2", "-n", "2"]
    run("interpolate", conditional, *ways).refused("give --label")
    run("interpolate", conditional, *ways, "--label", "own").ok()
    drawn = tiles(tmp_path / "w.png", 2, 2, top=22)
    np.testing.assert_array_equal(drawn.swapaxes(0, 1).reshape(4, 8, 8), digits.images[:4][:, 0])
    edits = ["digits", "-o", tmp_path / "e.png", "--attribute", "3", "--amounts=0,1", "-n", "2"]
    run("edit", conditional, *edits).refused("give --label")
    run("edit", conditional, *edits, "--label", "own").ok()
    drawn = tiles(tmp_path / "e.png", 2, 2, top=22)
    np.testing.assert_array_equal(drawn[:, 0], digits.images[:2][:, 0])


# score, encode, decode


def test_score(run, glow, digits, tmp_path, small_batches):
    out = tmp_path / "scores.csv"
    done = run("score", glow, "digits", "-o", out, "--draws", "2").ok()
    assert done.out == f"{out}\n"
    scores = pushforward.load(glow).score_samples(digits, n_draws=2)
    written = pd.read_csv(out)
    assert list(written) == ["image", "log_prob", "bits_per_dim"]
    np.testing.assert_allclose(written["log_prob"], scores, rtol=1e-6)
    bits = -scores / (64 * np.log(2))
    np.testing.assert_allclose(written["bits_per_dim"], bits, rtol=1e-6)
    half = 1.96 * bits.std(ddof=1) / np.sqrt(len(bits))
    told = json.loads(run("score", glow, "digits", "--json", "--draws", "2", "-q").ok().out)
    assert told["bits_per_dim"] == pytest.approx(bits.mean(), rel=1e-6)
    assert told["interval"] == pytest.approx([bits.mean() - half, bits.mean() + half], rel=1e-6)
    assert f"{bits.mean():.4f} bits/dim" in done.err


def test_shares_of_levels(run, glow, few):
    lines = run("score", glow, few, "--per-level", "-q").ok().out.splitlines()
    assert lines[0] == "image,log_prob,bits_per_dim,level_1"
    assert len(lines) == 13
    run("score", glow, few, "--per-level", "--draws", "2").refused("one draw")


def test_a_folder_is_scored_by_file(run, glow, digits, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(3):
        side = 8 + 4 * k  # several sizes: brought to that of the model
        picture = Image.fromarray(digits.images[k : k + 1][0, 0]).resize((side, side))
        picture.save(folder / f"{'cab'[k]}.png")
    done = run("score", glow, folder, "-o", tmp_path / "s.csv").ok()
    assert "resized from several sizes to 8 x 8" in done.err
    names = pd.read_csv(tmp_path / "s.csv")["image"]
    assert [name.rsplit("/", 1)[-1] for name in names] == ["a.png", "b.png", "c.png"]


def test_there_and_back(run, glow, digits, few, tmp_path):
    run("encode", glow, few, "-o", tmp_path / "z.npy").ok()
    z = np.load(tmp_path / "z.npy")
    assert (z.shape, z.dtype) == ((12, 64), np.float32)
    run("decode", glow, tmp_path / "z.npy", "-o", tmp_path / "back.npy").ok()
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), digits.images[:12][:, 0])
    np.save(tmp_path / "wrong.npy", z[:, :5])
    run("decode", glow, tmp_path / "wrong.npy", "-o", tmp_path / "w.npy", "-q").refused("(n, 64)")
    assert not (tmp_path / "w.npy").exists()


def test_options_of_tables_are_refused(run, glow, gis, csv, few):
    run("score", glow, few, "--keep").refused("--keep is for models of tables")
    run("score", glow, few, "--missing", "blank").refused("--missing")
    run("encode", glow, few, "--drop", "x").refused("--drop")
    run("score", gis, csv, "--per-level").refused("--per-level is for models of images")
    run("explain", glow, few).refused("Glow cannot explain")
    run("interpolate", gis, csv, csv, "-o", "x.png").refused("GIS cannot interpolate", "glow")
    rgb = few.with_name("five.npy")
    np.save(rgb, np.zeros((4, 5, 8, 8), np.uint8))
    run("score", glow, rgb).refused("(5, 8, 8)", "(1, 8, 8)")


# pictures


def tiles(path, down, across, top):
    """The images of a picture, shrunk to 8 x 8 again."""
    with Image.open(path) as picture:
        page = np.asarray(picture)[top:, :, 0]
    times = (page.shape[1] - 2) // across
    assert page.shape[0] == down * times + 2
    cells = [
        page[2 + i * times : 2 + i * times + times - 2, 2 + j * times : 2 + j * times + times - 2]
        for i in range(down)
        for j in range(across)
    ]
    side = (times - 2) // 8
    return np.stack([cell[::side, ::side] for cell in cells]).reshape(down, across, 8, 8)


def test_interpolate(run, glow, digits, tmp_path):
    out = tmp_path / "way.png"
    run("interpolate", glow, "digits", "digits", "-o", out, "--steps", "3", "-n", "2").ok()
    drawn = tiles(out, 2, 3, top=22)
    images = digits.images[:4][:, 0]
    np.testing.assert_array_equal(drawn[:, 0], images[:2])
    np.testing.assert_array_equal(drawn[:, 2], images[2:])
    middle = pushforward.load(glow).interpolate(images[:2], images[2:], steps=3)[1]
    np.testing.assert_array_equal(drawn[:, 1], middle)
    run("interpolate", glow, "digits", "digits", "-o", tmp_path / "x.npy").refused(".png")


def test_edit(run, glow, digits, few, tmp_path):
    out, model = tmp_path / "edit.png", pushforward.load(glow)
    words = ["--attribute", "3", "--amounts=0,2", "-n", "2"]
    run("edit", glow, "digits", "-o", out, *words).ok()
    is_three = digits.labels == 3
    direction = model.attribute_direction(digits.images[is_three], digits.images[~is_three])
    expected = model.manipulate(digits.images[:2], direction, [0, 2])
    drawn = tiles(out, 2, 2, top=22)
    np.testing.assert_array_equal(drawn[:, 0], digits.images[:2][:, 0])
    np.testing.assert_allclose(drawn.astype(int), expected.astype(int), atol=1)
    run("edit", glow, "digits", "-o", out, "--with", few, "--without", "digits").ok()
    refused = [
        (["--attribute", "hat"], "digits has 0, 1, 2"),
        (["--with", few], "go together"),
        ([], "Give --attribute, or"),
        (["--attribute", "3", "--amounts", "some"], "Expected numbers"),
    ]
    for words, said in refused:
        run("edit", glow, "digits", "-o", out, "-q", *words).refused(said)
    run("edit", glow, few, "-o", out, "--attribute", "3").refused("no attributes")


def test_diagnose(run, glow, few):
    told = json.loads(run("diagnose", glow, few, "--json").ok().out)
    assert told["round_trip.data"] < 0.5
    assert told["non_finite.1"] == 0
    assert "samples not finite at temperature 0.7" in run("diagnose", glow, few).ok().out


def test_info(run, glow):
    text = run("info", glow).ok().out
    for words in ("Glow", "1 x 8 x 8", "held-out bits/dim", "gate_floor", "width=4"):
        assert words in text
    told = json.loads(run("info", glow, "--json").ok().out)
    assert told["image_shape"] == [1, 8, 8]
    assert told["settings"]["depth"] == 1
    assert told["steps"] == 12


# labels by name


@pytest.fixture(scope="module")
def numbered(tmp_path_factory):
    """A folder with the classes 0 to 11, each of one grey, and its part without the class 0."""
    home = tmp_path_factory.mktemp("numbered")
    for part, first in (("all", 0), ("part", 1)):
        for k in range(first, 12):
            (home / part / str(k)).mkdir(parents=True)
            for i in range(6):
                image = np.full((8, 8), 20 * k + i, np.uint8)
                Image.fromarray(image).save(home / part / str(k) / f"{i}.png")
    return home


@pytest.fixture(scope="module")
def by_name(run, numbered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "sig"
    words = ["--set", "layers=1", "--set", "conditional=true", "--set", "validation_fraction=0"]
    run("fit", "sig", numbered / "all", "-o", folder, *words).ok()
    return folder


def test_label_2_is_class_2(run, by_name, tmp_path):
    words = ["-n", "4", "--random-state", "0", "--label", "2"]
    run("sample", by_name, *words, "-o", tmp_path / "a.npy").ok()
    twos = np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(twos, pushforward.load(by_name).sample(4, 0, y="2"))
    assert twos.mean() < 80  # of the class "2" 42.5, of "10" 202.5
    run("sample", by_name, "--label", "12", "-o", tmp_path / "b.npy").refused("9, 10, 11")
    known = json.loads(run("info", by_name, "--json").ok().out)
    assert known["class_names"] == [str(k) for k in range(12)]
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11" in run("info", by_name).ok().out


def test_own_labels_are_matched_by_name(run, by_name, numbered, tmp_path):
    files = {}
    for part in ("all", "part"):
        out = tmp_path / f"{part}.csv"
        run("score", by_name, numbered / part, "--label", "own", "-o", out).ok()
        table = pd.read_csv(out)
        files[part] = table.assign(image=[p.split(part)[1] for p in table.image])
    both = files["part"].merge(files["all"], on="image")
    assert len(both) == 66
    np.testing.assert_array_equal(both.log_prob_x, both.log_prob_y)
    other = tmp_path / "other" / "elephant"
    other.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(other / "a.png")
    refused = run("score", by_name, other.parent, "--label", "own", "-o", tmp_path / "c.csv")
    refused.refused("images of 'elephant'")


def test_diagnose_takes_a_label(run, by_name, conditional, numbered):
    for label in ("own", "11"):
        told = run("diagnose", by_name, numbered / "part", "--label", label, "--json").ok()
        assert json.loads(told.out)["round_trip.data"] < 0.5
    run("diagnose", by_name, numbered / "part", "--label", "cat").refused("--label is 'cat'")
    assert run("diagnose", conditional, "digits", "--label", "3").ok().out


def test_colours_for_a_grey_model(run, glow, tmp_path):
    colour = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(colour).convert("L").save(tmp_path / "grey.png")
    scores = []
    for name in ("colour", "grey"):
        done = run("score", glow, tmp_path / f"{name}.png", "-o", tmp_path / f"{name}.csv").ok()
        assert ("were turned to grey" in done.err) == (name == "colour")
        scores.append(pd.read_csv(tmp_path / f"{name}.csv").log_prob[0])
    assert scores[0] == scores[1]


@pytest.mark.filterwarnings("default:.* not read:UserWarning")
def test_what_is_not_read_is_noted(run, glow, tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.psd").write_bytes(b"no")
    done = run("score", glow, tmp_path).ok()
    assert "note:" in done.err
    assert "not read: 1 .psd (b.psd)" in done.err


def test_floats_are_fitted_and_scored_on_their_scale(run, few, tmp_path):
    bytes_ = np.load(few)
    np.save(tmp_path / "floats.npy", bytes_ / 127.5 - 1)
    words = ["--set", "steps=2", "--set", "depth=1", "--set", "width=4"]
    refused = run("fit", "glow", tmp_path / "floats.npy", "-o", tmp_path / "m", *words)
    refused.refused("pixel_range=(-1, 1)")
    for name, more in (("few", []), ("floats", ["--pixel-range=-1:1"])):
        data, model = tmp_path / f"{name}.npy", tmp_path / name
        run("fit", "glow", data, "-o", model, *words, *more).ok()
        run("score", model, data, "-o", tmp_path / f"{name}.csv").ok()
    scores = [pd.read_csv(tmp_path / f"{name}.csv").log_prob for name in ("few", "floats")]
    np.testing.assert_array_equal(*scores)


def test_a_wrong_parameter_leaves_what_is_there(run, tmp_path):
    words = ["fit", "glow", "digits", "-o", tmp_path / "m", *TINY]
    run(*words, "--set", "steps=2").ok()
    run(*words, "--overwrite", "--minutes", "nan").refused("minutes is nan")
    assert (tmp_path / "m.run" / "checkpoint").is_dir()
    assert pushforward.load(tmp_path / "m").history_[-1]["step"] == 2
