"""Each tab answers what its page asks, with what the models say themselves."""

import io
import json
import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import pushforward
from pushforward.studio.tabs import ask

from .conftest import made_table


@pytest.fixture(scope="session")
def models(folders):
    return {
        name: pushforward.load(folders / name)
        for name in ("rows-model", "glow", "sig", "length-model")
    }


def ready(client, status=200, **body):
    """The answer of the form, when the model is prepared."""
    import time

    for _ in range(200):
        answer = client.ask("ask/answer", status, **body)
        if "preparing" not in answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("it is never ready")


def picture(answer):
    """The pixels of a picture in an answer."""
    import base64

    data = base64.b64decode(answer.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)))


def test_what_is_open_and_what_each_model_can(client):
    found = {one["name"]: one for one in client.ask("studio")["models"]}
    tabs = {
        name: [tab for tab, said in one["tabs"].items() if said["reason"] is None]
        for name, one in found.items()
    }
    assert tabs["rows-model"] == ["samples", "ask", "refine", "strange", "compare"]
    assert tabs["glow"] == ["samples", "mix", "edit", "refine", "strange", "compare"]
    assert tabs["refined"] == ["samples", "refine", "compare"]
    assert tabs["length-model"] == ["ask"]
    assert found["glow"]["levels"] == 2
    assert found["glow"]["traits"] == ["class 0", "class 1"]
    assert (found["glow"]["data"], found["rows-model"]["data"]) == (240, 240)


def test_sampled_rows_are_those_of_the_seed_with_their_densities(client, models):
    model = models["rows-model"]
    answer = client.ask("samples/draw", model="rows-model", n=40, seed=3, with_data=True)
    rows = model.sample(40, random_state=3)
    np.testing.assert_allclose(answer["places"]["0"], rows["length"], rtol=1e-5)
    np.testing.assert_allclose(answer["scores"], model.score_samples(rows), rtol=1e-5)
    choices = answer["columns"][3]["choices"]
    assert [choices[int(k)] for k in answer["places"]["3"]] == rows["group"].tolist()
    assert answer["table"]["names"] == ["length", "width", "count", "group"]
    assert len(answer["real"]["0"]) == 240


def test_rows_with_missing_cells_are_shown_too(tmp_path):
    from pushforward.studio.fields import Fields
    from pushforward.studio.tabs import samples
    from pushforward.studio.workspace import Workspace

    table = made_table(120)
    table.loc[::3, "width"] = None
    table["group"] = table["group"].mask(table.index % 5 == 0)
    model = pushforward.GIS(max_layers=2, missing="model", random_state=0).fit(table)
    model.save(tmp_path / "holes")
    workspace = Workspace([tmp_path / "holes"])
    try:
        asked = Fields({"model": "holes", "n": 60, "seed": 1})
        answer = samples.sample(workspace, asked)
        form = ask.form(workspace, Fields({"model": "holes"}))
    finally:
        workspace.models["holes"].ready.wait(60)
        workspace.close()
    rows = model.sample(60, random_state=1)
    for j, label in enumerate(rows.columns):
        gone = [place is None for place in answer["places"][j]]
        assert gone == rows[label].isna().tolist()
    whole = rows.notna().all(axis=1)
    assert 0 < whole.sum() < 60
    assert [score is not None for score in answer["scores"]] == whole.tolist()
    assert all(sum(margin["shares"]) == pytest.approx(1) for margin in form["margins"].values())


def test_sampled_images_are_those_of_the_seed_with_their_bits(client, models):
    model = models["glow"]
    answer = client.ask("samples/draw", model="glow", n=5, seed=3, temperature=0.5)
    images = model.sample(5, random_state=3, temperature=0.5)
    for shown, image in zip(answer["images"], images, strict=True):
        np.testing.assert_array_equal(picture(shown["png"]), image)
    bits = [model.bits_per_dim(image[None]) for image in images]
    np.testing.assert_allclose([one["bits"] for one in answer["images"]], bits, rtol=1e-4)


