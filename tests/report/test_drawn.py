"""Panels, curves and sheets: what is drawn is what was given."""

import base64
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pushforward.errors import DataError
from pushforward.report.curves import loss_curves, roc_curves, score_histogram
from pushforward.report.image_sheets import sheet
from pushforward.report.panel import INK, panel


def svg(uri):
    return base64.b64decode(uri.partition(",")[2]).decode()


def test_a_panel_is_the_same_for_light_and_dark_but_for_the_ink():
    one = panel(lambda axes: axes.plot([0, 1], [0, 1], color=INK), "a line")
    light, dark = svg(one.src), svg(one.dark)
    assert INK in light
    assert INK not in dark
    assert len(light) == len(dark)
    assert "2026" not in light  # no date
    assert one == panel(lambda axes: axes.plot([0, 1], [0, 1], color=INK), "a line")


def test_drawing_leaves_matplotlib_as_it_was():
    code = (
        "import matplotlib\n"
        "keys = [k for k in matplotlib.rcParams if k[:7] != 'backend']\n"
        "def now(): return {k: matplotlib.rcParams[k] for k in keys}\n"
        "before = now()\n"
        "from pushforward.report.panel import panel\npanel(lambda axes: None, 'nothing')\n"
        "import sys\nassert now() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_sheet_has_each_pixel_and_clear_gaps(rng):
    images = rng.integers(0, 256, (5, 3, 32, 20), dtype=np.uint8)
    drawn = sheet(images, "noise", columns=2)
    data = base64.b64decode(drawn.src.partition(",")[2])
    canvas = np.asarray(Image.open(io.BytesIO(data)))
    assert canvas.shape == (3 * 64 + 2 * 4, 2 * 40 + 4, 4)
    last = canvas[2 * 68 :, :40]
    assert (last[::2, ::2, :3] == images[4].transpose(1, 2, 0)).all()
    assert (canvas[:64, 40:44, 3] == 0).all()
    assert (canvas[2 * 68 :, 44:, 3] == 0).all()
    with pytest.raises(DataError, match="sheet"):
        sheet(images[:0], "nothing")


def test_histograms_and_curves_tell_their_figures(rng):
    scores = {"held out": rng.normal(size=200), "other": np.full(50, -1e9)}
    drawn = score_histogram(scores, "m", 0, "nats", threshold=-2.0)
    assert "held out" in drawn.alt
    assert "threshold" in svg(drawn.src)
    same = {"held out": np.zeros(9)}
    assert score_histogram(same, "m", 0, "nats").src
    curve = roc_curves({"log density": (scores["held out"], scores["other"], 1.0)}, "m", 1)
    assert "log density 1.000" in curve.alt


def test_losses_of_every_kind_of_history():
    sliced = loss_curves([(1.0, 0.9), (1.5, 1.2)], "gis", 0)
    assert "train 1.5, held out 1.2" in sliced[0].caption
    records = [
        {"step": k, "seconds": k, "a.loss": 1 / k, "b.loss": 2 / k, "a.rate": 1, "bad": np.nan}
        for k in range(1, 50)
    ]
    (one,) = loss_curves(records, "gan", 1)
    assert "a.loss" in one.caption
    assert "b.loss" in one.caption
    assert loss_curves([], "none", 0) == []
