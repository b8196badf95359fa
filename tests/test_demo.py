"""The demo runs from the command line, and leaves what it says."""

import pandas as pd
import pytest

import pushforward
from pushforward import demo
from pushforward.demo import breast_cancer, main, split, titanic


def fewer_passengers():
    """Every third passenger."""
    return titanic()[::3].reset_index(drop=True)


def fewer_tumours():
    """The first half."""
    return breast_cancer()[:285]


def run(arguments):
    """The demo with fewer passengers and tumours, in a process of its own."""
    demo.titanic, demo.breast_cancer = fewer_passengers, fewer_tumours
    return main(arguments)


def files_are_what_they_are_called(folder, said):
    assert {path.name for path in folder.iterdir()} == {
        *("model", "samples.csv", "scores.csv", "figure.png", "report.html"),
        *("titanic.html", "titanic-samples.csv"),
    }
    for path in folder.iterdir():
        assert path.name in said
    assert breast_cancer().shape == (569, 31)
    table, rows = fewer_tumours(), pd.read_csv(folder / "samples.csv")
    assert rows.shape == table.shape == (285, 31)
    assert list(rows.columns) == list(table.columns)
    assert set(rows["diagnosis"]) == {"benign", "malignant"}
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "one Gaussian" in report
    strange = pd.read_csv(folder / "scores.csv", keep_default_na=False)["reasons"][0]
    assert strange.split(",")[0] in report  # a column and its value


def a_mixed_table_comes_last(folder, said):
    whole = titanic()
    assert whole.shape == (1309, 8)
    assert whole.isna().any(axis=1).sum() == 266
    assert (whole["fare"] == 0).sum() == 17
    table, rows = fewer_passengers(), pd.read_csv(folder / "titanic-samples.csv")
    assert table.shape == rows.shape == (437, 8)
    assert list(table.columns) == list(rows.columns)
    for name in ("class", "survived", "sex", "embarked"):
        assert set(rows[name].dropna()) <= set(table[name].dropna())
    train = split(table)[0]
    gaps = len(train) - len(train.dropna())
    assert f"{len(train)} rows, of which {gaps} have missing cells" in said
    html = (folder / "titanic.html").read_text(encoding="utf-8")
    assert "Where samples differ" in html
    assert "Sampled rows that are recognised" in html
    assert html.index("Where samples differ") < html.index("Column by column")


def scores_are_those_of_the_model_and_name_the_strangest(folder, said):
    scores = pd.read_csv(folder / "scores.csv", keep_default_na=False)
    assert scores["log_density"].is_monotonic_increasing
    model = pushforward.load(folder / "model")
    again = model.score_samples(breast_cancer().loc[scores["row"]])
    assert again == pytest.approx(scores["log_density"])
    assert (scores["outlier"] == (again < model.offset_)).all()
    assert scores["reasons"].str.contains("expected").sum() >= 8
    assert 3 in scores["row"][:5].tolist()  # a radius of 14.91 beside an area of 568
    assert f"row {scores['row'][0]}, " in said


def one_gaussian_is_beaten_on_rows_it_never_saw(folder, said):
    density, gaussian = (
        float(text.split()[0].rstrip(";"))
        for text in (said.split("log density")[1], said.split("one Gaussian: ")[1])
    )
    assert density > gaussian + 5  # a Gaussian of logarithms, where columns have these


def test_it_leaves_what_it_says(tmp_path, processes):
    """One test: the workers of a run would each run the demo for a share of several."""
    folder = tmp_path / "a folder" / "out"
    copy = processes.start(run, ["-o", str(folder)])
    assert copy.wait(900) == 0, copy.stderr
    files_are_what_they_are_called(folder, copy.stdout)
    a_mixed_table_comes_last(folder, copy.stdout)
    scores_are_those_of_the_model_and_name_the_strangest(folder, copy.stdout)
    one_gaussian_is_beaten_on_rows_it_never_saw(folder, copy.stdout)


def test_a_folder_that_cannot_be_is_said_in_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["-o", str(tmp_path / "file" / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
