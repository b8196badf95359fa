"""Sums of regression trees as tensors: extremely randomised trees, and boosted ones.

Trees are grown by scikit-learn and kept as tensors, so that a model folder holds no pickle and
a prediction needs nothing but torch. Sources: Geurts, Ernst & Wehenkel, *Extremely randomized
trees*, 2006; Friedman, *Stochastic gradient boosting*, 2002.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["TreeEnsemble"]

_BLOCK = 1 << 22  # places of rows in trees that are held at once
_MOST_ROWS = 50_000  # that trees are grown on
_BOOSTED_ROWS = 5_000  # rows a boosted tree is grown on, at most
_DEPTH, _SUBSAMPLE = 4, 0.5


class TreeEnsemble(nn.Module):
    """``offset + sum_t tree_t(x)``, each tree with K outputs; build it with a class method.

    Buffers: ``offset`` (K,); ``roots`` (T,) the first node of each tree; of all nodes ``feature``
    (-1 for leaves), ``threshold``, ``left``, ``right`` and ``value`` (nodes, K).
    """

    offset: Tensor
    roots: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        for name in self.__annotations__:
            self.register_buffer(name, parts[name])

    @classmethod
    def randomised(
        cls, features: Tensor, y: Tensor, *, count: int, leaf: int, seed: int
    ) -> "TreeEnsemble":
        """The mean of ``count`` extremely randomised trees.

        Args:
            features: (n, F) float32.
            y: (n,) or (n, K) float64.
            count: number of trees.
            leaf: fewest rows of a leaf.
            seed: of everything random.
        """
        from sklearn.ensemble import ExtraTreesRegressor

        x, target = _some(features, y, seed)
        forest = ExtraTreesRegressor(
            count, min_samples_leaf=leaf, max_features=0.5, random_state=seed
        ).fit(x, target)
        trees = [one.tree_ for one in forest.estimators_]
        return cls(**_packed(trees, np.zeros(target[0].size), 1 / count))

    @classmethod
    def boosted(
        cls, features: Tensor, y: Tensor, *, count: int, rate: float, seed: int
    ) -> "TreeEnsemble":
        """Gradient boosting of the squared error by ``count`` trees.

        Args:
            features, y, count, seed: as of :meth:`randomised`; y of shape (n,).
            rate: learning rate.
        """
        from sklearn.ensemble import GradientBoostingRegressor

        x, target = _some(features, y, seed)
        model = GradientBoostingRegressor(
            n_estimators=count, learning_rate=rate, max_depth=_DEPTH, random_state=seed,
            subsample=min(_SUBSAMPLE, _BOOSTED_ROWS / len(x)), min_samples_leaf=3,
        ).fit(x, target)  # fmt: skip
        trees = [one.tree_ for one in model.estimators_[:, 0]]
        return cls(**_packed(trees, target.mean(keepdims=True), rate))

    @classmethod
    def from_state(cls, state: dict[str, Tensor], features: int) -> "TreeEnsemble":
        """Rebuild from the tensors of ``state_dict()``.

        Args:
            state: the tensors.
            features: number of features that the trees may ask for.

        Raises:
            ValueError: for tensors that are no such trees.
        """
        nodes = len(state["feature"])
        feature, left, right, roots = (state[k] for k in ("feature", "left", "right", "roots"))
        whole = (feature, left, right)
        if (
            any(part.shape != (nodes,) or part.dtype != torch.long for part in whole)
            or roots.dtype != torch.long
            or roots.ndim != 1
            or state["threshold"].shape != (nodes,)
            or state["offset"].ndim != 1
            or state["value"].shape != (nodes, len(state["offset"]))
        ):
            raise ValueError("the trees of a regression have tensors of other shapes")
        inner = feature >= 0
        place = torch.arange(nodes)[inner]
        below = torch.cat([left[inner], right[inner], roots])
        sound = (
            # children come after their node, so that every way down ends; none has two parents
            bool((left[inner] > place).all() and (right[inner] > place).all())
            and bool(((below >= 0) & (below < nodes)).all())
            and bool((torch.bincount(below, minlength=nodes) == 1).all())
            and bool(((feature >= -1) & (feature < features)).all())
            and all(bool(state[k].isfinite().all()) for k in ("threshold", "value", "offset"))
        )
        if not sound:
            raise ValueError("the trees of a regression are not trees")
        return cls(**state)

    def first(self, count: int) -> "TreeEnsemble":
        """The ensemble of the first ``count`` trees, which for boosting is an earlier stage."""
        end = int(self.roots[count]) if count < len(self.roots) else len(self.feature)
        parts = {name: vars(self)["_buffers"][name] for name in self.__annotations__}
        nodes = ("feature", "threshold", "left", "right", "value")
        kept = {name: parts[name][:end].clone() for name in nodes}
        return type(self)(**parts | kept | {"roots": self.roots[:count].clone()})

    def forward(self, features: Tensor) -> Tensor:
        """Sum of the trees: (n, F) float32 -> (n, K) float64."""
        return self.staged(features, (len(self.roots),))[0]

    def staged(self, features: Tensor, counts: Sequence[int]) -> Tensor:
        """Sums of the first trees, for some numbers of them in rising order: (S, n, K)."""
        stages = features.new_zeros(len(counts), len(features), len(self.offset)).double()
        size = max(1, _BLOCK // max(1, len(self.roots)))
        for start in range(0, len(features), size):
            rows = features[start : start + size]
            leaf = self._leaves(rows)
            before = 0
            total = self.offset.expand(len(rows), -1)
            for s, count in enumerate(counts):
                total = total + self.value[leaf[before:count]].sum(0)
                stages[s, start : start + size] = total
                before = count
        return stages

    def _leaves(self, features: Tensor) -> Tensor:
        """The leaf of each row in each tree: (n, F) -> (T, n)."""
        n, trees = len(features), len(self.roots)
        node = self.roots.repeat_interleave(n)
        at = torch.arange(n * trees)
        while len(at):
            now = node[at]
            feature = self.feature[now]
            inner = feature >= 0
            at, now, feature = at[inner], now[inner], feature[inner]
            goes_left = features[at % n, feature] <= self.threshold[now]
            node[at] = torch.where(goes_left, self.left[now], self.right[now])
        return node.view(trees, n)


def _some(features: Tensor, y: Tensor, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows as scikit-learn takes them, some of very many."""
    if len(features) > _MOST_ROWS:
        generator = torch.Generator().manual_seed(seed)
        few = torch.randperm(len(features), generator=generator)[:_MOST_ROWS]
        features, y = features[few], y[few]
    return features.numpy(), y.numpy()


