"""The pictures of docs/studio.md, taken of the studio itself by a headless Chromium.

    python -m benchmarks.studio_gallery
    python -m benchmarks.studio_gallery --models FOLDER    # keeps the fitted models there

Fits the breast cancer table (half a minute) and a Glow of Fashion-MNIST (six minutes of a
processor), opens a studio of both, does what the captions say, and
writes `docs/studio-*.png`. Needs chromium with its driver, and selenium.
"""

import argparse
import io
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.common import ROOT
from tests.studio.browser import Browser

__all__: list[str] = []

SIZE = (1280, 860)
MOST_COLOURS = 256


def fitted(place):
    """Folders of the two models, and the data to look at."""
    import pushforward

    if not (place / "cells").exists():
        X = pushforward.load_dataset("breast_cancer")
        pushforward.fit(X, random_state=0, minutes=0.5, verbose=False).save(place / "cells")
    if not (place / "clothes").exists():
        images = pushforward.open_images("fashion_mnist", "train")
        pushforward.Glow(minutes=6, random_state=0).fit(images).save(place / "clothes")
    return [place / "cells", place / "clothes"], ["breast_cancer", "fashion_mnist:test"]


def samples(page):
    page.model("cells")
    page.tab("samples")
    page.until("return document.querySelectorAll('.pairs canvas').length === 10")


def ask(page):
    page.model("cells")
    page.tab("ask")
    page.until("return document.querySelectorAll('.column').length === 30")
    page.slide(".column:nth-child(1) input[type=range]", 20.2)
    page.slide(".column:nth-child(3) input[type=range]", 137.0)
    page.until("return document.querySelectorAll('.chip.odd').length > 0", seconds=300)


def mix(page):
    page.model("clothes")
    page.tab("mix")
    page.until("return document.querySelectorAll('.tiles.close .tile').length > 20")
    for place in (2, 6):
        page.run("document.querySelectorAll('.tiles.close .tile')[arguments[0]].click()", place)
    page.button("Make the strip").click()
    page.until("return document.querySelectorAll('.strip img').length === 9")


def edit(page):
    page.model("clothes")
    page.tab("edit")
    page.until("return document.querySelectorAll('.tiles.close .tile').length > 20")
    page.run("document.querySelectorAll('.tiles.close .tile')[5].click()")
    labels = "return [...document.querySelectorAll('.slider label')].map(l => l.textContent)"
    for trait in ("Pullover", "Bag"):
        page.run(
            "[...document.querySelectorAll('#panel select')].at(-1).value = arguments[0]", trait
        )
        page.button("Learn it of the data").click()
        page.until(f"{labels}.includes(arguments[0])", trait, seconds=300)
    before = page.until("return document.querySelector('img[alt=After]')?.src")
    page.run(
        "const own = [...document.querySelectorAll('.slider')].filter(s => /Pullover|Bag/"
        ".test(s.textContent)); own.forEach((s, k) => { const i = s.querySelector('input');"
        "i.value = [0.8, 1.4][k]; i.dispatchEvent(new Event('input')); })"
    )
    after = "return document.querySelector('img[alt=After]').src"
    page.until(f"{after} !== arguments[0]", before)
    while before != (before := page.run(after)):  # until no newer picture comes
        time.sleep(3)


def strange(page):
    page.model("cells")
    page.tab("strange")
    page.until("return document.querySelectorAll('#panel h3').length === 8", seconds=300)


def write(page, path):
    """A picture of the window, in as many colours as it needs."""
    from PIL import Image

    from pushforward.storage.atomic import write_file_atomically

    page.run(
        "scrollTo(0, 0); document.activeElement.blur();"
        "document.getElementById('status').replaceChildren()"
    )
    image = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
    data = io.BytesIO()
    image.quantize(MOST_COLOURS, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    write_file_atomically(path, data.getvalue())
    print(path)


def main():
    """Fit, open, look, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("only", nargs="*", metavar="samples|ask|mix|edit|strange")
    parser.add_argument("--models", type=Path, help="where fitted models are, or go")
    given = parser.parse_args()
    from pushforward.studio.serve import Studio
    from pushforward.studio.workspace import Workspace

    with tempfile.TemporaryDirectory() as temporary:
        place = given.models or Path(temporary)
        folders, data = fitted(place)
        studio = Studio(lambda: Workspace(folders, data, Path(temporary) / "directions"))
        thread = threading.Thread(target=studio.run)
        thread.start()
        try:
            looks = (
                (samples, False), (ask, False), (mix, True), (edit, False), (strange, True),
            )  # fmt: skip
            for look, dark in looks:
                if given.only and look.__name__ not in given.only:
                    continue
                page = Browser(studio.address, SIZE, dark)
                look(page)
                write(page, ROOT / "docs" / f"studio-{look.__name__}.png")
                page.close()
        finally:
            studio.stop()
            thread.join()


if __name__ == "__main__":
    main()
