"""The figure: something of every table, legible, and no state left behind."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import pushforward
from pushforward.errors import NotFittedError, ParameterError, UnsupportedError
from pushforward.report import table_figure


def fitted(X, **options):
    return pushforward.GIS(max_layers=6, random_state=0, **options).fit(X)


def texts(figure):
    """All texts that are drawn, with the box each takes, in pixels."""
    figure.canvas.draw()
    found = list(figure.texts)
    for axes in figure.axes:
        found += axes.texts
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            places = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            found += [axis.label, *(text for place, text in places if low <= place <= high)]
    return [(text.get_text(), text.get_window_extent()) for text in found if text.get_text()]


def test_nothing_overlaps_and_nothing_is_cut_off():
    X = pushforward.load_dataset("breast_cancer")
    figure = table_figure(fitted(X, margins=True), X, title="Breast cancer")
    boxes = texts(figure)
    page = figure.bbox
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= page.x1, text
        assert box.y0 >= 0, text
        assert box.y1 <= page.y1, text
    for i, (text, box) in enumerate(boxes):
        for other, beside in boxes[i + 1 :]:
            wide = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            high = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert min(wide, high) < 2, f"{text!r} lies over {other!r}"


def test_it_names_the_strange_row_and_the_column():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    X = pd.DataFrame({"a": x, "b": x + 0.05 * rng.normal(size=300), "c": rng.normal(size=300)})
    X.index = [f"id{i}" for i in range(300)]
    X.loc["id7", ["a", "b"]] = 1.5, -1.5  # each value ordinary, not both
    model = pushforward.GIS(max_layers=0, whiten=True, random_state=0).fit(X)
    figure = table_figure(model, X)
    words = [text for text, _ in texts(figure)]
    assert any(text.startswith("row id7 ") for text in words)
    assert any(text.startswith(("a 1.5, expected", "b \N{MINUS SIGN}1.5, exp")) for text in words)


def odd_tables():
    rng = np.random.default_rng(1)
    n = 60
    yield "one column", rng.normal(size=(n, 1))
    yield "two rows", rng.normal(size=(2, 3))
    yield "constant", np.ones((n, 2))
    yield "one constant", np.stack([np.ones(n), rng.normal(size=n)], axis=1)
    yield "a wild cell", np.concatenate([rng.normal(size=(n, 3)), [[1e12, 0, 0]]])
    yield "the same column twice", np.repeat(rng.normal(size=(n, 1)), 2, axis=1)
    yield "wide", rng.normal(size=(n, 170))
    yield "tensor", torch.from_numpy(rng.normal(size=(n, 2))).float()
    yield "list", rng.normal(size=(n, 2)).tolist()
    frame = {
        "$x_1^2$ a name\nthat goes on and on and on": rng.exponential(size=n),
        "count": rng.poisson(3, size=n),
        "big": rng.integers(0, 10**9, size=n),
        "named": rng.choice(list("abcdefghijklm"), size=n),
        "flag": rng.random(n) < 0.3,
    }
    yield "polars", pl.DataFrame(frame)
    yield "arrow", pl.DataFrame(frame).to_arrow()
    yield "categories only", pd.DataFrame({k: frame[k] for k in ("named", "flag")})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "X"), [pytest.param(*pair, id=pair[0]) for pair in odd_tables()])
def test_every_table_has_a_figure(name, X, tmp_path):
    figure = table_figure(fitted(X), X, rows=40)
    figure.savefig(tmp_path / "figure.png")
    assert figure.get_figwidth() == 14


def test_new_categories_and_values_far_from_those_of_fit():
    X = pd.DataFrame({"x": np.arange(50.0) ** 1.1, "kind": ["a", "b"] * 25})
    new = pd.DataFrame({"x": [1e6, 2.0], "kind": ["never seen", "a"]})
    words = [text for text, _ in texts(table_figure(fitted(X), new))]
    assert "rest" in words


def test_the_same_figure_every_time(tmp_path):
    X = pushforward.load_dataset("mixture")
    model = fitted(X)
    for name in ("a.png", "b.png"):
        table_figure(model, X).savefig(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_it_touches_no_global_state():
    code = (
        "import sys, pushforward, pushforward.report\n"
        "assert 'matplotlib' not in sys.modules\n"
        "X = pushforward.load_dataset('two_moons')[:60]\n"
        "pushforward.report.table_figure(pushforward.GIS(max_layers=1).fit(X), X)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_wrong_use_is_said():
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = fitted(X)
    with pytest.raises(UnsupportedError, match="got str"):
        table_figure("model", X)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="rows is 0"):
        table_figure(model, X, rows=0)
    with pytest.raises(ParameterError, match="one row"):
        table_figure(model, X[:1])
    with pytest.raises(NotFittedError):
        table_figure(pushforward.GIS(), X)


def test_without_matplotlib_it_says_how_to_get_it(monkeypatch):
    X = np.random.default_rng(0).normal(size=(30, 2))
    model = fitted(X)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UnsupportedError, match=r"pushforward\[plot\]"):
        table_figure(model, X)