def _packed(trees: Sequence[Any], offset: np.ndarray, scale: float) -> dict[str, Tensor]:
    """Trees of scikit-learn as tensors, their values times ``scale``."""
    sizes = [tree.node_count for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    outputs = len(offset)

    def joined(parts: Sequence[np.ndarray], dtype: Any) -> Tensor:
        return torch.from_numpy(np.concatenate([np.asarray(p, dtype=dtype) for p in parts]))

    def below(children: Sequence[np.ndarray]) -> Tensor:
        moved = zip(children, roots, strict=True)
        return joined([np.where(own >= 0, own + root, -1) for own, root in moved], np.int64)

    inner = [tree.children_left >= 0 for tree in trees]
    return {
        "offset": torch.from_numpy(np.asarray(offset, dtype=np.float64)),
        "roots": torch.from_numpy(roots),
        "feature": joined(
            [np.where(i, t.feature, -1) for i, t in zip(inner, trees, strict=True)], np.int64
        ),
        "threshold": joined(
            [np.where(i, t.threshold, 0) for i, t in zip(inner, trees, strict=True)], np.float64
        ),
        "left": below([tree.children_left for tree in trees]),
        "right": below([tree.children_right for tree in trees]),
        "value": joined(
            [scale * tree.value.reshape(tree.node_count, outputs) for tree in trees], np.float64
        ),
    }