def test_downloads_are_what_the_page_shows(client, models):
    _, headers, data = client.request("GET", "/download/samples?model=glow&n=4&seed=3&as=npz")
    drawn = models["glow"].sample(4, random_state=3)
    np.testing.assert_array_equal(np.load(io.BytesIO(data))["X"], drawn)
    assert headers["content-disposition"] == 'attachment; filename="samples-of-glow.npz"'
    _, _, data = client.request("GET", "/download/samples?model=glow&n=4&seed=3&as=png")
    assert Image.open(io.BytesIO(data)).format == "PNG"
    _, _, data = client.request("GET", "/download/samples?model=rows-model&n=9&seed=3&as=csv")
    rows = models["rows-model"].sample(9, random_state=3)
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(data)), rows, check_dtype=False)
    _, _, data = client.request("GET", "/download/samples?model=rows-model&n=9&seed=3&as=npz")
    found = np.load(io.BytesIO(data), allow_pickle=False)
    assert found["group"].tolist() == rows["group"].tolist()


def test_a_fixed_cell_moves_the_others_to_where_the_data_have_them(client):
    form = client.ask("ask/form", model="rows-model")
    assert [one["name"] for one in form["columns"]] == ["length", "width", "count", "group"]
    assert form["columns"][3]["input"] == "choice"
    answer = ready(client, model="rows-model", given={"3": "blue"})
    low, median, high = answer["columns"]["0"]["ends"]
    assert low < median < high
    assert abs(median - 4) < 0.6  # of blue rows
    assert set(answer["columns"]) == {"0", "1", "2"}
    group = answer["rows"]["names"].index("group")
    assert {row[group] for row in answer["rows"]["rows"]} == {"blue"}
    alone = client.ask("ask/answer", model="rows-model", given={})
    assert set(alone["columns"]) == {"0", "1", "2", "3"}


def test_cells_that_contradict_each_other_are_surprising(client):
    ready(client, model="rows-model", given={"3": "red"})
    usual = client.ask("ask/plausibility", model="rows-model", given={"0": 4.0, "3": "blue"})
    odd = client.ask("ask/plausibility", model="rows-model", given={"0": 4.0, "3": "red"})
    assert usual["together"] > 0.2
    assert odd["together"] < 0.05
    assert odd["cells"]["0"] < 0.05 < usual["cells"]["0"]
    assert client.ask("ask/plausibility", model="rows-model", given={})["together"] is None


def test_a_range_is_a_condition_like_any_other(client, models):
    body = {"model": "rows-model", "given": {"0": "3.2..4.6", "2": "> 4"}}
    answer = ready(client, **body)
    assert {"0", "1", "2", "3"} == set(answer["columns"])  # what has a range is open within it
    names = answer["rows"]["names"]
    for row in answer["rows"]["rows"]:
        assert 3.2 <= float(row[names.index("length")]) <= 4.6
        assert int(row[names.index("count")]) >= 5
    judged = client.ask("ask/plausibility", **body)
    rows = models["rows-model"].sample(1000, random_state=0)
    inside = rows["length"].between(3.2, 4.6) & (rows["count"] > 4)
    assert judged["inside"] == inside.mean()
    assert (judged["together"], judged["cells"]) == (None, {})
    given = models["rows-model"].given({"count": (5, None)}, n_draws=4000, random_state=1)
    assert judged["ranges"]["0"] == pytest.approx(given.prob({"length": (3.2, 4.6)})[0], abs=0.1)
    far = ready(client, model="rows-model", given={"0": "90.."}, status=422)
    assert "meets the conditions" in far["error"]


def test_a_predictor_gives_the_distribution_of_its_target(client, models):
    model = models["length-model"]
    form = client.ask("ask/form", model="length-model")
    assert [one["name"] for one in form["columns"]] == ["width", "count", "group"]
    assert form["target"]["fact"]["name"] == "length"
    row = client.ask("ask/row", model="length-model", row=5)
    table = made_table()
    assert row["target"]["place"] == pytest.approx(table["length"][5])
    answer = client.ask("ask/answer", model="length-model", given=row["cells"])
    own = model.given(table[5:6])
    np.testing.assert_allclose(
        np.array(answer["target"]["ends"])[[0, 2]], own.interval(0.9)[0], atol=0.02
    )
    edges = np.array(form["target"]["margin"]["edges"])
    np.testing.assert_allclose(
        np.cumsum(answer["target"]["shares"])[8], own.cdf(edges[9])[0], atol=1e-6
    )
    reasons = client.ask("ask/plausibility", model="length-model", given=row["cells"])["reasons"]
    effects = model.explain(table[5:6])
    assert reasons[0]["column"] == effects["column"][0]
    assert reasons[0]["effect"] == pytest.approx(effects["effect"][0])
    for given, text in (
        ({"0": "1..2", "1": 3, "2": "red"}, "width has a range"),
        ({"0": 1.0, "1": "few", "2": "red"}, "finite number"),
    ):
        refused = client.ask("ask/answer", 422, model="length-model", given=given)
        assert text in refused["error"], refused
    lacking = client.ask("ask/answer", model="length-model", given={"0": 1.0})
    assert lacking["target"] is None
    assert "Still open: count, group" in lacking["note"]


