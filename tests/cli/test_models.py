"""info, models, datasets, and that the registry tells the truth."""

import json

import pytest

import pushforward
from pushforward.cli.registry import METHOD_OF, MODELS
from pushforward.estimators.trained_model import TrainedModel


def test_info(run, gis):
    text = run("info", gis).ok().out
    for word in ("GIS", "240", "max_layers=3", "length", "category", "0:", " MB"):
        assert word in text
    assert not any(line != line.rstrip() for line in text.splitlines())
    told = json.loads(run("info", gis, "--json").ok().out)
    assert told["class"] == "GIS"
    assert told["parameters"]["random_state"] == 1
    assert [entry["name"] for entry in told["columns"]] == ["length", "age", "count", "group"]
    assert told["bytes"] == sum(path.stat().st_size for path in gis.iterdir())
    assert told["account"] is None


def test_info_with_an_account(run, auto):
    assert "What was tried" in run("info", auto).ok().out
    assert json.loads(run("info", auto, "--json").ok().out)["account"]


def test_info_refuses(run, gis, tmp_path):
    run("info", tmp_path / "nothing").refused("no such folder")
    for path in gis.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "README.md").write_text("mine")
    run("info", tmp_path).refused("README.md")


def test_models(run):
    text = run("models").ok().out
    told = json.loads(run("models", "--json").ok().out)
    assert [entry["name"] for entry in told] == list(MODELS)
    assert all(name in text for name in MODELS)


@pytest.mark.parametrize("entry", MODELS.values(), ids=lambda entry: entry.name)
def test_the_registry_says_what_the_classes_can(entry):
    cls = getattr(pushforward, entry.cls)
    for word in ("sample", "score", "explain", "encode", "decode", "edit", "diagnose"):
        assert hasattr(cls, METHOD_OF.get(word, word)) == (word in entry.can)
    # sliced flows grow from the saved model, trained models go on from the run beside it
    runs = issubclass(cls, TrainedModel)
    assert ("warm_start" in cls._get_param_names() or runs) == ("continue" in entry.can)


def test_datasets(run):
    text = run("datasets").ok().out
    told = json.loads(run("datasets", "--json").ok().out)
    tables, pictures = (
        [entry["name"] for entry in told if entry["kind"] == kind] for kind in ("table", "images")
    )
    assert tables == [found.name for found in pushforward.datasets()]
    assert pictures == [found.name for found in pushforward.image_sets()]
    assert {entry["name"]: entry.get("available") for entry in told}["digits"]
    assert "Fisher 1936" in text


def test_help_of_every_command(run):
    text = run("--help").ok().out
    names = ["fit", "info", "sample", "score", "explain", "encode", "decode", "models"]
    for name in [*names, "interpolate", "edit", "diagnose"]:
        assert name in text
        assert "Usage: pushforward " + name in run(name, "--help").ok().out
    assert run().ok().out == text
    assert run("--version").ok().out == f"pushforward {pushforward.__version__}\n"


def test_words_that_are_no_command(run):
    run("frobnicate").refused("No such command", "pushforward --help")
    run("fitt").refused("Did you mean 'fit'? See pushforward --help.")
    run("scor").refused("score")
    run("fit").refused("MODEL", "pushforward fit --help")
    run("fit", "gis", "iris").refused("--output")
