"""The page: what it shows is what was measured, nothing gets out of it and nothing in."""

import base64
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_digits

import pushforward
from pushforward.errors import ParameterError, UnsupportedError
from pushforward.metrics import limitation_of
from pushforward.report import page
from pushforward.report.measure_table import skipped

HOSTILE = "<script>alert(1)</script>"
EVIL = "\"'><img src=x onerror=alert(1)>&amp;{{7*7}}$\\alpha$"


class Read(HTMLParser):
    """Tags, attributes, addresses and texts of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.names, self.addresses, self.ids, self.text = set(), set(), [], [], ""
        self.images = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        found = dict(attrs)
        self.addresses += [v for k, v in attrs if k in ("src", "srcset", "href", "action", "data")]
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "img":
            self.images.append(found)

    def handle_data(self, data):
        self.text += data


def check_closed(html):
    """No script, no handler, no address but data within the page; every drawing is whole."""
    read = Read(html)
    assert not read.tags & {"script", "iframe", "object", "embed", "base", "form", "svg"}
    assert not {name for name in read.names if name.startswith("on")}
    assert all(one.startswith(("data:", "#")) for one in read.addresses)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html
    assert len(set(read.ids)) == len(read.ids)
    assert {one[1:] for one in read.addresses if one.startswith("#")} <= set(read.ids)
    assert all(image.get("alt") for image in read.images)
    for address in read.addresses:
        if address.startswith("data:image/svg+xml"):
            svg = base64.b64decode(address.partition(",")[2]).decode()
            drawn = ElementTree.fromstring(svg)
            assert not any(one.tag.endswith("script") for one in drawn.iter())
            assert not re.search(r"""(href|src)="(?!#|data:)""", svg)
    return read


def hostile_table(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            HOSTILE: x,
            EVIL: x**2 + 0.1 * rng.normal(size=n),
            "a\x01b\n--> c": rng.exponential(size=n),
            "kind": rng.choice([EVIL, HOSTILE, "plain"], size=n),
        }
    )


@pytest.fixture(scope="module")
def table_page():
    train, real = hostile_table(150, 0), hostile_table(120, 1)
    model = pushforward.GIS(max_layers=3, random_state=0).fit(train)
    judged = {HOSTILE: model, EVIL: hostile_table(110, 2)}
    options = {"train": train, "other": real.assign(**{HOSTILE: 9.0}), "n": 100, "random_state": 3}
    return judged, real, options, page(judged, real, data=EVIL, title=HOSTILE, **options)


def test_names_are_text_and_nothing_comes_from_outside(table_page):
    read = check_closed(table_page[-1].html)
    assert HOSTILE in read.text
    assert EVIL in read.text
    assert "49" not in re.findall(r"\{\{.*?\}\}|&amp;(\d+)", read.text)


def test_every_figure_is_there_with_what_it_is_blind_to(table_page):
    *_, made = table_page
    text = Read(made.html).text
    for name in made.comparison.measure_names:
        assert limitation_of(name)
        assert limitation_of(name) in text
    for evaluation in made.comparison.evaluations.values():
        for reason in evaluation.skipped.values():
            assert reason in text
        for warning in evaluation.warnings:
            assert warning in text
    nats = made.comparison[HOSTILE]["nats_per_row"]
    assert f"{nats.value:.1f}".replace("-", "\N{MINUS SIGN}") in text
    assert text.count("★") >= 2
    assert "expected" in text  # the strangest rows say why
    assert "@inproceedings{dai2021sliced" in text


def test_the_same_page_every_time_but_for_the_date(table_page):
    judged, real, options, made = table_page
    dated = page(judged, real, data=EVIL, title=HOSTILE, date="today", **options).html
    assert re.sub(r"<div><dt>Date</dt><dd>today</dd></div>", "", dated) == made.html


def test_it_is_written_whole(table_page, tmp_path):
    *_, made = table_page
    path = made.save(tmp_path / "new" / "page.html")
    assert path.read_text(encoding="utf-8") == made.html
    assert [one.name for one in path.parent.iterdir()] == ["page.html"]


def tables():
    rng = np.random.default_rng(1)
    n = 60
    frame = {"x": rng.normal(size=n), "c": rng.choice(list("ab"), size=n), "z": np.ones(n)}
    yield "one column", rng.normal(size=(n, 1)), rng.normal(size=(n, 1))
    yield "array", rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    yield "constants", np.ones((n, 2)), np.ones((n, 2))
    yield "categories", pd.DataFrame({"c": frame["c"]}), pd.DataFrame({"c": frame["c"]})
    holes = pd.DataFrame(frame).assign(y=1.5, n=pd.array(rng.integers(0, 9, n), "Int64"))
    holes = holes.mask(rng.random(holes.shape) < 0.4)
    yield "missing cells", holes, holes.iloc[::-1]
    yield "missing columns", holes, holes.assign(c=None, n=None)
    yield "polars, other order", pl.DataFrame(frame), pl.DataFrame(frame).select("z", "c", "x")


