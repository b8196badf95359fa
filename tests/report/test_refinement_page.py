"""The page on a refined model: all that was tried, pictures, and nothing from outside."""

import re

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.errors import NotFittedError, UnsupportedError
from pushforward.refinement import RefinedModel, density_ratio
from pushforward.refinement.over_optimisation import StepResult
from pushforward.report import refinement_page, refinement_sections


@pytest.fixture(autouse=True, scope="module")
def _short():
    """What the page says of a logit does not depend on how long its networks have learned."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_STEPS", "_STEPS_THAT_WEIGH"):
            patch.setattr(density_ratio, name, 50)
        yield


@pytest.fixture(scope="module")
def refined():
    rng = np.random.default_rng(0)
    X = np.clip(rng.integers(0, 256, (240, 1, 1)) + rng.integers(-9, 9, (240, 16, 16)), 0, 255)
    X = X.astype(np.uint8)
    model = pushforward.DCGAN(width=4, latent=8, steps=3, batch_size=8, random_state=0).fit(X)
    settings = {"step": 0.02, "steps": 3}
    return pushforward.refine(model, X, method="dgflow", settings=settings), X


def made(refined):
    return refinement_page(*refined, n=60, title="A & B", date="today", command="pushforward x")


@pytest.fixture(scope="module")
def page(refined):
    return made(refined)


def test_images_before_and_after_of_the_same_latents(page):
    for words in ("A &amp; B", "the same latents, moved", "by a critic logit", "Fréchet", "today"):
        assert words in page.html
    assert page.html.count("data:image/png;base64,") == 3
    assert page.html.count("data:image/svg+xml") >= 3
    assert "<script" not in page.html
    assert not re.search(r"(src|href)=\"(?!data:|#)", page.html)


def test_pairs_of_a_table_are_of_numbers_and_categories_have_shares(monkeypatch):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "kind": rng.choice(["a", "b", "c"], 400), "always": 1.0,
            "width": rng.normal(size=400), "height": rng.normal(size=400),
        }
    )  # fmt: skip
    rows.loc[:9, ["kind", "width"]] = None  # what is missing is not drawn, and no category
    base = pushforward.GIS(max_layers=1, missing="model", random_state=0).fit(rows)
    settings = {"step": 0.001, "steps": 2}
    with pytest.warns(UserWarning, match="10 of 400 real rows have missing cells"):
        model = pushforward.refine(base, rows, method="dgflow", settings=settings)
    drawn, cloud = [], refinement_sections._cloud

    def told(*arguments):
        drawn.append(tuple(arguments[4]))
        return cloud(*arguments)

    monkeypatch.setattr(refinement_sections, "_cloud", told)
    with pytest.warns(UserWarning, match="10 of 400"):
        page = refinement_page(model, rows, n=60)
    assert set(drawn) == {("width", "height")}
    assert "Shares of kind" in page.html
    shares = page.html[page.html.index("Shares of kind") :]
    assert "nan" not in shares[: shares.index("</section>")]


def test_it_is_written_whole_and_the_same_again(refined, page, tmp_path):
    path = page.save(tmp_path / "new" / "page.html")
    assert path.read_text() == page.html == made(refined).html


def test_what_is_no_refined_model_is_refused(refined):
    model, X = refined
    with pytest.raises(UnsupportedError, match="DCGAN"):
        refinement_page(model.base_, X)
    with pytest.raises(NotFittedError):
        refinement_page(RefinedModel(model.base_), X)


@pytest.mark.parametrize(("last", "words"), [(0.7, "no harm yet"), (0.95, "likes 5 steps best")])
def test_the_dial_is_told_as_it_went(last, words):
    looks = [StepResult(0, 0.1, 0.9), StepResult(5, 0.5, 0.8), StepResult(50, 0.9, last)]
    (gallery,) = refinement_sections.over_optimisation_section(looks).parts
    assert words in gallery.pictures[0].caption


def test_a_page_in_no_time_has_all_sections_and_moves_nothing_on(refined, monkeypatch):
    model, X = refined
    drawn = []
    sample = RefinedModel.sample
    monkeypatch.setattr(
        RefinedModel, "sample", lambda self, n, **how: drawn.append(n) or sample(self, n, **how)
    )
    page = refinement_page(model, X, minutes=1e-6).html
    assert max(drawn) == 40  # of the sheet
    for words in ("What was tried", "the same latents, moved", "wrong dial"):
        assert words in page
