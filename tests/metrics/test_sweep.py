"""Sweeps: runs that share their draws, failures that are told, work that is not done twice."""

import numpy as np
import pytest

import pushforward
from pushforward.errors import ParameterError, TrainingError
from pushforward.metrics import Measure, Run, Sweep, sweep
from pushforward.metrics.results import Evaluation

X = np.random.default_rng(0).normal(size=(120, 2))


def models():
    return {
        "few": pushforward.GIS(max_layers=2),
        "more": pushforward.GIS(max_layers=4),
    }


def run(model, number, value, better="lower"):
    found = Evaluation((Measure("fid", value, None, better),), "rows", model)
    return Run(model, number, {}, 0.0, found)


def test_runs_of_one_number_share_their_draw_and_the_first_has_none():
    found = sweep(models(), X[:80], X[80:], runs=3, ranges={"patience": (1, 2)}, measures=["fid"])
    drawn = {(r.model, r.number): r.parameters for r in found.runs}
    assert drawn["few", 0] == drawn["more", 0] == {}
    assert all(drawn["few", k] == drawn["more", k] != {} for k in (1, 2))
    again = sweep(models(), X[:80], X[80:], runs=3, ranges={"patience": (1, 2)}, measures=["fid"])
    assert again.best("fid") == found.best("fid")


def test_the_best_are_the_first_whichever_way_is_better():
    values = (3.0, 1.0, 2.0)
    found = Sweep(tuple(run("a", k, v) for k, v in enumerate(values)))
    assert found.best("fid", 2) == {"a": [1.0, 2.0]}
    found = Sweep(tuple(run("a", k, v, "higher") for k, v in enumerate(values)))
    assert found.best("fid", 2) == {"a": [3.0, 2.0]}


def test_saved_runs_are_taken_and_other_ones_refused(tmp_path):
    first = sweep(models(), X[:80], X[80:], runs=1, folder=tmp_path, measures=["fid"])
    told = []
    second = sweep(
        models(), X[:80], X[80:], runs=1, folder=tmp_path, measures=["fid"],
        report=lambda text, share: told.append(text),
    )  # fmt: skip
    assert first.best("fid") == second.best("fid")
    assert not any("layer" in text for text in told)
    other = {"few": pushforward.GIS(max_layers=3)}
    with pytest.raises(ParameterError, match="max_layers 2; this one has 3"):
        sweep(other, X[:80], X[80:], runs=1, folder=tmp_path)
    with pytest.raises(ParameterError, match="few-0 holds a run on other data"):
        sweep(models(), X[1:80], X[80:], runs=1, folder=tmp_path)


def test_a_run_of_a_trained_model_goes_on_from_its_own_checkpoint(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (24, 8, 8), np.uint8)

    def swept(steps, train=images[:16]):
        told = []
        model = pushforward.DCGAN(width=2, steps=steps, batch_size=4)
        found = sweep(
            {"gan": model}, train, images[16:], runs=1, measures=["fid"], features="pixels",
            folder=tmp_path, report=lambda text, share: told.append(text),
        )  # fmt: skip
        return found.best("fid"), [n for n in (1, 2, 3) if any(f"step {n}," in t for t in told)]

    first, steps = swept(2)
    assert steps == [1, 2]
    assert swept(2) == (first, [])
    assert swept(3)[1] == [3]  # a larger budget trains on
    with pytest.raises(ParameterError, match="gan-0 cannot be continued: it has other data"):
        swept(3, images[1:17])


class Breaks(pushforward.GIS):
    """Does not get far."""

    def fit(self, *arguments, **options):
        raise TrainingError("loss is not finite")


def test_a_run_that_breaks_down_is_told_and_the_others_go_on():
    both = {"good": pushforward.GIS(max_layers=2), "bad": Breaks()}
    found = sweep(both, X[:80], X[80:], runs=2, ranges={"patience": (1, 2)}, measures=["fid"])
    assert [bool(r.failed) for r in found.runs] == [False, False, True, True]
    assert found.best("fid")["bad"] == []
    assert "not finite" in str(found)
    assert found.to_frame().failed.tolist()[-1] == "loss is not finite"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runs": 0}, "runs is 0"),
        ({"ranges": {"learning_rate": (1, 2)}}, "none of the models has"),
        ({"ranges": {"patience": ()}}, "no values of 'patience'"),
    ],
)
def test_what_cannot_be_swept_is_refused(options, said):
    with pytest.raises(ParameterError, match=said):
        sweep(models(), X[:80], X[80:], **options)
