"""The Python blocks of README and the docs run as they are written, in a fresh home.

Only what would take minutes is made small: data by name are digits, training takes two steps, SIG
two layers, and refinement two seconds.
"""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import pushforward
from pushforward.refinement import density_ratio
from pushforward.training import Loop

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    *(
        f"docs/{name}.md"
        for name in (
            "adversarial",
            "features",
            "flows",
            "images",
            "measures",
            "own-model",
            "prediction",
            "refinement",
            "report",
        )
    ),
)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A fresh home and folder; digits for every set of images, two steps for every training."""
    run, opened, refine = Loop.run, pushforward.open_images, pushforward.refine

    def two_steps(self, **options):
        run(self, **options | {"steps": 2, "minutes": None})

    monkeypatch.setattr(Loop, "run", two_steps)
    monkeypatch.setattr(density_ratio, "_POOLED", 400)
    monkeypatch.setattr(pushforward, "open_images", lambda *name, **_: opened("digits"))
    monkeypatch.setattr(
        pushforward, "refine", lambda *given, **named: refine(*given, **{"minutes": 0.03} | named)
    )
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "sentences.txt.gz").write_bytes(
        gzip.compress(b"a line of text\nanother line\n" * 60)
    )
    monkeypatch.chdir(tmp_path)


def given(page):
    """What a page takes for granted."""
    images = pushforward.open_images("digits").images[:400]
    labels = pushforward.open_images("digits").labels[:400]
    page = Path(page).stem
    if page == "README":
        rows = np.random.default_rng(0).normal(size=(300, 2))
        gan = pushforward.TableGAN(steps=2, random_state=0).fit(rows)
        return {"new": images[:8], "model": gan, "data": rows, "generator": lambda z: z[:, :2]}
    if page in ("images", "own-model"):
        return {}
    if page in ("adversarial", "flows"):
        names = {"a": 4, "b": 4, "new": 8, "with_smile": 8, "without": 8, "faces": 4}
        return {name: images[:n] for name, n in names.items()}
    if page == "features":
        model = pushforward.DCGAN(width=4, steps=2, random_state=0).fit(images)
        kept = {"train_images": images, "train_labels": labels, "test_images": images[:300]}
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()
        model.sample = lambda n: images[:200]
        return kept | {"model": model, "my_network": network, "my_function": lambda x: x[:, 0, 0]}
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(900, 2)) @ [[1, 1], [0, 1]]
    known = {"train": rows[:450], "test": rows[450:], "data": rows, "rows": rows}
    if page == "refinement":
        gan = pushforward.TableGAN(steps=2, random_state=0).fit(rows)
        scale = torch.linspace(0.5, 1, 128)
        known["data"] = rows
        return known | {
            "model": gan, "anything": gan, "generator": lambda z: z[:, :2] * scale[:2],
            "critic": lambda x: -x.square().sum(dim=1),
            "real": torch.from_numpy(rows).float(), "generated": torch.randn(400, 2),
        }  # fmt: skip
    gis = pushforward.GIS(max_layers=2, random_state=0).fit(known["train"])
    auto = pushforward.GIS(max_layers=1, random_state=0).fit(known["train"])
    return known | {"gis": gis, "auto": auto, "model": gis}


# what little is learned in two steps
@pytest.mark.filterwarnings("ignore:The classifier is right on:UserWarning")
@pytest.mark.filterwarnings("ignore:What the model writes is no text:UserWarning")
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_run(page, small):
    names = {"pushforward": pushforward, **given(page)}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        if "sweep" in block:  # trains twenty models, and is tested by itself
            continue
        code = re.sub(r"^.* = \.\.\..*\n", "", block, flags=re.MULTILINE)  # what is given
        code = re.sub(r"SIG\(minutes=[\d.]+", "SIG(layers=2", code)
        # what README shows of one kind of data is not about that of the block before
        exec(compile(code, page, "exec"), dict(names) if page == "README.md" else names)
