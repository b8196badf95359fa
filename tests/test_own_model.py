"""A model of one's own goes where those of the library go: evaluate, compare, refine, report."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_moons
from sklearn.neighbors import KernelDensity

import pushforward
from pushforward.data import Columns
from pushforward.estimators.capabilities import Capabilities, methods_of
from pushforward.report import page

MEASURES = ["sliced_wasserstein", "likelihood"]
X, _ = make_moons(600, noise=0.05, random_state=0)
TRAIN, NEW = X[:300], X[300:]


class Kernels:
    """Normal kernels around the training rows: no fit, no base class, only two methods."""

    def __init__(self, width=0.3):
        self.density = KernelDensity(bandwidth=width).fit(TRAIN)

    def sample(self, n_samples, random_state=None):
        return self.density.sample(n_samples, random_state)

    def score_samples(self, X):
        return self.density.score_samples(X)


class Shuffled:
    """Columns of a frame drawn one by one: what they have in common is lost."""

    def __init__(self, frame):
        self.frame, self.columns = frame, Columns.learn(frame).columns

    def sample(self, n_samples, random_state=None):
        rng = np.random.default_rng(random_state)
        drawn = {k: rng.choice(v.to_numpy(), n_samples) for k, v in self.frame.items()}
        return pd.DataFrame(drawn).astype(self.frame.dtypes)

    def capabilities(self):
        return Capabilities("table", codec=self.columns, methods=methods_of(self))


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    size = np.round(rng.normal(10, 2, 200), 1)
    names = np.where(size > 10, "large", "small")
    return pd.DataFrame({"size": size, "name": pd.Categorical(names)})


def test_it_is_evaluated_by_its_samples_and_its_log_densities():
    found = pushforward.evaluate(Kernels(), NEW, measures=MEASURES)
    values = {m.name: m.value for m in found.measures}
    assert values["nats_per_row"] == pytest.approx(Kernels().score_samples(NEW).mean())
    by_samples = pushforward.evaluate(
        Kernels().sample(len(NEW), random_state=0), NEW, measures=MEASURES[:1]
    )
    assert values["sliced_wasserstein_2"] == pytest.approx(by_samples.measures[0].value)


def test_it_is_compared_and_the_nearer_one_wins():
    both = {"near": Kernels(0.1), "far": Kernels(0.5)}
    found = pushforward.compare(both, NEW, measures=MEASURES)
    near, far = ({m.name: m.value for m in found[name].measures} for name in both)
    assert near["nats_per_row"] > far["nats_per_row"]
    assert near["sliced_wasserstein_2"] < far["sliced_wasserstein_2"]


def test_it_is_refined():
    def logit(x):  # the log ratio of two densities that are known: nothing has to be learned
        nearer = Kernels(0.1).score_samples(x) - Kernels(0.5).score_samples(x)
        return torch.from_numpy(nearer).float()

    settings = {"budget": 4.0}
    refined = pushforward.refine(
        Kernels(0.5), NEW, logit=logit, method="rejection", settings=settings
    )
    rows = refined.sample(500, random_state=0)
    before = Kernels(0.5).sample(500, 0)
    scores = [Kernels(0.1).score_samples(x).mean() for x in (before, rows)]
    assert rows.shape == (500, 2)
    assert scores[1] > scores[0] + 0.5  # nearer to the moons than without refinement
    can = refined.capabilities()
    assert (can.kind, can.density, can.codec) == ("rows", False, None)


def test_with_a_codec_its_rows_are_refined_as_those_of_a_table(frame):
    refined = pushforward.refine(Shuffled(frame), frame, method="rejection")
    rows = refined.sample(400, random_state=0)
    assert rows.dtypes.equals(frame.dtypes)
    assert refined.capabilities().kind == "table"
    wrong = [((x["size"] > 10) != (x["name"] == "large")).mean() for x in (
        Shuffled(frame).sample(400, 0), rows,
    )]  # fmt: skip
    assert wrong[0] > 0.3
    assert wrong[1] < wrong[0] / 2


def test_it_has_its_page():
    text = page(Kernels(), NEW, measures=MEASURES).html
    assert "Kernels" in text
    assert "nats_per_row" in text or "nats per row" in text
