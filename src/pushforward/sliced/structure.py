"""One way to build a sliced density, fitted: margins or not, so many Gaussians, flows or not."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..checkpoint import Checkpoint
from ..transport.density import Component, SlicedDensity
from ..transport.mixture import GaussianMixture
from ..transport.rows import Rows
from ..transport.sliced_flow import SliceLayer
from .greedy import Layering, grow

__all__ = ["GAUSSIAN", "Structure", "fit_structure"]


@dataclass(frozen=True)
class Structure:
    """What :func:`fit_structure` builds.

    Attributes:
        margins: whether a marginal layer comes first.
        components: Gaussians in the mixture.
        shrinkage: pull of covariances to the pooled one, in rows a coordinate.
        diagonal: pull of the pooled covariance to its diagonal, 0 to 1.
        flow: whether a sliced flow follows on each component.
    """

    margins: bool
    components: int = 1
    shrinkage: float = 0.0
    diagonal: float = 0.0
    flow: bool = False

    def __str__(self) -> str:
        kind = "Gaussian" if self.components == 1 else f"{self.components} Gaussians"
        if self.flow:
            kind = "GIS" if self.components == 1 else f"{self.components} x GIS"
        return f"margins, {kind}" if self.margins else kind


GAUSSIAN = Structure(margins=False)


def fit_structure(
    structure: Structure,
    train: Rows,
    held_out: Rows | None,
    *,
    layering: Layering,
    seed: int,
    max_layers: int = 400,
    patience: int = 8,
    deadline: float = math.inf,
    mixture: GaussianMixture | None = None,
    on_layer: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
    step: str = "",
) -> SlicedDensity:
    """Fit one structure on rows that already went through their marginal layer.

    Every row goes to one component, drawn by responsibility, and trains that component's
    flow in the component's whitened coordinates; held-out rows, drawn likewise, stop it.

    Args:
        structure: what to build.
        train, held_out: rows to fit on, rows to stop on (None: no flows).
        layering: how layers are made.
        seed: seed of everything random.
        max_layers, patience, deadline, on_layer: as in :func:`~.greedy.grow`.
        checkpoint, step: where flows are kept, and the name of this fit there.
        mixture: the Gaussian mixture of the same structure and rows, where already fitted.

    Returns:
        The density of the rows, without margins.
    """
    d = train.x.shape[1]
    if mixture is None:
        mixture = GaussianMixture.fit(
            train.x,
            structure.components,
            shrinkage=structure.shrinkage * d,
            diagonal=structure.diagonal,
            weight=train.weight,
            seed=seed,
        )
    if structure == GAUSSIAN:  # the floor everything is compared with, as it is
        return SlicedDensity.assemble([Component(0.0, mixture.mean[0], mixture.factor[0], [])])
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
            inside, outside = (
                (whiten[c] @ (rows.x - mixture.mean[c]).T).to(torch.float32) for rows in parts
            )
            flows[c] = grow(
                inside,
                outside,
                layering,
                generator=generator,
                max_layers=max_layers,
                patience=patience,
                weight=parts[0].weight,
                held_out_weight=parts[1].weight,
                deadline=deadline,
                on_layer=on_layer,
                checkpoint=checkpoint,
                step=f"{step}/flow {c}",
            ).layers
    terms = [
        Component(float(mixture.log_weight[c]), mixture.mean[c], mixture.factor[c], flows[c])
        for c in range(structure.components)
    ]
    return SlicedDensity.assemble([*terms, *_background(train)])


def _background(rows: Rows) -> list[Component]:
    """Wide Gaussians that share one row's weight: what is unlike all rows is not impossible.

    Without them a single far row can outweigh all others in a mean log density, and the
    distance of a far row says nothing about how wide the table as a whole is.
    """
    n, d = rows.x.shape
    whole = GaussianMixture.fit(rows.x, 1, diagonal=0.5, weight=rows.weight)
    eye = torch.eye(d, dtype=torch.float64)
    log_weight = math.log(0.5 / n)
    return [
        Component(log_weight, whole.mean[0], 3 * whole.factor[0], []),
        Component(log_weight, whole.mean[0], 10 * eye, []),
    ]