def test_wrong_cells_are_refused_in_words(client):
    ready(client, model="rows-model", given={"3": "red"})
    for given, text in (
        ({"0": "many"}, "Expected a finite number"),
        ({"0": "1e999"}, "finite"),
        ({"3": "purple"}, "purple"),
        ({"9": 1}, "no column"),
        ({"0": [1]}, "neither"),
        ({"0": 1, "1": 1, "2": 1, "3": "red"}, "at least one open"),
    ):
        refused = client.ask("ask/answer", 422, model="rows-model", given=given)
        assert text in refused["error"], refused


def test_a_row_of_the_data_to_begin_with(client, folders):
    row = client.ask("ask/row", model="rows-model", row=5)["cells"]
    expected = pd.read_csv(folders / "rows.csv").iloc[5]
    assert row["3"] == expected["group"]
    assert float(row["0"]) == expected["length"]
    assert "240 rows" in client.ask("ask/row", 422, model="rows-model", row=240)["error"]


@pytest.fixture
def two(client):
    """Handles of two images of the data."""
    return [one["handle"] for one in client.ask("data/images", model="glow", n=2)["images"]]


def test_mixes_begin_and_end_at_the_images_and_are_those_of_the_model(
    client, two, models, folders
):
    images = np.load(folders / "squares.npz")["X"][:2]
    way = models["glow"].interpolate(images[:1], images[1:], steps=5)[:, 0]
    for share, expected in zip((0, 0.25, 1), way[[0, 1, 4]], strict=True):
        answer = client.ask("mix/blend", model="glow", a=two[0], b=two[1], share=share)
        np.testing.assert_array_equal(picture(answer["png"]), expected)
    strip = client.ask("mix/strip", model="glow", a=two[0], b=two[1], steps=5)
    np.testing.assert_array_equal(picture(strip["images"][2]), way[2])
    assert len(strip["bits"]) == 5


def test_a_direction_is_the_models_own_and_moves_the_image(client, models, folders):
    squares = np.load(folders / "squares.npz")
    found = client.ask("data/images", model="glow", n=12)["images"]
    lower = squares["y"][:12]
    has = [one["handle"] for one, y in zip(found, lower, strict=True) if y]
    has_not = [one["handle"] for one, y in zip(found, lower, strict=True) if not y]
    learned = client.ask("edit/learn", model="glow", name="lower", has=has, has_not=has_not)
    assert learned["name"] == "lower"
    X = squares["X"][:12]
    own = models["glow"].attribute_direction(X[lower == 1], X[lower == 0])
    expected = models["glow"].manipulate(X[:1], own, [0.8])[0, 0]
    slider = {"direction": learned["direction"], "amount": 0.8}
    first = found[0]["handle"]
    answer = client.ask("edit/apply", model="glow", image=first, sliders=[slider], with_before=1)
    far = np.abs(picture(answer["png"]).astype(int) - expected).max()
    assert far <= 1  # means are taken in double precision here
    assert answer["before"] == pytest.approx(models["glow"].bits_per_dim(X[:1]), abs=1e-3)
    same = client.ask("edit/apply", model="glow", image=first, sliders=[])
    np.testing.assert_array_equal(picture(same["png"]), X[0])


