"""``pushforward refine``: a folder and data in, a refined folder, a page and a table out."""

import json
import time

import pytest

import pushforward
from pushforward.cli.refine import _minutes_left
from pushforward.refinement import cost_estimate, density_ratio, ratio_network
from pushforward.refinement.dgflow_search import Search
from pushforward.refinement.methods import dgflow
from pushforward.storage import checkpoint
from pushforward.storage.checkpoint import Checkpoint


@pytest.fixture(autouse=True, scope="module")
def _short():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratio_network, "_WIDTH", 4)
        patch.setattr(density_ratio, "_POOLED", 400)
        patch.setattr(density_ratio, "_STEPS", 30)
        patch.setattr(density_ratio, "_STEPS_THAT_WEIGH", 30)
        for module in (dgflow, cost_estimate):
            patch.setattr(module, "search_of", lambda n: Search(100, (0.02,), (0.5,), (2, 5)))
        yield


@pytest.fixture(scope="module")
def refined(run, gis, csv, tmp_path_factory):
    home = tmp_path_factory.mktemp("refined")
    words = ["--report", home / "page.html", "--random-state", "3", "--json"]
    done = run("refine", gis, csv, "-o", home / "model", *words).ok()
    return home, done


def test_a_refined_folder_is_a_model_and_the_same_as_in_python(refined, gis, table, run):
    home, done = refined
    told = json.loads(done.out)
    assert told["folder"] == str(home / "model")
    assert told["model"] == "GIS"
    assert "expected: " in done.err
    model = pushforward.load(home / "model")
    assert told["report"] == json.loads(json.dumps(model.report_.to_dict()))
    rows = table[["length", "age", "count", "group"]]
    again = pushforward.refine(pushforward.load(gis), rows, random_state=3)
    assert again.sample(20, random_state=0).equals(model.sample(20, random_state=0))
    out = run("sample", home / "model", "-n", "5", "--random-state", "0").ok().out
    assert out.splitlines()[0] == "length,age,count,group"
    known = run("info", home / "model").ok().out
    assert "one refined sample takes" in known
    assert known.splitlines()[1].split() == ["of", "GIS"]
    assert run("evaluate", home / "model", gis.parent / "none.csv").code == 2


def test_the_page_shows_it_and_asks_for_nothing_from_outside(refined):
    page = (refined[0] / "page.html").read_text()
    for words in ("What was tried", "Logits", "Shares of group", "wrong dial", "GIS, refined"):
        assert words in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_compare_prints_one_table_of_all_methods(run, gis, csv):
    out = run("refine", gis, csv, "--compare", "--evaluations", "4").ok().out
    names = [line.split("  ")[0].strip() for line in out.splitlines()[1:]]
    for name in ("generator", "auto", "dgflow, published", "dot", "mh", "drs", "rejection"):
        assert name in names
    assert "Langevin" in out  # why ddls cannot be used


def test_what_cannot_be_is_refused_before_the_work(run, gis, csv, tmp_path):
    run("refine", gis, csv).refused("--output")
    run("refine", gis, csv, "-o", gis).refused("holds a model")
    run("refine", gis, csv, "-q", "-o", tmp_path / "m", "--method", "magic").refused("magic")
    run("refine", gis, csv, "-o", tmp_path / "m", "--report", "page.pdf").refused(".html")
    run("refine", gis, csv, "-q", "-o", tmp_path / "m", "--ratio", "corrected").refused(
        "--critic-of is None"
    )
    run("refine", gis, csv, "-q", "-o", tmp_path / "m", "--space", "latent").refused("latents")
    run("refine", gis, csv, "--compare", "--paper").refused("--compare")
    assert not (tmp_path / "m").exists()


def test_a_method_and_published_settings_by_name(run, gis, csv, tmp_path):
    words = ["--method", "rejection", "--set", "budget=1.5", "--json", "-q"]
    told = json.loads(run("refine", gis, csv, "-o", tmp_path / "a", *words).ok().out)
    assert told["report"]["stages"][0]["settings"] == {"budget": 1.5}
    told = json.loads(run("refine", gis, csv, "-o", tmp_path / "b", "--paper", "--json").ok().out)
    assert told["report"]["stages"][0]["settings"]["steps"] == 25


@pytest.mark.parametrize(
    ("page", "words"),
    [("page.txt", ".html"), ("there.html", "a folder"), ("file.csv/page.html", "no folder")],
)
def test_a_page_that_cannot_be_written_is_refused_before_the_work(page, words, run, gis, csv):
    home = csv.parent / "pages"
    (home / "there.html").mkdir(parents=True, exist_ok=True)
    (home / "file.csv").touch()
    done = run("refine", gis, csv, "-o", home / "model", "--report", home / page)
    assert done.code == 2
    assert words in done.err
    assert "expected: " not in done.err
    assert not (home / "model").exists()


@pytest.mark.parametrize(
    ("minutes", "page", "left"), [(None, False, None), (0, True, 0), (10, False, 9), (10, True, 7)]
)
def test_reading_and_a_page_take_of_the_minutes(minutes, page, left):
    found = _minutes_left(minutes, time.monotonic() - 60, page=page)
    assert found == (left if not left else pytest.approx(left, abs=0.05))


def test_a_tenth_of_the_minutes_is_left_however_long_reading_took():
    assert _minutes_left(10, time.monotonic() - 6000, page=True) == pytest.approx(1.0)


def test_an_interrupted_command_repeated_goes_on(run, gis, csv, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_EVERY", 0.0)
    write = Checkpoint.write
    words = ("refine", gis, csv, "-o", tmp_path / "m", "--method", "rejection", "--json")

    def dies(self, *arguments):
        write(self, *arguments)
        if self._writes:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", dies)
        assert run(*words).code != 0
    assert [path.name for path in tmp_path.iterdir()] == [".m.pushforward-fit"]
    done = run(*words).ok()
    assert "an interrupted fit is in .m.pushforward-fit: going on from there" in done.err
    assert "cannot be continued" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
