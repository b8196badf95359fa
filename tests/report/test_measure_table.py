"""The table of measures: who is best, and who is not told apart from the best."""

from pushforward.metrics import Comparison, Evaluation, Measure
from pushforward.report.measure_table import measure_lines, provenance, skipped, verdicts


def comparison(*values, better="lower", half=0.5):
    return Comparison(
        {
            f"m{i}": Evaluation(
                (Measure("fid", v, (v - half, v + half), better, {"n_real": 9, "seed": 1}),),
                "rows", f"m{i}", {"ood": "it needs other="},
            )
            for i, v in enumerate(values)
        }
    )  # fmt: skip


def marks(found):
    return [cell.mark for cell in measure_lines(found)[0].cells]


def test_best_and_tied():
    assert marks(comparison(1.0, 1.9, 5.0)) == ["best", "tied", ""]
    assert marks(comparison(1.0, 1.9, 5.0, better="higher")) == ["", "", "best"]
    assert marks(comparison(1.0, 1.0, 5.0)) == ["tied", "tied", ""]
    assert marks(comparison(1.0)) == [""]
    assert marks(comparison(1.0, 2.0, better=None)) == ["", ""]


def test_places_lie_on_one_axis():
    for cell in measure_lines(comparison(1.0, 1.9, 5.0))[0].cells:
        value, low, high = cell.places
        assert 0 < low < value < high < 100


def test_verdicts_count():
    found = comparison(1.0, 1.9, 5.0)
    told = {name: text for name, _, text in verdicts(measure_lines(found))}
    assert told["m0"] == "is best in 1 of 1 measures."
    assert told["m1"] == "is best in 0 of 1 measures; not told from the best in 1."
    clear = {name: text for name, _, text in verdicts(measure_lines(comparison(1.0, 5.0)))}
    assert clear["m0"] == "is best in 1 of 1 measures, beyond doubt in 1."
    assert verdicts(measure_lines(comparison(1.0))) == []


def test_reasons_are_told_once_and_provenance_for_each():
    found = comparison(1.0, 2.0)
    assert skipped(found) == [("Other data", "it needs other=")]
    table = provenance(found)
    assert len(table.lines) == 2
    assert table.lines[0][2] == "9"
