"""WGAN-GP of a table: rows of numbers, categories and anything else that columns hold."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ...data import Columns
from ...data.checks import MISSING
from ...data.tables.column_summary import warn_left_out
from ...deprecation import renamed
from ...errors import DataError
from ...estimators.missing_cells import completions
from ...estimators.phased_model import DividedRows
from ...estimators.table_columns import TableColumns
from ...estimators.trained_model import Report
from ...networks import MLP
from ...storage.checkpoint import digest
from ...validation import COUNT, Instance, OneOf, Rule
from .row_distance import neighbour_divergence
from .wasserstein_phases import WassersteinGame

__all__ = ["CellSource", "TableGAN"]

_FEWEST = 10  # held-out rows that a divergence is estimated from
_AT_ONCE = 1 << 14  # rows that go through a network at once
# its samples are whole: of a column that misses more, most sampled cells would be of made-up ones
_MOST_MISSING = 0.5


@dataclass(frozen=True)
class CellSource:
    """Rows of coordinates; discrete ones lie anywhere in their cell, anew each time.

    Attributes:
        x: (n, D) coordinates; of discrete ones the lower edge of the cell.
        width: (D,) of the cells; 0 for coordinates that are continuous.
    """

    x: Tensor
    width: Tensor

    @classmethod
    def of(cls, columns: Columns, z: Tensor) -> "CellSource":
        """The source of encoded rows (n, D)."""
        x, width = z.clone(), torch.zeros(z.shape[1]).double()
        cells = columns.cell_index(z)
        for j in torch.nonzero(columns.discrete)[:, 0].tolist():
            x[:, j], upper = columns.edges(j, cells[:, j])
            width[j] = (upper - x[:, j]).mean()
        return cls(x.float(), width.float())

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: np.ndarray, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        x = self.x[torch.from_numpy(rows)]
        return x + self.width * torch.rand(x.shape, generator=generator), None


@renamed(rate="learning_rate")
@dataclass(kw_only=True, eq=False, repr=False)
class TableGAN(WassersteinGame, TableColumns):
    """Rows of a table from a generator that lowers a Wasserstein distance.

    Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, *Improved Training of Wasserstein GANs*
    (2017), algorithm 1 and the toy experiments of section 4.2. Players are stacks of linear maps
    and ReLUs on the coordinates of :class:`~pushforward.Columns`; whole numbers and categories are
    coordinates with cells, in which their rows lie anywhere. The weights that are kept are those
    whose samples are nearest to held-out rows, by a nearest-neighbour estimate of a divergence.

    It has no likelihood: for densities take :func:`pushforward.fit`. It is what refinement starts
    from, and what others are compared with.

    Args:
        preset: "fast", about a minute on a processor; "paper", the settings published for toys.
        width, depth: of the hidden layers of both players, and how many.
        latent: length of a code; "fast" takes as many as there are coordinates, at least 2.
        penalty: weight of the squared distance of the critic's slope from 1.
        critic_steps: of the critic for each of the generator.
        networks: modules of your own, "generator" (n, latent) to (n, D) and "critic" (n, D) to
            (n,), D being the number of columns that are not constant.
        batch_size: rows a step.
        learning_rate: learning rate of Adam.
        ema: decay of the average of the weights; 0 keeps none.
        width, depth, latent, penalty, critic_steps, batch_size, learning_rate, ema: None takes the
            preset's.
        steps, minutes: budget; None of both takes the preset's.
        validation_fraction: share of the rows held out to choose the best weights by, at most
            1,000.
        columns, bounds, missing: as of :class:`~pushforward.GIS`, but for columns with more than
            half of their cells missing, which "auto" leaves out: samples are whole.
        device, random_state, verbose: as of :class:`~pushforward.DCGAN`.

    Attributes:
        networks_, settings_, history_, best_, stopped_: see
            :class:`~pushforward.estimators.trained_model.TrainedModel`.
        columns_, n_features_in_, feature_names_in_: as of GIS.

    Examples:
        >>> import pushforward
        >>> X = pushforward.load_dataset("two_moons")
        >>> model = pushforward.TableGAN(steps=20, random_state=0).fit(X)
        >>> model.sample(3, random_state=0).columns.tolist()
        ['x', 'y']
        >>> model.critic(X[:5]).shape
        (5,)
    """

    width: int | None = None
    depth: int | None = None
    penalty: float | None = None
    critic_steps: int | None = None
    validation_fraction: float = 0.1
    columns: dict | None = None
    bounds: dict | None = None
    missing: str = "error"

    _rules: ClassVar[Mapping[str, Rule]] = {
        "width": COUNT | None,
        "depth": COUNT | None,
        "columns": Instance(Mapping, description="kinds by column") | None,
        "bounds": Instance(Mapping, description="(low, high) by column") | None,
        "missing": OneOf(*MISSING),
    }
    _cites: ClassVar[tuple[str, ...]] = ("gulrajani2017improved", "arjovsky2017wasserstein")
    _parts: ClassVar[tuple[str, ...]] = ("generator", "critic")
    _others: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "score_samples": ("AutoDensity", "GIS", "TableFlow"),
        "score": ("AutoDensity", "GIS", "TableFlow"),
        "encode": ("GIS",),
    }
    _presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            **{"width": 128, "depth": 3, "latent": None, "batch_size": 256},
            **{"optimiser": "adam", "learning_rate": 2e-3, "betas": [0.0, 0.9], "decay": "linear"},
            **{"ema": 0.99, "steps": 2000, "minutes": None},
            **{"penalty": 0.1, "critic_steps": 3},
        },
        "paper": {
            **{"width": 512, "depth": 3, "latent": 2, "batch_size": 256},
            **{
                "optimiser": "adam",
                "learning_rate": 1e-4,
                "betas": [0.5, 0.9],
                "decay": "constant",
            },
            **{"ema": None, "steps": 100_000, "minutes": None},
            **{"penalty": 0.1, "critic_steps": 5},
        },
    }

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> Self:
        """Train on the rows of a table; see :meth:`TrainedModel.fit`.

        Args:
            X: table of shape (n, p): DataFrame (pandas, polars), array, tensor or rows.
            y: ignored; for scikit-learn's pipelines.
            validation: a table of rows to choose the best weights by; None holds out a share of X.
            folder, tensorboard, report: as there.

        Raises:
            DataError: for data that cannot be used; the text names columns and rows.
            ParameterError, TrainingError: as there.
        """
        return self._fit_rows(X, y, validation, folder, tensorboard, report)

    def _read(self, X: Any, y: Any, validation: Any) -> tuple[Any, Any]:
        learned = Columns.learn(
            X,
            columns=self.columns,
            bounds=self.bounds,
            missing=self.missing,
            estimator=type(self).__name__,
            smooth=True,
            seasons=True,
            most_missing=_MOST_MISSING,
        )
        self._set_columns(learned.columns)
        warn_left_out(learned.columns)
        if not self.columns_.n_coordinates:
            raise DataError("All columns are constant. Expected one at least that is not.")
        self.settings_ = self._resolve()
        return completions(learned, 1)[0], validation

    def _divide(self, data: tuple[Any, Any]) -> DividedRows:
        X, validation = data
        rng = np.random.default_rng(self._seed)
        z, _ = self.columns_.encode(X, draw=rng)
        held = 0 if validation is not None else self._held_out_rows(len(z))
        order = torch.from_numpy(rng.permutation(len(z)))
        held_out, z = z[order[:held]], z[order[held:]]
        if validation is not None:
            held_out = self.columns_.encode(validation, draw=rng)[0][: self._held_out_rows(10**9)]
        columns = json.dumps(self.columns_.to_config(), default=str)
        return DividedRows(
            CellSource.of(self.columns_, z),
            None if len(held_out) < _FEWEST else (held_out,),
            lambda: {"rows": list(z.shape), "data": digest(z, held_out, columns)},
        )

    def _resolve(self) -> dict[str, Any]:
        settings = self._of_preset()
        return settings | {"latent": settings["latent"] or max(2, self.columns_.n_coordinates)}

    def _abilities(self) -> dict[str, Any]:
        return {**super()._abilities(), "kind": "table", "codec": self.columns_}

    def _row_shape(self) -> tuple[int, ...]:
        return self.columns_.event_shape

    def _begin(self) -> dict[str, nn.Module]:
        return self._build(self._row_shape())

    def _network(self, name: str, shape: Any) -> nn.Module:
        widths = [self.settings_["width"]] * self.settings_["depth"]
        if name == "generator":
            return MLP(self.settings_["latent"], widths, head=shape[0], slope=0.0, spread=None)
        return MLP(shape[0], widths, slope=0.0, spread=None)

    def _measures(self, rows: Tensor) -> Mapping[str, float]:
        made = self._make(len(rows), torch.Generator().manual_seed(0))
        return {"divergence": neighbour_divergence(rows, made)}

    def _chunks(self, X: Any) -> Iterator[tuple[slice, Tensor]]:
        z, _ = self.columns_.encode(X)
        size = self._at_once()
        for start in range(0, len(z), size):
            yield slice(start, start + size), z[start : start + size]

    def _at_once(self) -> int:
        return _AT_ONCE

    def _to_network(self, rows: Tensor) -> Tensor:
        return rows.float().to(self._device())

    def _to_user(self, x: Tensor) -> Any:
        return self.columns_.decode(x)

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "columns": self.columns_.to_config()}

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self._set_columns(Columns.from_config(state["columns"]))
        super()._restore(state, tensors)

    def _card(self) -> str:
        from ...data.tables.column_summary import columns_table
        from ...estimators.run_card import run_card

        return run_card(
            self,
            what=f"A model of the rows of a table, of {self.columns_.n_rows} rows",
            use="rows = model.sample(1000)   # new rows like the old ones",
            held_out="rows",
            more=f"## Columns\n\n{columns_table(self.columns_)}\n\n",
        )
