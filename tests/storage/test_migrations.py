"""States of older code become those of today, and those of newer code are refused as such."""

import json
from pathlib import Path

import pytest

import pushforward
from pushforward import ModelFileError
from pushforward.estimators.registry import MODELS
from pushforward.storage import migrations
from pushforward.storage.migrations import MIGRATIONS, migrated, revision
from pushforward.storage.model_folder import read_folder, write_folder

GOLDEN = Path(__file__).parents[1] / "golden"


def test_tables_are_of_known_classes():
    assert MIGRATIONS.keys() <= MODELS.keys()


@pytest.mark.parametrize(
    "name",
    sorted(name for name, steps in MIGRATIONS.items() if migrations._learning_rate in steps),
)
def test_a_model_of_before_the_rename_has_the_new_words(name):
    folder = next(
        path.parent
        for path in sorted(GOLDEN.glob("*/config.json"))
        if json.loads(path.read_text())["model"]["class"] == name
    )
    old = json.loads((folder / "config.json").read_text())["model"]
    assert "rate" in old["parameters"]
    assert "revision" not in old
    model = pushforward.load(folder)
    assert model.learning_rate == old["parameters"]["rate"]
    assert not hasattr(model, "rate")
    if "settings" in old:
        assert model.settings_["learning_rate"] == old["settings"]["rate"]
        assert "rate" not in model.settings_


def test_the_generator_inside_a_refined_model_migrates_too(monkeypatch):
    def grown(config):
        return {**config, "parameters": {**config["parameters"], "max_layers": 77}}

    monkeypatch.setattr(
        migrations, "MIGRATIONS", {**MIGRATIONS, "GIS": (*MIGRATIONS["GIS"], grown)}
    )
    assert pushforward.load(GOLDEN / "refined").base_.max_layers == 77


@pytest.mark.parametrize("folder", ["auto", "gis", "table_sig", "table_flow"])
def test_a_table_of_before_its_holes_were_modelled_has_complete_samples(folder):
    model = pushforward.load(GOLDEN / folder)
    assert model.missingness_ is None
    one, other = (model.sample(5, random_state=0, complete=whole) for whole in (True, False))
    assert str(one) == str(other)


def test_settings_of_dot_have_the_new_word():
    old = {
        "class": "RefinedModel",
        "parameters": {"method": "dot", "settings": [["steps", 5], ["rate", 0.1]]},
        "kept": [
            {"method": "drs", "settings": {}, "constants": {"rate": 0.5}},
            {"method": "dot", "settings": {"rate": 0.1, "steps": 5}, "constants": {}},
        ],
    }
    new = migrated(old, "here")
    assert new["parameters"]["settings"] == [["steps", 5], ["learning_rate", 0.1]]
    assert new["kept"][0]["constants"] == {"rate": 0.5}  # a share of draws, another thing
    assert new["kept"][1]["settings"] == {"learning_rate": 0.1, "steps": 5}
    assert old["kept"][1]["settings"] == {"rate": 0.1, "steps": 5}


def test_steps_that_a_folder_has_had_are_not_taken_again(monkeypatch):
    def count(config):
        return {**config, "count": config.get("count", 0) + 1}

    monkeypatch.setattr(migrations, "MIGRATIONS", {"GIS": (count, count, count)})
    assert revision("GIS") == 3
    assert revision("VAE") == 0
    for had, taken in [({}, 3), ({"revision": 1}, 2), ({"revision": 3}, None)]:
        assert migrated({"class": "GIS", **had}, "here").get("count") == taken


def resaved(tmp_path, change):
    config, tensors = read_folder(GOLDEN / "table_flow")
    return write_folder(tmp_path / "model", change(config), tensors, "#")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda c: {**c, "revision": 99}, r"(?s)newer version.*0\.1\.0.*Upgrade"),
        (lambda c: {**c, "revision": -1}, "its revision is -1"),
        (lambda c: {**c, "revision": True}, "its revision is True"),
        (lambda c: {**c, "revision": "1"}, "its revision is '1'"),
        (
            lambda c: {**c, "parameters": {**c["parameters"], "learning_rate": 1.0}},
            "'rate' stands beside 'learning_rate'",
        ),
        (lambda c: {**c, "parameters": {**c["parameters"], "wings": 2}}, "(?s)'wings'.*upgrade"),
        (lambda c: {**c, "parameters": None}, "it has no parameters"),
        (lambda c: {**c, "columns": None}, "None in columns"),
        (lambda c: {k: v for k, v in c.items() if k != "offset"}, "KeyError: 'offset'"),
    ],
)
def test_what_cannot_be_read_is_refused_saying_what_failed(tmp_path, change, text):
    folder = resaved(tmp_path, change)
    with pytest.raises(ModelFileError, match=text):
        pushforward.load(folder)


def test_a_fault_of_ours_is_no_damaged_folder(monkeypatch):
    def broken(self, state, tensors):
        raise NameError("ours")  # which no file can cause

    monkeypatch.setattr(pushforward.TableFlow, "_restore", broken)
    with pytest.raises(NameError, match="ours"):
        pushforward.load(GOLDEN / "table_flow")


def test_a_saved_model_says_its_revision(tmp_path):
    folder = pushforward.load(GOLDEN / "table_flow").save(tmp_path / "again")
    assert read_folder(folder)[0]["revision"] == revision("TableFlow") > 0
    assert pushforward.load(folder).learning_rate == 1e-3
