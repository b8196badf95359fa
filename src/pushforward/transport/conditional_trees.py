"""The conditional distribution of one discrete value given others: bagged trees that hold values.

Each tree is a CART (Breiman, Friedman, Olshen & Stone, *Classification and Regression Trees*,
1984) grown on a bootstrap sample; its nodes keep the values of the rows that fall into them. The
probability of a value is that of its leaf, smoothed towards those of the nodes above it,
``P_node = (count + m P_parent) / (rows + m)``, down from the margin (as in Buntine, *Learning
classification trees*, 1992), and averaged over trees. Drawing a value from a leaf is how CART
makes synthetic data (Reiter, *Using CART to generate partially synthetic public use microdata*,
2005); here the same distribution has its density, exactly.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["ConditionalTrees"]

_MOST_FEATURES = 24  # that a split looks at: of more, another third each time, if that is more
_TREE_ROWS = 40_000
_CLASSES = 20  # an ordered value with more is a number to the trees
_MOST_CELLS, _CELLS_A_ROW = 1 << 21, 16  # nodes times values that a table is made of, by what asks
_STEPS = 3  # down a tree, before those that have come to a leaf are left out
_MOST_CLASSES = 256  # categories that splits tell apart; the rarest of more are one to them


class ConditionalTrees(nn.Module):
    """P(value | features) for whole numbers 0 to V - 1; build it with :meth:`fit`.

    Buffers: ``base`` (V,) the margin; ``strength`` () the pseudo-counts m; ``roots`` (T,) first
    node of each tree; of all nodes ``feature`` (-1 for leaves), ``threshold``, ``left``,
    ``right``, ``start``, ``stop``; ``held`` the values of all trees, a node's from ``start`` to
    ``stop``.
    """

    base: Tensor
    strength: Tensor
    roots: Tensor
    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    start: Tensor
    stop: Tensor
    held: Tensor

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        for name in self.__annotations__:
            self.register_buffer(name, parts[name])
        size = len(self.held)
        self._size = size
        self._keys = (self.held * size + torch.arange(size)).sort().values
        self._rows = (self.stop - self.start).to(self.base.dtype)
        inner = torch.nonzero(self.feature >= 0)[:, 0]
        self._parent = torch.full_like(self.left, -1)
        self._parent[self.left[inner]] = inner
        self._parent[self.right[inner]] = inner
        self._levels = self._by_level()
        self._ways = _Ways(self._levels, self.feature, self.threshold, self.left)
        self._table: Tensor | None = None

    @classmethod
    def fit(
        cls,
        features: Tensor,
        value: Tensor,
        base: Tensor,
        *,
        ordered: bool,
        leaf: int,
        strength: float,
        count: int,
        seed: int,
    ) -> "ConditionalTrees":
        """Grow trees.

        Args:
            features: (n, F) float32; F may be 0, then there are none.
            value: (n,) int64 in [0, V).
            base: (V,) float64, the margin: positive, sums to one.
            ordered: whether neighbouring values are alike.
            leaf: fewest rows of a leaf.
            strength: pseudo-counts m of the node above.
            count: how many trees.
            seed: of bootstrap samples.
        """
        x, y = features.numpy(), value.numpy()
        rng = np.random.default_rng(seed)
        trees, rows = [], []
        for _ in range(count if x.shape[1] else 0):
            drawn, kept = _bootstrap(len(y), rng)
            trees.append(_grown(x, y, drawn, leaf, ordered, rng))
            rows.append((x[kept], y[kept]))
        return cls(**_packed(trees, rows, base, strength))

    @classmethod
    def held_out(
        cls,
        features: Tensor,
        value: Tensor,
        base: Tensor,
        *,
        ordered: bool,
        leaves: Sequence[int],
        strengths: Sequence[float],
        split: tuple[Tensor, Tensor],
        count: int,
        seed: int,
    ) -> Tensor:
        """Held-out log probabilities of trees, for several sizes of leaves and of smoothing.

        Args:
            leaves, strengths: what is tried, each with each.
            split: indices of the rows that trees are grown on, and of the m that they judge.

        Returns:
            (L, S, m) probabilities of the values of the latter rows.
        """
        x, y = features.numpy(), value.numpy()
        train, out = (part.numpy() for part in split)
        rng = np.random.default_rng(seed)
        found = []
        for leaf in leaves:
            drawn = [train[rng.integers(0, len(train), len(train))] for _ in range(count)]
            trees = [_grown(x, y, rows, leaf, ordered, rng) for rows in drawn]
            model = cls(**_packed(trees, [(x[train], y[train])] * count, base, 1.0))
            m = torch.tensor(strengths, dtype=torch.float64)
            found.append(model._smoothed(features[out], value[out], m).T)
        return torch.stack(found)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> "ConditionalTrees":
        """Rebuild from the tensors of ``state_dict()``.

        Raises:
            ValueError: for tensors that are no trees.
        """
        nodes, size = len(state["feature"]), len(state["held"])
        base, strength, roots = state["base"], state["strength"], state["roots"]
        whole = ("feature", "left", "right", "start", "stop")
        refused = ValueError("the trees of a conditional distribution are not trees")
        if any(state[part].shape != (nodes,) for part in (*whole, "threshold")) or any(
            state[part].dtype != torch.long for part in (*whole, "roots", "held")
        ):
            raise refused
        inner = state["feature"] >= 0
        place = torch.arange(nodes)[inner]
        left, right = state["left"][inner], state["right"][inner]
        sound = (
            # children come after their node, so that every way down ends; none has two parents
            bool((left > place).all() and (right > place).all())
            and bool((left < nodes).all() and (right < nodes).all())
            and bool(((roots >= 0) & (roots < nodes)).all())
            and bool((torch.bincount(torch.cat([left, right, roots]), minlength=nodes) == 1).all())
            and bool(((state["start"] >= 0) & (state["start"] <= state["stop"])).all())
            and bool((state["stop"] <= size).all())
            and bool(((state["held"] >= 0) & (state["held"] < len(base))).all())
            and strength.shape == ()
            and bool((base > 0).all() and strength > 0 and strength.isfinite())
            and bool((base.sum() - 1).abs() < 1e-6 and state["threshold"].isfinite().all())
        )
        if not sound:
            raise refused
        return cls(**state)

    def log_prob(self, features: Tensor, value: Tensor) -> Tensor:
        """Log probability of the values: (n, F) float32 and (n,) int64 -> (n,) float64."""
        n, trees, values = len(value), len(self.roots), len(self.base)
        cells = len(self.feature) * values
        if self._table is None and 0 < cells <= min(_MOST_CELLS, _CELLS_A_ROW * n * trees):
            self._table = self._of_all()
        if self._table is None:
            return self._smoothed(features, value, self.strength[None])[:, 0].log()
        node = self._ways.leaves(features).view(trees, n)
        return self._table.take(node * values + value).mean(0).log()

    def _by_level(self) -> list[Tensor]:
        """The nodes of all trees, level by level; those of one parent side by side."""
        levels, level = [], self.roots
        while len(level):
            levels.append(level)
            above = level[self.feature[level] >= 0]
            level = torch.stack([self.left[above], self.right[above]], dim=1).flatten()
        return levels

    def _of_all(self) -> Tensor:
        """Probability of each value in each node, (nodes, V): as :meth:`_of_nodes`, downwards."""
        values = len(self.base)
        leaf = torch.nonzero(self.feature < 0)[:, 0]
        rows = self.stop[leaf] - self.start[leaf]
        leaf_of, first = leaf.repeat_interleave(rows), self.start[leaf] - rows.cumsum(0) + rows
        place = torch.arange(len(leaf_of)) + first.repeat_interleave(rows)
        cells = leaf_of * values + self.held[place]
        p = torch.bincount(cells, minlength=len(self.feature) * values).to(self.base.dtype)
        p = p.view(-1, values)
        for level in reversed(self._levels[1:]):
            p.index_add_(0, self._parent[level], p[level])
        for level in self._levels:
            parent = self._parent[level]
            above = p[parent] if bool(parent[0] >= 0) else self.base
            p[level] = (p[level] + self.strength * above) / (self._rows[level] + self.strength)[
                :, None
            ]
        return p

    def _smoothed(self, features: Tensor, value: Tensor, strengths: Tensor) -> Tensor:
        """Probability of the values (n,) for each of s pseudo-counts m: (n, s)."""
        base = self.base[value][:, None].expand(-1, len(strengths))
        if not len(self.roots):
            return base
        n, trees = len(value), len(self.roots)
        node = self._ways.leaves(features)
        # many rows ask the same of the same leaf
        asked, place = (node * len(self.base) + value.repeat(trees)).unique(return_inverse=True)
        p = self._of_nodes(asked // len(self.base), asked % len(self.base), strengths)
        return p[place].view(trees, n, len(strengths)).mean(0)

    def _of_nodes(self, node: Tensor, value: Tensor, strengths: Tensor) -> Tensor:
        """Probability of values (m,) in nodes (m,) for each of s pseudo-counts: (m, s).

        Downwards from the root, as :meth:`_of_all` does, to the same last digit.
        """
        ways, first = [(torch.arange(len(node)), node)], value * self._size
        while len(node):
            open_, node = ways[-1][0], self._parent[node]
            above = node >= 0
            open_, node = open_[above], node[above]
            ways.append((open_, node))
        p = self.base[value][:, None].repeat(1, len(strengths))
        for open_, node in reversed(ways):
            below = torch.searchsorted(self._keys, first[open_] + self.start[node])
            upto = torch.searchsorted(self._keys, first[open_] + self.stop[node])
            count, rows = (upto - below)[:, None], self._rows[node][:, None]
            p[open_] = (count + strengths * p[open_]) / (rows + strengths)
        return p

    def sample(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a value for each row of features: (n, F) float32 -> (n,) int64."""
        n = len(features)
        if not len(self.roots):
            return torch.multinomial(self.base, n, replacement=True, generator=generator)
        tree = torch.randint(len(self.roots), (n,), generator=generator)
        node = self._ways.leaves(features, tree)
        value = torch.full((n,), -1)
        open_ = torch.arange(n)
        while len(open_):  # from the leaf upwards, as the smoothing goes downwards
            at = node[open_]
            rows = self._rows[at]
            stays = torch.rand(len(open_), generator=generator) < rows / (rows + self.strength)
            u = torch.rand(len(open_), generator=generator, dtype=torch.float64)
            place = self.start[at] + (u * rows).long().clamp_max_(self._size - 1)
            value[open_[stays]] = self.held[place[stays]]
            open_, above = open_[~stays], self._parent[at[~stays]]
            node[open_] = above
            ended = above < 0
            if bool(ended.any()):
                drawn = torch.multinomial(
                    self.base, int(ended.sum()), replacement=True, generator=generator
                )
                value[open_[ended]] = drawn
                open_ = open_[~ended]
        return value


