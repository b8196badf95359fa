"""The page as a person uses it, in a headless Chromium: every tab, by its buttons and sliders."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .browser import Browser, need_browser

# what it is that people look at; by its alternative text
PICTURES = "return [...document.querySelectorAll('#panel img')].filter(i => i.complete).length"


@pytest.fixture(scope="module")
def page(studio):
    need_browser()
    made = Browser(studio.address)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def nothing_goes_wrong(request):
    yield
    if "page" in request.fixturenames:
        page, studio = request.getfixturevalue("page"), request.getfixturevalue("studio")
        assert page.problems() == []
        assert page.asked_elsewhere(studio.address.split("/")[2]) == []


def test_the_token_is_no_longer_in_the_address(page):
    assert "token" not in page.driver.current_url


# the heights of the filled and of the outlined bars of every canvas that is drawn from now on
HEIGHTS = """
window.heights = new Map();
const brush = CanvasRenderingContext2D.prototype;
for (const [name, more] of [["fillRect", 0], ["strokeRect", 3]]) {
  const drawn = brush[name];
  brush[name] = function (x, y, width, height) {
    const of = heights.get(this.canvas) || heights.set(this.canvas, {}).get(this.canvas);
    of[name] = (of[name] || 0) + height - more;
    return drawn.call(this, x, y, width, height);
  };
}
"""
SUMS = "return [...heights.values()].filter(h => h.strokeRect).map(h => h.strokeRect / h.fillRect)"


def test_bars_of_the_data_and_of_samples_have_one_scale(page):
    page.model("rows-model")
    page.tab("samples")
    page.until("return document.querySelectorAll('.pairs canvas').length === 10")
    page.run(HEIGHTS)
    page.button("Draw others").click()
    page.until(f"{SUMS}.length >= 4")
    assert page.run(SUMS) == pytest.approx([1] * len(page.run(SUMS)))


def test_samples_of_a_table(page):
    page.model("rows-model")
    page.tab("samples")
    page.until("return document.querySelectorAll('.pairs canvas').length === 10")
    before = page.run("return document.querySelector('#panel td').textContent")
    page.button("Draw others").click()
    page.until("return document.querySelector('#panel td').textContent !== arguments[0]", before)
    page.find("tr.pick")[0].click()
    assert page.run("return document.querySelectorAll('tr.chosen').length") == 1


def test_asking_a_table(page):
    page.model("rows-model")
    page.tab("ask")
    said = "return [...document.querySelectorAll('.column .said')].map(e => e.textContent)"
    page.until("return document.querySelectorAll('.column').length === 4")
    page.until(f"return (() => {{ {said} }})().every(text => text.length > 0)")
    before = page.run(said)
    page.run(
        "const s = document.querySelector('.column select'); s.value = 'blue';"
        "s.dispatchEvent(new Event('change'))"
    )
    page.until(f"return (() => {{ {said} }})()[3] === 'fixed'")
    page.until("return document.querySelector('.big')?.textContent === 'plausible'")
    assert page.run(said)[0] != before[0]
    page.slide(".column input[type=range]", -1)
    page.until("return document.querySelectorAll('.chip.odd').length > 0")
    page.button("Open all").click()
    page.until("return document.querySelectorAll('.column.is-fixed').length === 0")


def typed(page, selector, text):
    page.run(
        "const i = document.querySelector(arguments[0]); i.value = arguments[1];"
        "i.dispatchEvent(new Event('input'))", selector, text,
    )  # fmt: skip


def test_asking_for_a_range(page):
    page.model("rows-model")
    page.tab("ask")
    page.until("return document.querySelectorAll('.column').length === 4")
    page.until("return document.querySelectorAll('#panel td').length > 0")
    field = ".column input[type=text]"
    typed(page, field, "3 ..")
    said = "return document.querySelector('.column .said').textContent"
    page.until(f"return (() => {{ {said} }})().startsWith('in the range')")
    page.until("return document.querySelector('.big')?.textContent.endsWith('%')")
    typed(page, field, "> x")
    assert page.run(f"return document.querySelector('{field}').ariaInvalid") == "true"
    page.button("Open all").click()
    page.until("return document.querySelectorAll('.column.is-fixed').length === 0")


def test_asking_a_predictor(page):
    page.model("length-model")
    page.until("return document.querySelectorAll('.column').length === 3")
    words = "return document.querySelector('.target .big').textContent"
    first = page.until(f"return (() => {{ {words} }})().includes('…') && (() => {{ {words} }})()")
    page.until("return document.querySelector('.target').textContent.includes('Moved most by')")
    typed(page, ".column input[type=text]", "-0.5")
    page.until(f"return (() => {{ {words} }})() !== arguments[0]", first)
    page.button("Open all").click()
    page.until("return document.querySelector('.note')?.textContent.includes('whole rows')")


def test_samples_of_images_go_to_mix_and_edit(page):
    page.model("glow")
    page.tab("samples")
    page.until("return document.querySelectorAll('.tiles figcaption').length === 36")
    page.find("#panel .tile")[3].click()
    page.button("Mix: first").click()
    page.until("return document.querySelector('#tab-mix[aria-selected=true]') !== null")
    page.until("return document.querySelectorAll('.tiles.close .tile').length > 3")
    page.find(".tiles.close .tile")[2].click()
    middle = "return document.querySelector('img[alt^=\"The mix\"]')?.src"
    first = page.until(middle)
    page.slide("#panel .slider input", 0.9)
    page.until(f"return (() => {{ {middle} }})() !== arguments[0]", first)
    page.button("Make the strip").click()
    page.until("return document.querySelectorAll('.strip img').length === 9")


def test_a_direction_from_marked_pictures(page):
    page.model("glow")
    page.tab("edit")
    page.until("return document.querySelectorAll('.tiles.close .tile').length > 6")
    tiles = "document.querySelectorAll('.tiles.close')[0].children"
    page.run(f"{tiles}[0].click()")
    after = "return document.querySelector('img[alt=After]')?.src"
    first = page.until(after)
    for mode, places in (("has", (1, 2)), ("has_not", (3, 4))):
        page.run("document.querySelector(`input[value=${arguments[0]}]`).click()", mode)
        for k in places:
            page.run(f"{tiles}[{k}].click()")
    page.run("document.querySelector('#panel input[type=text]').value = 'lower'")
    page.button("Learn it").click()
    page.until(
        "return [...document.querySelectorAll('.slider label')]"
        ".some(l => l.textContent === 'lower')"
    )
    page.slide(".slider input", 1.5)
    page.until(f"return (() => {{ {after} }})() !== arguments[0]", first)
    assert "bits/dim" in page.run(
        "return document.querySelectorAll('#panel figcaption')[1].textContent"
    )
    page.button("Undo").click()
    page.until(f"return (() => {{ {after} }})() === arguments[0]", first)
    page.run(
        "[...document.querySelectorAll('button.link')].find(b => b.textContent === 'save').click()"
    )
    page.until("return document.getElementById('status').textContent.startsWith('Saved as')")


def test_an_uploaded_picture_is_edited(page, tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 60), (200, 20, 20)).save(tmp_path / "mine.jpg")
    page.model("glow")
    page.tab("edit")
    page.run("document.querySelector('#panel input[value=files]').click()")
    page.find("#panel input[type=file]")[0].send_keys(str(tmp_path / "mine.jpg"))
    page.until("return document.querySelectorAll('.tiles.close')[0].children.length === 1")


def test_the_strangest(page):
    page.model("sig")
    page.tab("strange")
    page.until("return document.querySelectorAll('#panel img').length === 16")
    page.model("rows-model")
    page.tab("strange")
    page.until("return document.querySelectorAll('#panel h3').length === 8")


def test_a_refinement_from_its_start_to_its_end(page, studio):
    page.model("glow")
    page.tab("refine")
    page.button("Start").click()
    page.button("Cancel").click()
    page.until("return document.getElementById('panel').textContent.includes('Cancelled.')")
    (job,) = [*studio.workspace.jobs._jobs.values()][-1:] or (None,)
    assert job is None or job.process.poll() is not None
    page.run(
        "const m = document.querySelector('#panel select'); m.value = 'resampling';"
        "m.dispatchEvent(new Event('change'));"
        "[...document.querySelectorAll('#panel .field')].find(f => f.textContent.startsWith("
        "'Minutes')).querySelector('input').value = 0.15"
    )
    page.button("Start").click()
    page.until("return document.getElementById('model').value === 'glow refined'", seconds=180)
    shown = "return [...document.querySelectorAll('#panel .tiles img')].map(i => i.src)"
    page.until(f"return (() => {{ {shown} }})().length === 36")
    after = page.run(shown)
    page.run("document.querySelector('#panel input[value=before]').click()")
    before = page.run(shown)
    assert len(before) == 36
    assert before != after
    assert page.run("return document.querySelectorAll('svg .curve').length") == 3
    page.until("return document.querySelectorAll('#model option').length === 6")


def test_a_comparison_from_its_start_to_its_end(page):
    page.model("rows-model")
    page.tab("compare")
    page.run("[...document.querySelectorAll('#panel input[type=number]')].at(-1).value = 60")
    page.button("Compare").click()
    page.until("return document.querySelectorAll('#panel .card table').length > 3", seconds=180)
    text = page.run("return document.getElementById('panel').textContent")
    assert "refined" in text
    assert "95 % interval" in text
    assert "is better" in text


def test_before_and_after(page):
    page.model("refined")
    page.tab("refine")
    page.until("return document.querySelectorAll('.pairs canvas').length === 12")
    page.until("return document.querySelectorAll('svg .curve').length === 3")


def test_tabs_by_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.model("rows-model")
    page.tab("samples")
    page.find("#tab-samples")[0].send_keys(Keys.ARROW_RIGHT)
    page.until("return document.activeElement.id === 'tab-ask'")
    page.until("return document.querySelectorAll('.column').length === 4")
    reached = set()
    for _ in range(12):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(page.run("return document.activeElement.tagName"))
    assert {"BUTTON", "INPUT"} <= reached


@pytest.fixture(scope="module")
def axe():
    """The text of axe-core, which npm has."""
    folder = os.environ.get("AXE_CORE")
    if folder is None:
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("there is no npm to get axe-core with")
        place = Path(os.environ["XDG_CACHE_HOME"]) / "axe"
        place.mkdir(parents=True, exist_ok=True)
        words = [npm, "install", "--no-save", "--ignore-scripts", "axe-core@4"]
        done = subprocess.run(words, cwd=place, capture_output=True, timeout=120)
        if done.returncode:
            pytest.skip("npm does not get axe-core")
        folder = place / "node_modules" / "axe-core"
    return (Path(folder) / "axe.min.js").read_text()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
def test_axe_finds_nothing_serious(studio, axe, size, dark):
    need_browser()
    page = Browser(studio.address, size, dark)
    waits = {
        "samples": "table, .tiles img", "ask": ".column svg", "mix": ".tiles.close img",
        "edit": ".tiles.close img", "refine": "button", "strange": "svg rect",
        "compare": "button",
    }  # fmt: skip
    try:
        for model in ("rows-model", "glow", "refined", "length-model"):
            page.model(model)
            for tab in page.run(
                "return [...document.querySelectorAll('[role=tab]')].map(t => t.id)"
            ):
                name = tab.removeprefix("tab-")
                page.tab(name)
                page.until(
                    "return document.querySelector('#panel').querySelector(arguments[0])",
                    waits[name],
                )
                wide = page.run("return document.documentElement.scrollWidth <= innerWidth")
                assert wide, f"{model} {name} is wider than the window"
                found = page.driver.execute_cdp_cmd(
                    "Runtime.evaluate",
                    {
                        "expression": (
                            (axe if page.run("return !window.axe") else "")
                            + ";axe.run(document, {resultTypes: ['violations']}).then(r => "
                            "JSON.stringify(r.violations.filter(v => ['serious', 'critical']"
                            ".includes(v.impact)).map(v => [v.id, v.nodes.map(n => n.html + "
                            "n.failureSummary).slice(0, 3)])))"
                        ),
                        "awaitPromise": True,
                    },
                )
                assert found["result"]["value"] == "[]", (model, name, found["result"]["value"])
        assert page.problems() == []
    finally:
        page.close()