@pytest.mark.parametrize(
    ("name", "real", "samples"), [pytest.param(*one, id=one[0]) for one in tables()]
)
def test_any_table_has_a_page(name, real, samples):
    wanted = ["column_fidelity"] if hasattr(real, "columns") else ["mmd"]
    check_closed(page(samples, real, measures=wanted, n=50).html)


@pytest.mark.parametrize(
    ("name", "real", "samples"), [pytest.param(*one, id=one[0]) for one in tables()]
)
def test_any_table_shows_where_samples_differ(name, real, samples):
    frame = hasattr(real, "columns")
    wanted = ["two_sample", *(["broken_dependence"] if frame else [])]
    html = page(samples, real, measures=wanted, n=50).html
    check_closed(html)
    assert "Sampled rows that are recognised" in html


class Flow:
    """A model of images with everything that a page shows: samples are copies of its images."""

    def __init__(self, images):
        self.images = images
        self.history_ = [
            {"step": k, "seconds": 1.0, "flow.bits": 5 / k, "flow.rate": 1.0}
            | ({"bits_per_dim": 6 / k} if k % 3 == 0 else {})
            for k in range(1, 10)
        ]

    def fit(self, X):
        return self

    def sample(self, n_samples=1, random_state=None):
        return self.images[:n_samples]

    def score_samples(self, X, per_level=False):
        flat = -np.asarray(X).reshape(len(X), -1).astype(float).mean(1)
        return np.stack([flat, 2 * flat], 1) if per_level else flat

    def interpolate(self, a, b, steps):
        share = np.linspace(0, 1, steps)[None, :, None, None, None]
        return ((1 - share) * a[:][:, None] + share * b[:][:, None]).astype(np.uint8)

    def reconstruct(self, X):
        return X[:] // 2 * 2


@pytest.fixture(scope="module")
def image_page():
    images = (load_digits().images * 15.9).astype(np.uint8)
    train, real = images[:300], images[300:420]
    other = np.random.default_rng(0).integers(0, 256, (80, 8, 8), dtype=np.uint8)
    judged = {"copies": Flow(train), "noise": other}
    options = {"train": train, "other": other, "features": "pixels", "n": 100}
    return page(judged, real, measures=["fid", "ood", "privacy"], **options)


def test_images_have_their_sections(image_page):
    read = check_closed(image_page.html)
    assert {"samples", "nearest", "latents", "scores", "strange", "other", "training"} <= set(
        read.ids
    )
    told = " ".join(image["alt"] for image in read.images)
    for word in ("Interpolations of copies", "gives back", "Histogram", "Samples of noise"):
        assert word in told
    area = image_page.comparison["copies"]["auroc"].value
    assert f"AUROC: log density {area:.3f}" in told
    assert "last level" in told
    assert "bits per dim of copies" in told


def test_copies_of_training_images_are_seen(image_page):
    text = Read(image_page.html).text
    assert "distances 0 ·" in text
    assert re.search(r"100\s% of all lie nearer", text)


def test_text_and_single_samples():
    made = page(["one line"] * 9, [f"line {HOSTILE} {k}" for k in range(20)])
    read = check_closed(made.html)
    assert "samples judged on held-out data" in read.text
    assert HOSTILE in read.text


def test_wrong_use_is_said(monkeypatch):
    X = np.zeros((9, 2))
    with pytest.raises(ParameterError, match="n is 1"):
        page(X, X, n=1)
    with pytest.raises(ParameterError, match="No models"):
        page({}, X)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UnsupportedError, match=r"pushforward\[report\]"):
        page(X, X)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_has_nothing_to_complain_of(image_page, tmp_path):
    path = image_page.save(tmp_path / "page.html")
    done = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "</html>" in done.stdout
    assert "CONSOLE" not in done.stderr


def test_rows_a_model_cannot_score_leave_a_page_without_scores():
    train = pd.DataFrame({"x": np.linspace(0.1, 1, 80), "c": ["a", "b"] * 40})
    model = pushforward.GIS(max_layers=1, bounds={"x": (0, 2)}, random_state=0).fit(train)
    real = train.assign(x=train["x"] * 5)
    made = page({"bounded": model}, real, measures=["column_fidelity", "likelihood"])
    assert "Likelihood" in [title for title, _ in skipped(made.comparison)]
    assert "scores" not in check_closed(made.html).ids