class _Ways:
    """The ways down some trees, with nodes numbered by level and the two of a parent in a row.

    So that a step is ``left + (x > threshold)``; a leaf leads to itself.
    """

    def __init__(
        self, levels: list[Tensor], feature: Tensor, threshold: Tensor, left: Tensor
    ) -> None:
        self._node = torch.cat(levels) if levels else left
        place = torch.empty_like(self._node)
        place[self._node] = torch.arange(len(place))
        feature = feature[self._node]
        self._inner = feature >= 0
        self._feature = feature.clamp_min(0)
        self._left = place[torch.where(self._inner, left[self._node], self._node)]
        # a number in single precision is beyond a threshold if it is beyond the next one below it
        exact = threshold[self._node]
        single = exact.float()
        above = single.double() > exact
        single[above] = single[above].nextafter(single.new_tensor(-torch.inf))
        self._threshold = torch.where(self._inner, single, torch.inf)
        self._trees = len(levels[0]) if levels else 0

    def leaves(self, features: Tensor, tree: Tensor | None = None) -> Tensor:
        """The leaves in which rows (n, F) end: of a tree each (n,), or of all in turn."""
        n = len(features)
        rows = torch.arange(n)
        if tree is None:
            tree = torch.arange(self._trees).repeat_interleave(n)
            rows = rows.repeat(self._trees)
        flat, first = features.flatten(), rows * features.shape[1]
        result, place, at = tree.clone(), tree, torch.arange(len(tree))
        while len(at):
            for _ in range(_STEPS):
                x = flat.take(first + self._feature.take(place))
                place = self._left.take(place) + (x > self._threshold.take(place))
            result[at] = place
            inner = torch.nonzero(self._inner.take(place))[:, 0]
            at, first, place = at.take(inner), first.take(inner), place.take(inner)
        return self._node.take(result)


