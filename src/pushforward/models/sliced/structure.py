"""One way to build a sliced density, fitted: margins or not, so many Gaussians, flows or not."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from ...storage.checkpoint import Checkpoint
from ...transport.factor_analysis import FactorAnalysis
from ...transport.margins import Margins
from ...transport.mixture import GaussianMixture
from ...transport.rows import Rows
from ...transport.sliced_density import Component, SlicedDensity
from ...transport.sliced_flow import SliceLayer
from .layer_growth import Layering, grow

__all__ = ["GAUSSIAN", "Structure", "fit_mixture", "fit_structure", "halfway_to", "wide_gaussian"]


_FAR = 3.0
_FLAT = 1e-5  # of unit variance, ten times what the mixtures add to each direction
_PRIOR_ROWS = 5
_PATIENCE = 8  # layers without a gain after which a flow is finished


@dataclass(frozen=True)
class Structure:
    """What :func:`fit_structure` builds.

    Attributes:
        margins: whether a marginal layer comes first.
        components: Gaussians in the mixture.
        shrinkage: pull of covariances to the pooled one, in rows a coordinate.
        diagonal: pull of the pooled covariance to its diagonal, 0 to 1.
        flow: whether a sliced flow follows on each component.
        factors: of a factor analysis, which the covariance of one Gaussian is then of; 0 for none.
    """

    margins: bool
    components: int = 1
    shrinkage: float = 0.0
    diagonal: float = 0.0
    flow: bool = False
    factors: int = 0

    def __str__(self) -> str:
        if self.factors:
            kind = "1 factor" if self.factors == 1 else f"{self.factors} factors"
            return f"margins, {kind}" if self.margins else kind
        if self.components == 1 and self.diagonal:
            kind = f"Gaussian, {100 * self.diagonal:g} % of it diagonal"
            kind += ", GIS" * self.flow
            return f"margins, {kind}" if self.margins else kind
        kind = "Gaussian" if self.components == 1 else f"{self.components} Gaussians"
        if self.flow:
            kind = "GIS" if self.components == 1 else f"{self.components} x GIS"
        return f"margins, {kind}" if self.margins else kind


GAUSSIAN = Structure(margins=False)
_WIDE = 3.0
_OUTSIDE = 1e-5  # share of samples a whole range outside of a coordinate


def fit_structure(
    structure: Structure,
    train: Rows,
    held_out: Rows | None,
    *,
    layering: Layering,
    seed: int,
    max_layers: int = 400,
    patience: int | None = None,
    deadline: float = math.inf,
    mixture: GaussianMixture | None = None,
    on_layer: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
    step: str = "",
    margins: Margins | None = None,
) -> SlicedDensity:
    """Fit one structure on rows that already went through their marginal layer.

    Every row goes to one component, drawn by responsibility, and trains that component's
    flow in the component's whitened coordinates; held-out rows, drawn likewise, stop it. Flows
    in the units of the table have compressed ends; behind margins, whose tails have an end,
    they would only take density from rows that are few (0.3 nats of breast cancer's).

    Args:
        structure: what to build.
        train, held_out: rows to fit on, rows to stop on (None: no flows).
        layering: how layers are made.
        seed: seed of everything random.
        max_layers, patience, deadline, on_layer: as in :func:`~.layer_growth.grow`; a patience of
            None is that of a final fit.
        checkpoint, step: where flows are kept, and the name of this fit there.
        mixture: the Gaussian mixture of the same structure and rows, where already fitted.
        margins: the layer the rows went through, to be that of the density; without it the
            density is that of the rows as they come.
    """
    d = train.x.shape[1]
    ends = train.fit_ends() if structure.flow and not structure.margins else None
    held_out = None if held_out is None else held_out.through(ends)  # the others lie inside
    if mixture is None:
        mixture = fit_mixture(
            structure,
            train,
            seed=seed,
            deadline=halfway_to(deadline) if structure.flow else deadline,
        )
    flows: list[list[SliceLayer]] = [[] for _ in range(structure.components)]
    if structure.flow and held_out is not None:
        generator = torch.Generator().manual_seed(seed)
        mine, theirs = (
            torch.multinomial(mixture.responsibilities(rows.x), 1, generator=generator)[:, 0]
            for rows in (train, held_out)
        )
        whiten = torch.linalg.solve_triangular(
            mixture.factor,
            torch.eye(d, dtype=torch.float64).expand_as(mixture.factor),
            upper=False,
        )
        for c in range(structure.components):
            parts = [rows.take(which == c) for rows, which in ((train, mine), (held_out, theirs))]
            if parts[0].distinct() < max(4 * d, 50) or len(parts[1]) < 5:
                continue  # too few rows to tell a shape from chance: the Gaussian stays
            if float(torch.linalg.svdvals(mixture.factor[c])[-1]) ** 2 < _FLAT:
                continue  # a column is a function of others: there would be no end to its gains
            inside, outside = (
                layering.divided(
                    (whiten[c] @ (rows.x - mixture.mean[c]).T).to(torch.float32), rows.weight
                )
                for rows in parts
            )
            flows[c] = grow(
                inside,
                outside,
                layering,
                generator=generator,
                max_layers=max_layers,
                patience=_PATIENCE if patience is None else patience,
                deadline=deadline,
                on_layer=on_layer,
                checkpoint=checkpoint,
                step=f"{step}/flow {c}",
            ).layers
    terms = [
        Component(float(mixture.log_weight[c]), mixture.mean[c], mixture.factor[c], flows[c])
        for c in range(structure.components)
    ]
    if held_out is not None and structure != GAUSSIAN:
        spread = _spread(terms, held_out)
        terms = [replace(term, spread=spread) for term in terms]
    return SlicedDensity.assemble(terms, margins, ends)


def fit_mixture(
    structure: Structure, train: Rows, *, seed: int, deadline: float, **options: Any
) -> GaussianMixture:
    """The Gaussians of a structure, fitted to rows behind their marginal layer.

    Args:
        structure: what to build.
        train: rows to fit on.
        seed, deadline: as of :func:`fit_structure`.
        options: of :meth:`GaussianMixture.fit`.
    """
    if structure.factors:
        known = torch.ones_like(train.x, dtype=torch.bool)
        model = FactorAnalysis.fit(train.x, known, factors=structure.factors, weight=train.weight)
        one = torch.zeros(1, dtype=train.x.dtype)
        return GaussianMixture(one, model.mean[None], model.factor[None])
    return GaussianMixture.fit(
        train.x,
        structure.components,
        shrinkage=structure.shrinkage * train.x.shape[1],
        diagonal=structure.diagonal,
        weight=train.weight,
        seed=seed,
        deadline=deadline,
        **options,
    )


def _spread(terms: list[Component], held_out: Rows) -> float:
    """Standard deviation of the latents of held-out rows, those far out counting as at three.

    Fitted rows are nearer to N(0, I) than others: covariances and layers have learned their
    chance. A density that does not widen is too sure of the others, and its samples are too much
    alike.
    """
    d = held_out.x.shape[1]
    if d == 0 or len(held_out) == 0:
        return 1.0
    density = SlicedDensity.assemble(terms)
    ordered = density.component_log_prob(held_out.x).argmax(1)
    square = density.to_latent(held_out.x, ordered).square().clamp_max(_FAR**2).mean(1)
    # with the weight of a few rows on a spread of one
    total = held_out.mean(square) * len(held_out) + _PRIOR_ROWS
    return math.sqrt(total / (len(held_out) + _PRIOR_ROWS))


def halfway_to(deadline: float) -> float:
    """The time in the middle between now and a deadline, both as of ``time.monotonic()``."""
    now = time.monotonic()
    return now + 0.5 * (deadline - now)


def wide_gaussian(rows: Rows) -> SlicedDensity:
    """A Gaussian up to three times as wide as the rows: what is unlike them is not impossible.

    With the weight of one row beside a density it keeps a single far row from outweighing all
    others in a mean log density. It is wide in the coordinates of the table: behind a marginal
    layer, whose tails grow fast, its samples could have any size. Coordinates whose range is
    narrow for their number of rows are widened less, so that of all samples no more than one in
    a hundred thousand lies a whole range outside of it.
    """
    whole = GaussianMixture.fit(rows.x, 1, weight=rows.weight)
    mean, factor = whole.mean[0], whole.factor[0]
    low, high = rows.x.amin(0), rows.x.amax(0)
    # the cells of atoms are no part of the range: they are made wide for the density's sake
    outside = high - low - rows.cells() + torch.minimum(mean - low, high - mean)
    share = torch.tensor(min(0.5 * _OUTSIDE * len(rows), 0.25), dtype=torch.float64)
    deviations = -torch.special.ndtri(share)
    wide = (outside / (deviations * factor.norm(dim=1))).clamp(0.5, _WIDE)
    return SlicedDensity.assemble([Component(0.0, mean, wide[:, None] * factor, [])])
