"""The density ratio by boosted trees: of mixed rows, which are weighed and not moved."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..storage.weights import CheckedModule

__all__ = ["Numbers", "TreeRatio"]

Numbers = Callable[[Tensor], np.ndarray]

_TREES, _DEPTH, _RATE = 150, 4, 0.1
_LEAF, _SUBSAMPLE = 10, 0.5
_MOST = 5000, 20_000  # real and generated rows that trees learn from
_LEAF_NODE = -1


class TreeRatio(CheckedModule):
    """Logit of real against generated rows of a table, by gradient-boosted trees.

    Categories are numbers here, and what happens at one value or at one pair of them is one or
    two splits of a tree where a network would have to bend. The logit has no gradient.

    Source: Friedman, "Greedy function approximation: a gradient boosting machine", 2001;
    "Stochastic gradient boosting", 2002.

    Args:
        trees, nodes: how many trees, and the most nodes of one.
        numbers: of rows (n, ...), what the trees see (n, p).
    """

    feature: Tensor
    threshold: Tensor
    branches: Tensor
    value: Tensor

    def __init__(self, trees: int, nodes: int, numbers: Numbers | None = None) -> None:
        super().__init__()
        self.numbers = numbers
        self.register_buffer("feature", torch.full((trees, nodes), _LEAF_NODE))
        self.register_buffer("threshold", torch.zeros(trees, nodes, dtype=torch.float64))
        self.register_buffer("branches", torch.zeros(trees, nodes, 2, dtype=torch.int64))
        self.register_buffer("value", torch.zeros(trees, nodes, dtype=torch.float64))

    def check_weights(self) -> None:
        """Refuse branches to nodes that are not there.

        Raises:
            ValueError: with what is wrong.
        """
        nodes = self.value.shape[1]
        if not bool(((self.branches >= 0) & (self.branches < nodes)).all()):
            raise ValueError("a branch of a tree leads to no node")

    @classmethod
    def fit(
        cls,
        real: Tensor,
        generated: Tensor,
        numbers: Numbers,
        seed: int,
        minutes: float | None = None,
    ) -> "TreeRatio":
        """Learn to distinguish real from generated rows, as if there were as many of both.

        Args:
            real, generated: (n, ...) and (m, ...); the first 5,000 and 20,000 count.
            numbers: what the trees see of them.
            seed: of the rows that each tree learns from.
            minutes: time to stop after, with the trees there are then.
        """
        from sklearn.ensemble import GradientBoostingClassifier

        deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
        parts = [
            _single(numbers(rows[:most]))
            for rows, most in zip((real, generated), _MOST, strict=True)
        ]
        label = np.repeat([1, 0], [len(part) for part in parts])
        weight = np.repeat([len(label) / 2 / len(part) for part in parts], [*map(len, parts)])
        fitted = GradientBoostingClassifier(
            n_estimators=_TREES, learning_rate=_RATE, max_depth=_DEPTH, subsample=_SUBSAMPLE,
            min_samples_leaf=_LEAF, init="zero", random_state=seed,
        ).fit(
            np.concatenate(parts), label, sample_weight=weight,
            monitor=lambda *state: time.monotonic() > deadline,
        )  # fmt: skip
        trees = [tree.tree_ for tree in np.asarray(fitted.estimators_)[:, 0]]
        ratio = cls(len(trees), max(tree.node_count for tree in trees), numbers)
        for k, tree in enumerate(trees):
            n = tree.node_count
            inner = tree.children_left != tree.children_right
            ratio.feature[k, :n] = torch.from_numpy(np.where(inner, tree.feature, _LEAF_NODE))
            ratio.threshold[k, :n] = torch.from_numpy(tree.threshold)
            both = np.stack([tree.children_left, tree.children_right], axis=1)
            ratio.branches[k, :n] = torch.from_numpy(np.where(inner[:, None], both, 0))
            ratio.value[k, :n] = _RATE * torch.from_numpy(tree.value[:, 0, 0])
        return ratio.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """The logit (n,), log of real over generated density."""
        assert self.numbers is not None
        numbers = torch.from_numpy(_single(self.numbers(x))).to(self.value)
        tree = torch.arange(len(self.feature), device=numbers.device)
        node = torch.zeros(len(numbers), len(tree), dtype=torch.int64, device=numbers.device)
        for _ in range(_DEPTH):
            feature = self.feature[tree, node]
            right = numbers.gather(1, feature.clamp(min=0)) > self.threshold[tree, node]
            node = torch.where(feature < 0, node, self.branches[tree, node, right.long()])
        return self.value[tree, node].sum(dim=1).to(x)

    def to_config(self) -> dict[str, Any]:
        """What :func:`network_of` needs besides the values of the nodes."""
        trees, nodes = self.feature.shape
        return {"kind": "trees", "trees": trees, "nodes": nodes}


def _single(numbers: np.ndarray) -> np.ndarray:
    """Numbers in single precision, which scikit-learn's trees have; the largest as the largest."""
    most = np.finfo(np.float32).max
    return numbers.clip(-most, most).astype(np.float32)