def _bootstrap(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows to grow a tree on, and rows whose values it keeps."""
    kept = np.arange(n) if n <= _TREE_ROWS else rng.permutation(n)[:_TREE_ROWS]
    return kept[rng.integers(0, len(kept), len(kept))], kept


def _grown(
    x: np.ndarray, y: np.ndarray, drawn: np.ndarray, leaf: int, ordered: bool, rng: Any
) -> Any:
    """A tree on the rows ``drawn``: by classes, or by ranks where there are many in an order."""
    from sklearn import config_context
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    width = x.shape[1]
    most = width if width <= _MOST_FEATURES else max(_MOST_FEATURES, width // 3)
    options: dict[str, Any] = {
        "min_samples_leaf": leaf,
        "max_features": most,
        "random_state": int(rng.integers(2**31)),
    }
    target = y[drawn]
    if ordered and len(np.unique(target)) > _CLASSES:
        count = np.bincount(target)
        rank = count.cumsum() - 0.5 * count
        tree: Any = DecisionTreeRegressor(**options)
        target = rank[target]
    else:
        tree = DecisionTreeClassifier(criterion="entropy", **options)
        target = np.minimum(target, _MOST_CLASSES)  # categories come in order of frequency
    with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
        # unchecked parameters save a third of the time of small trees
        warnings.filterwarnings("ignore", message="The number of unique classes")
        return tree.fit(np.ascontiguousarray(x[drawn]), target, check_input=False).tree_


def _packed(
    trees: list[Any], rows: list[tuple[np.ndarray, np.ndarray]], base: Tensor, strength: float
) -> dict[str, Tensor]:
    """Trees and the rows whose values they keep as the tensors of :class:`ConditionalTrees`."""
    parts: dict[str, list[np.ndarray]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "start", "stop", "held")
    }
    roots, nodes, held = [], 0, 0
    for tree, (x, y) in zip(trees, rows, strict=True):
        inner = tree.children_left >= 0
        leaf_of = tree.apply(x)
        order = np.argsort(leaf_of, kind="stable")  # scikit-learn numbers nodes depth first
        count = np.bincount(leaf_of, minlength=tree.node_count)
        before = np.concatenate([[0], count.cumsum()])
        last = _last_below(tree)
        parts["feature"].append(np.where(inner, tree.feature, -1))
        parts["threshold"].append(np.where(inner, tree.threshold, 0.0))
        parts["left"].append(np.where(inner, tree.children_left + nodes, -1))
        parts["right"].append(np.where(inner, tree.children_right + nodes, -1))
        parts["start"].append(held + before[:-1])
        parts["stop"].append(held + before[last + 1])
        parts["held"].append(y[order])
        roots.append(nodes)
        nodes, held = nodes + tree.node_count, held + len(y)
    joined = {
        name: torch.from_numpy(
            np.concatenate(part).astype(np.float64 if name == "threshold" else np.int64)
        )
        if part
        else torch.zeros(0, dtype=torch.float64 if name == "threshold" else torch.long)
        for name, part in parts.items()
    }
    return joined | {
        "base": base.to(torch.float64),
        "strength": torch.tensor(strength, dtype=torch.float64),
        "roots": torch.tensor(roots, dtype=torch.long),
    }


def _last_below(tree: Any) -> np.ndarray:
    """The last node of each node's subtree: nodes are numbered depth first."""
    last = np.arange(tree.node_count)
    for node in range(tree.node_count - 1, -1, -1):
        if tree.children_left[node] >= 0:
            last[node] = last[tree.children_right[node]]
    return last
