"""What is cited: the papers of the measures that were taken, whole entries, each once."""

import re

import pytest

from pushforward import citations
from pushforward.metrics import LIMITATIONS, Comparison, Evaluation, Measure
from pushforward.metrics.measure import entry_of
from pushforward.metrics.references import PAPERS, papers_of


def test_every_key_has_an_entry_and_every_measure_is_known():
    keys = {key for found in PAPERS.values() for key in found}
    text = citations.bibtex(sorted(keys))
    assert re.findall(r"^@\w+\{(\w+),$", text, re.MULTILINE) == sorted(keys)
    assert all(entry_of(LIMITATIONS, n) or f"{n}_1" in LIMITATIONS for n in PAPERS)


@pytest.mark.parametrize("key", sorted(citations._ENTRIES))
def test_an_entry_is_whole(key):
    text = citations.bibtex([key])
    assert f"{{{key},\n" in text
    assert text.isascii()
    assert text.count("{") == text.count("}")
    year = re.search(r"year = \{(\d{4})\}", text)[1]
    first = re.search(r"author = \{(.+?),", text)[1]
    plain = re.sub(r"\\[a-z]\b|[^A-Za-z]", "", first).lower()
    assert year in key
    assert key.startswith(plain)
    assert re.search(r"(booktitle|journal) = ", text)


def test_features_and_their_resizing_are_cited_too():
    clean = {
        "features": "inception-v3-2015-12-05",
        "preprocessing": "299x299 bicubic, antialiased, in floating point, clipped to 0..255; ...",
    }
    first = {"features": clean["features"], "preprocessing": "299x299 bilinear, not antialiased"}
    keys = ["heusel2017gans", "szegedy2016rethinking"]
    assert papers_of([Measure("fid", 1.0, details=clean)]) == [*keys, "parmar2022aliased"]
    assert papers_of([Measure("fid", 1.0, details=first)]) == keys
    resnet = {"features": "cifar10-resnet20"}
    assert "he2016deep" in papers_of([Measure("kid", 1.0, details=resnet)])


def test_names_with_brackets_and_numbers_find_theirs():
    assert papers_of([Measure("auroc [typicality]", 0.5)]) == ["nalisnick2019detecting"]
    assert papers_of([Measure("auroc [level 2]", 0.5)]) == []
    assert papers_of([Measure("js_6", 0.5)]) == ["gulrajani2017improved"]


def test_evaluations_and_comparisons_cite_each_paper_once():
    one = Evaluation((Measure("precision", 1.0), Measure("recall", 1.0)), "rows")
    two = Evaluation((Measure("recall", 1.0), Measure("kid", 0.0)), "rows")
    assert one.cite() == citations.bibtex(["kynkaanniemi2019improved"])
    assert Comparison({"a": one, "b": two}).cite().count("@") == 2
    assert Evaluation((), "rows").cite() == ""
