"""A fit is of the rows, in whatever order they come: also where noise is drawn within cells."""

import numpy as np
import pandas as pd
import pytest

import pushforward


def table(n=90):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "count": rng.integers(0, 6, n),
            "word": rng.choice(list("uvwxyz"), n),
            "large": rng.integers(0, 50, n),
            "a": rng.standard_normal(n).round(2),
        }
    )


MODELS = {
    "GIS": lambda: pushforward.GIS(max_layers=3, random_state=0),
    "holes": lambda: pushforward.GIS(max_layers=3, missing="model", random_state=0),
    "TableFlow": lambda: pushforward.TableFlow(steps=4, random_state=0),
    "contamination": lambda: pushforward.GIS(max_layers=2, contamination=0.1, random_state=0),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", MODELS)
def test_scores_do_not_depend_on_the_order_of_rows(kind, weighted):
    X, rng = table(), np.random.default_rng(1)
    weight = rng.random(len(X)) if weighted else None
    if kind == "holes":
        X = X.astype({"count": float})
        X.loc[::7, "count"] = np.nan
    order = rng.permutation(len(X))
    first = MODELS[kind]().fit(X, sample_weight=weight)
    shuffled = X.iloc[order].reset_index(drop=True)
    second = MODELS[kind]().fit(shuffled, sample_weight=None if weight is None else weight[order])
    assert np.array_equal(first.score_samples(X), second.score_samples(X))
    assert first.held_out_ == second.held_out_
    whole = X.notna().all(axis=1)  # densities of rows with holes are estimated, batch by batch
    again = first.score_samples(X[whole].iloc[::-1])
    assert np.array_equal(first.score_samples(X[whole]), again[::-1])