def test_edits_level_by_level(client, two, models, folders):
    learned = client.ask("edit/learn", model="glow", name="1", trait="class 1")
    slider = {"direction": learned["direction"], "amount": 1.5}
    body = {"model": "glow", "image": two[0], "sliders": [slider]}
    X = np.load(folders / "squares.npz")["X"][:1]
    off = client.ask("edit/apply", **body, levels_on=[0, 0])
    np.testing.assert_array_equal(picture(off["png"]), X[0])
    z = models["glow"].encode(X)
    z[:, :32] = 0  # of 64 numbers the finest level has half
    plain = client.ask("edit/apply", model="glow", image=two[0], level_scales=[0, 1])
    np.testing.assert_array_equal(picture(plain["png"]), models["glow"].decode(z)[0])
    assert "Expected 2" in client.ask("edit/apply", 422, **body, levels_on=[1])["error"]


def test_directions_are_saved_and_found_again(client, studio):
    learned = client.ask("edit/learn", model="glow", name="a ../b", trait="class 1")
    path = client.ask("edit/save", model="glow", direction=learned["direction"])["path"]
    assert path == str(studio.workspace.directions / "glow.a-b.safetensors")
    found = client.ask("edit/saved", model="glow")["directions"]
    assert "a ../b" in [one["name"] for one in found]
    assert client.ask("edit/saved", model="sig")["directions"] == []
    (studio.workspace.directions / "glow.bad.safetensors").write_bytes(b"\x80\x04no pickle")
    assert len(client.ask("edit/saved", model="glow")["directions"]) == len(found)


def test_images_of_one_model_are_not_taken_by_another(client, two):
    refused = client.ask("mix/blend", 422, model="sig", a=two[0], b=two[1], share=0.5)
    assert "not of sig" in refused["error"]


def test_the_strangest_rows_and_their_cells(client, models, folders):
    rows = pd.read_csv(folders / "rows.csv")
    rows.loc[7, "width"] = 9.0
    answer = client.upload("rows-model", "../../odd.csv", rows.to_csv(index=False).encode())
    assert (answer["kind"], answer["n"]) == ("table", 240)
    found = client.ask("strange/score", model="rows-model", upload=answer["upload"], count=3)
    assert found["rows"][0]["row"] == 7
    assert found["rows"][0]["reasons"][0]["column"] == "width"
    scores = models["rows-model"].score_samples(rows)
    assert found["rows"][0]["score"] == pytest.approx(scores[7], rel=1e-3)
    _, _, data = client.request("GET", f"/download/scores?scores={found['scores']}")
    np.testing.assert_allclose(pd.read_csv(io.BytesIO(data))["log_density"], scores, rtol=1e-9)
    assert sum(found["counts"]) == 240


def test_strange_rows_with_missing_cells(client, models, folders):
    rows = pd.read_csv(folders / "rows.csv")[:40]
    rows.loc[3, ["width", "count"]] = [9.0, np.nan]  # far too wide, whatever its count
    rows.loc[5, "count"] = np.nan
    answer = client.upload("rows-model", "holes.csv", rows.to_csv(index=False).encode())
    found = client.ask("strange/score", model="rows-model", upload=answer["upload"], count=3)
    assert found["n"] == 38
    assert found["n_with_holes"] == 2
    assert [row["row"] for row in found["with_holes"]] == [3, 5]
    expected = models["rows-model"].decision_function(rows.iloc[[3, 5]], missing="model")
    decision = [row["decision"] for row in found["with_holes"]]
    np.testing.assert_allclose(decision, expected, rtol=1e-3)
    assert decision[0] < 0 < decision[1]
    _, _, data = client.request("GET", f"/download/scores?scores={found['scores']}")
    kept = pd.read_csv(io.BytesIO(data))
    assert kept["nats_above_threshold"].notna().sum() == 2
    assert kept["log_density"].isna().sum() == 2


def test_the_strangest_images_and_where(client, models, folders):
    noise = np.random.default_rng(1).integers(0, 256, (8, 8), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).save(data, "PNG")
    up = client.upload("sig", "noise.png", data.getvalue())["images"]
    known = client.ask("data/images", model="sig", n=10)["images"]
    handles = [one["handle"] for one in [*known, *up]]
    found = client.ask("strange/score", model="glow", count=2)
    assert found["measure"] == "bits per dimension"
    found = client.ask("strange/score", model="sig", images=handles, count=2)
    assert found["n"] == 11
    assert found["images"][0]["row"] == 10
    assert picture(found["images"][0]["map"]).shape == (8, 8, 3)


