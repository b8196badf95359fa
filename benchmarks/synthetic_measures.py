"""Samples of a table judged as users judge them, by the measures of `pushforward.evaluate`."""

import numpy as np
import pandas as pd

from pushforward.metrics import (
    broken_dependence,
    classifier_two_sample,
    column_fidelity,
    nearest_neighbour_privacy,
    train_on_synthetic,
)
from pushforward.metrics.table_encoding import TableCode


def judge(train, test, samples, target, seed):
    """All measures of samples as plain figures: of the first of them, as many as training rows.

    What real rows come to stands beside: `floor` is the two-sample test of training rows, and
    `real_...` what a model fitted on them predicts. `tstr_more` is of a model fitted on all the
    samples, where there are more of them than training rows.
    """
    everything, samples = samples, samples[: len(train)]
    code = TableCode.learn(pd.concat([train, test]))
    seen, new, drawn = (code.numbers(x) for x in (train, test, samples))
    as_many = slice(len(test))
    margins = column_fidelity(test, samples, random_state=seed).details["columns"]
    ordered = [code.ordered(j) for j in range(len(code.names))]
    far = 1 - np.array([margins[name] for name in code.names])
    broken = broken_dependence(test, samples, train=train, random_state=seed)
    near = nearest_neighbour_privacy(
        *(code.points(x) for x in (seen, new, drawn)), random_state=seed
    )
    rows = {tuple(row) for row in seen}
    row = {
        "auc": classifier_two_sample(new, drawn[as_many], random_state=seed).value,
        "floor": classifier_two_sample(new, seen[as_many], random_state=seed).value,
        **use(code, train, test, samples, target, seed),
        **use_of_more(train, test, everything, target, seed),
        "broken": broken.value,
        "impossible": broken.details["impossible"],
        "worst_pair": " ".join(broken.details["worst_pairs"][0]["columns"])
        if broken.details["pairs"]
        else "",
        "ks": float(far[ordered].mean()) if any(ordered) else None,
        "tv": float(far[np.logical_not(ordered)].mean()) if not all(ordered) else None,
        "copies": float(np.mean([tuple(row) in rows for row in drawn])),
        "copies_of_real": float(np.mean([tuple(row) in rows for row in new])),
        "closer_to_train": near.value,
    }
    distance = near.details["median_distance_held_out_to_train"]
    row["nearest_ratio"] = (
        near.details["median_distance_to_train"] / distance if distance else None
    )
    return {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()}


def use(code, train, test, samples, target, seed):
    """What models fitted on samples and on training rows predict: the target, and the mean over
    all columns of AUROC (classes) and R2 (numbers, 0 at the least)."""
    named, means = {}, []
    for name in code.names:
        if any(frame[name].nunique() < 2 for frame in (train, test)):
            continue
        details = (
            found := train_on_synthetic(
                train, samples, target=name, held_out=test, random_state=seed
            )
        ).details
        if "r2" in details:
            scores = details["r2"], details["train_real_r2"]
        else:
            scores = found.value, details["train_real"]
        means.append([max(0.0, score) for score in scores])
        if name == target:
            named = {"tstr": scores[0], "tstr_real": scores[1]}
            if "balanced_accuracy" in details:
                named["tstr_accuracy"] = details["balanced_accuracy"]
                named["tstr_real_accuracy"] = details["train_real_balanced_accuracy"]
    mean = np.mean(means, axis=0).tolist()
    return named | {"tstr_mean": mean[0], "tstr_real_mean": mean[1]}


def use_of_more(train, test, samples, target, seed):
    """What a model fitted on all the samples predicts, where they are more than training rows."""
    if len(samples) <= len(train):
        return {}
    found = train_on_synthetic(
        train, samples, target=target, held_out=test, all_rows=True, random_state=seed
    )
    details = found.details
    row = {"tstr_more": details.get("r2", found.value), "n_more": details["n_generated"]}
    if "balanced_accuracy" in details:
        row["tstr_more_accuracy"] = details["balanced_accuracy"]
    return row
