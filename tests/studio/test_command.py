"""``pushforward studio``: what it says without a browser, what it refuses before it listens."""

import json
import shutil
import time

import pytest
from typer.testing import CliRunner

from pushforward.cli import app


def run(*words):
    return CliRunner().invoke(app, ["studio", *map(str, words)])


def test_check_says_what_the_page_would_offer(folders):
    found = run(folders / "rows-model", folders / "sig", "--data", folders / "rows.csv", "--check")
    assert found.exit_code == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0] == "rows-model: AutoDensity, tables of 4 columns"
    assert "  Mix      no: AutoDensity is no model of images" in lines
    assert any("the data do not suit it" in line for line in lines)
    found = run(folders / "glow", "--check", "--json")
    (model,) = json.loads(found.stdout)["models"]
    assert (model["levels"], model["shape"], model["data"]) == (2, [1, 8, 8], 0)
    assert model["tabs"]["edit"]["reason"] is None
    assert "--data" in model["tabs"]["compare"]["reason"]


def test_what_cannot_be_opened_is_refused_in_a_line(folders, tmp_path):
    rows = folders / "rows-model"
    for words, text in (
        ((tmp_path / "nothing",), "nothing"),
        ((rows, rows), "named twice"),
        ((rows, "--data", tmp_path / "no.csv"), "no.csv"),
        ((rows, "--data", "iris"), "lacks the columns length"),
        ((rows, "--host", "203.0.113.1"), "cannot be listened on"),
    ):
        found = run(*words, "--no-browser")
        assert found.exit_code == 2, (words, found.output)
        assert text in found.stderr
        assert len(found.stderr.splitlines()) == 1


def test_a_model_folder_that_vanishes_stops_nothing_but_what_needs_it(folders, tmp_path):
    import threading

    from pushforward.studio.serve import Studio
    from pushforward.studio.workspace import Workspace

    from .conftest import Client

    shutil.copytree(folders / "rows-model", tmp_path / "gone")
    workspace = Workspace([tmp_path / "gone"], [str(folders / "rows.csv")])
    made = Studio(lambda: workspace)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        client = Client(made.address)
        shutil.rmtree(tmp_path / "gone")
        assert client.ask("samples/draw", model="gone", n=3)["table"]["rows"]
        job = client.ask("compare/start", models=["gone"], rows=50)["job"]
        deadline = time.monotonic() + 120
        while (now := client.ask("job/poll", job=job))["state"] == "running":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert now["state"] == "failed"
        assert "gone" in now["text"]
    finally:
        made.stop()
        thread.join(30)
    assert not made.workspace.folder.exists()


@pytest.mark.parametrize("name", ["starlette", "uvicorn"])
def test_without_its_libraries_the_command_says_how_to_get_them(name, folders, monkeypatch):
    import importlib.util

    own = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *more: None if n == name else own(n, *more)
    )
    found = run(folders / "rows-model", "--no-browser")
    assert found.exit_code == 2
    assert f"{name}: pip install 'pushforward[studio]'" in found.stderr