def test_before_and_after_a_refinement(client):
    found = client.ask("refine/pairs", model="refined", seed=1)
    assert found["before"].keys() == found["after"].keys()
    assert not found["moved"]  # rejection chooses
    assert found["before"] != found["after"]
    assert len(found["before"]["0"]) == len(found["after"]["0"]) > 100
    assert 0 <= found["report"]["before"]["value"] <= 1
    assert len(found["report"]["logits"]["real"]) == 101


def test_uploads_that_are_none_are_refused_and_leave_nothing(client, studio):
    bomb = Image.new("L", (9000, 9000))
    data = io.BytesIO()
    bomb.save(data, "PNG")
    for model, name, content in (
        ("glow", "a.exe", b"MZ"), ("glow", "a.png", b""), ("glow", "a.png", b"no picture"),
        ("glow", "huge.png", data.getvalue()), ("glow", "a.npy", b"\x93NUMPY"),
        ("rows-model", "a.csv", b"a,b\n1,2\n"), ("rows-model", "a.npz", b"PK\x03\x04"),
        ("rows-model", "a.parquet", b"PAR1"), ("refined", "a.xlsx", b"PK"),
    ):  # fmt: skip
        said = client.upload(model, name, content, 422)["error"]
        assert str(studio.workspace.folder) not in said
    assert list((studio.workspace.folder / "uploads").iterdir()) == []


def test_an_upload_that_is_too_large_is_refused_while_it_comes(client, studio, monkeypatch):
    from pushforward.studio import uploads

    monkeypatch.setattr(uploads, "MOST_BYTES", 1000)
    said = client.upload("glow", "a.png", b"x" * 5000, 413)
    assert "MiB" in said["error"]
    assert list((studio.workspace.folder / "uploads").iterdir()) == []


def test_arrays_of_objects_are_never_unpickled(client):
    data = io.BytesIO()
    np.save(data, np.array([print], dtype=object), allow_pickle=True)
    for name in ("glow", "rows-model"):
        assert "error" in client.upload(name, "a.npy", data.getvalue(), 422)


def test_work_of_minutes_is_the_command_itself(studio, folders):
    import time

    jobs, found = studio.workspace.jobs, []
    started = jobs.start(["info", str(folders / "glow")], lambda said: found.append(said) or {})
    assert started["command"] == f"pushforward info {folders / 'glow'} --json"
    deadline = time.monotonic() + 120
    while (now := jobs.poll(started["job"]))["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert now["state"] == "done", now
    assert found[0]["class"] == "Glow"
    failed = jobs.start(["info", str(folders / "nothing")], lambda said: {})
    while (now := jobs.poll(failed["job"]))["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert now["state"] == "failed"
    assert "nothing" in now["text"]


def test_a_comparison_is_shown_by_measure_with_its_intervals(rng):
    from pushforward.metrics import compare
    from pushforward.studio.tabs.compare import measures

    real = rng.normal(size=(80, 2))
    samples = {"/x/near": rng.normal(size=(80, 2)), "/x/far": rng.normal(size=(80, 2)) + 2}
    compared = compare(samples, real, measures=["fid"])
    found = measures(compared.to_dict(), {"/x/near": "near", "/x/far": "far"})
    line = found["lines"][0]
    assert line["best"] == "near"
    assert line["title"] and line["limitation"] and line["better"] == "lower"  # noqa: PT018
    assert line["values"]["far"]["value"] == compared["/x/far"]["fid"].value
    assert found["models"] == ["near", "far"]
    json.dumps(found)


def test_work_under_way_can_be_cancelled(client, studio):
    started = client.ask("refine/start", model="rows-model", minutes=5)
    job = studio.workspace.jobs._jobs[started["job"]]
    assert client.ask("job/poll", job=started["job"])["state"] == "running"
    assert client.ask("job/cancel", job=started["job"])["state"] == "cancelled"
    assert job.process.poll() is not None
    assert client.ask("job/poll", 404, job=started["job"])["error"]


def test_what_prepares_a_model_is_no_daemon_even_where_one_starts_it(monkeypatch):
    # a daemon is killed in the midst of mathematics when the studio ends, which aborts the process
    started = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread.daemon))
    monkeypatch.setattr(threading.current_thread(), "_daemonic", True)
    ask.prepare(SimpleNamespace(cache={}, ready=threading.Event()))
    assert started == [False]
