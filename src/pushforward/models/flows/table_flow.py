"""RealNVP and NICE as densities of tables."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...errors import TrainingError
from ...estimators.capabilities import LatentSpace
from ...estimators.phased_model import DividedRows, PhasedModel
from ...estimators.prior import Prior
from ...estimators.table_density import Report, TableDensity
from ...estimators.trained_model import TrainedModel
from ...storage.checkpoint import Checkpoint, digest
from ...storage.weights import built_to_fit
from ...training import Batch, Optimiser, Phase, Processes, TensorSource
from ...transport import Rows
from ...validation import COUNT, OneOf, Rule
from .coupling_flow import CouplingFlow
from .nice_network import NICENetwork
from .realnvp_network import RealNVPVectorNetwork

__all__ = ["TableFlow"]

_NETWORKS = ("realnvp", "nice")
_BLOCK = 1 << 14  # rows that go through a network at once


class NetworkDensity(nn.Module):
    """The density of coordinates that a flow network of vectors has, as tables need it.

    Args:
        network: of rows (d,), or None for no coordinates at all.
    """

    network: CouplingFlow | None

    def __init__(self, network: CouplingFlow | None) -> None:
        super().__init__()
        self.network = network

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return 0 if self.network is None else self.network.shape[0]

    def log_prob(self, x: Tensor) -> Tensor:
        """Log density in nats of rows (n, d): (n,) float64."""
        if self.network is None:
            return x.new_zeros(len(x))
        parts = [self.network.log_prob(block) for block in x.split(_BLOCK)]
        if not parts:
            return x.new_zeros(0)
        # matrix products round by the size of the batch; a score must not depend on it
        exact = torch.cat(parts)
        return exact + (exact.round(decimals=9) - exact).detach()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw rows (n, d) float64."""
        if self.network is None:
            return torch.zeros(n, 0).double()
        shape = (n, self.dimension)
        z = torch.randn(shape, generator=generator, dtype=torch.float64)
        return torch.cat([self.network.decode([part]) for part in z.split(_BLOCK)])


@renamed(rate="learning_rate")
class TableFlow(TableDensity, PhasedModel):
    """A neural flow of a table, trained by gradient: RealNVP or NICE on its coordinates.

    The method most other libraries offer for tables, for comparison with and next to
    :func:`pushforward.fit`, which needs no settings and is mostly better and faster.

    Args:
        network: "realnvp" (affine couplings with batch normalisation) or "nice" (additive).
        couplings: how many.
        width: of the hidden layers.
        learning_rate: learning rate of Adam.
        batch_size: rows a step.
        steps, minutes: budget; the first to run out ends the training.
        validation_fraction: share of the rows held out to choose the best weights by.
        device: what it is trained on, "cpu" or "cuda"; None takes the processor, on which it is
            used in any case.
        columns, bounds, constraints, missing, contamination, false_alarm_rate, random_state,
            verbose: as of :class:`~pushforward.GIS`.

    Attributes:
        density_: the density of the coordinates.
        networks_, settings_, history_, best_, stopped_: see
            :class:`~pushforward.estimators.trained_model.TrainedModel`.
        columns_, offset_, n_features_in_, feature_names_in_: as of GIS.

    Examples:
        >>> import pushforward
        >>> X = pushforward.load_dataset("two_moons")
        >>> model = pushforward.TableFlow(steps=200, random_state=0).fit(X)
        >>> model.sample(3, random_state=0).shape
        (3, 2)
    """

    _smooth = True
    _cites: ClassVar[tuple[str, ...]] = ("dinh2017density", "dinh2015nice")
    _rules: ClassVar[Mapping[str, Rule]] = {
        "network": OneOf(*_NETWORKS),
        "couplings": COUNT,
        "width": COUNT,
    }

    density_: Any
    _failure: TrainingError | None

    def __init__(
        self,
        *,
        network: str = "realnvp",
        couplings: int = 8,
        width: int = 64,
        learning_rate: float = 1e-3,
        batch_size: int = 256,
        steps: int | None = 3000,
        minutes: float | None = None,
        validation_fraction: float = 0.15,
        device: str | None = None,
        columns: dict | None = None,
        bounds: dict | None = None,
        constraints: list[str] | None = None,
        missing: str = "error",
        contamination: float | str | None = None,
        false_alarm_rate: float = 0.05,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.couplings = couplings
        self.width = width
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.steps = steps
        self.minutes = minutes
        self.validation_fraction = validation_fraction
        self.device = device
        self.columns = columns
        self.bounds = bounds
        self.constraints = constraints
        self.missing = missing
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        validation: Any = None,
        folder: str | Path | None = None,
        tensorboard: bool = False,
        report: Report | None = None,
    ) -> Self:
        """Learn the density of the rows; see :meth:`TableDensity.fit`.

        Args:
            X, y, sample_weight, report: as there.
            validation: rows to choose the best weights by, instead of a share of X.
            folder: where checkpoints and logs (``log.jsonl``, ``log.csv``) go. A run that is
                there already is resumed; it stays, and more ``steps`` or ``minutes`` go on.
            tensorboard: also log for TensorBoard, into the folder.

        Raises:
            DataError: for data that cannot be used; the text names columns and rows.
            ParameterError: for unusable parameters, and a folder with a run of something else.
            TrainingError: if a loss or gradient is not finite. The model then holds the best
                weights so far, and the text says which term failed.
        """
        started = time.monotonic()
        self._check_fit(folder, tensorboard)
        self._failure = None
        self._fit(
            X,
            sample_weight,
            report,
            seed=self._run_seed(folder),
            run=folder,
            tensorboard=tensorboard,
            validation=validation,
            started=started,
        )
        if self._failure is not None:
            raise self._failure
        return self

    def _fit_density(
        self,
        rows: Rows,
        seed: int,
        report: Report,
        checkpoint: Checkpoint,
        *,
        run: str | Path | None = None,
        tensorboard: bool = False,
        validation: Any = None,
        started: float,
    ) -> tuple[Tensor, Rows]:
        self._seed, d = seed, rows.x.shape[1]
        parameters = self.get_params(deep=False)
        names = ("network", "couplings", "width", "learning_rate", "batch_size")
        self.settings_ = {name: parameters[name] for name in (*names, "steps", "minutes")}
        self.settings_ |= {"ema": 0.99, "precision": "float32"}
        self.networks_, self.history_, self.best_ = {}, [], None
        self.stopped_ = "nothing to train: no column varies" if d == 0 else "one row is no sample"
        train, held_out = self._divided(rows, validation, seed)
        scored = train if held_out is None else held_out
        if d > 0 and len(train) > 1:
            try:
                sources = self._sources(train, scored)
                self._train_on(sources, run, tensorboard, report, started=started)
            except TrainingError as error:
                if self.best_ is None:
                    raise
                self._failure = error  # raised when the model is whole, with its best weights
        elif d > 0:  # one row: a standard normal about it
            self.networks_ = self._begin()
            self._flow.initialise(train.x.float().expand(2, d))
        # trained in float32; used in float64, in which a score does not depend on its batch
        self.density_ = NetworkDensity(self._flow).cpu().double().eval()
        report("done", 1.0)
        return self.density_.log_prob(scored.x) + scored.log_det, scored

    def _sources(self, train: Rows, scored: Rows) -> DividedRows:
        weight = torch.ones(len(train)) if train.weight is None else train.weight.float()
        columns = json.dumps(self.columns_.to_config(), default=str)
        return DividedRows(
            # the weights of the rows travel as labels do
            TensorSource(train.x.float(), weight / weight.mean()),
            (scored,),
            lambda: {
                "rows": list(train.x.shape),
                "data": digest(train.x, train.weight, scored.x, scored.weight, columns),
            },
        )

    # What is trained, and how

    @property
    def _flow(self) -> Any:
        return self.networks_.get("flow")  # None where no column varies

    def _device(self) -> torch.device:
        return torch.device(self.device or "cpu")

    def _begin(self) -> dict[str, nn.Module]:
        s, d = self.settings_, self.columns_.n_coordinates
        if d == 0:
            return {}
        if s["network"] == "nice":
            couplings = [2] * s["couplings"]
            return {"flow": NICENetwork((d,), couplings, s["width"], "normal", seed=self._seed)}
        shape = (d,), s["couplings"], s["width"]
        return {"flow": RealNVPVectorNetwork(*shape, blocks=1, seed=self._seed)}

    def _prepare(self, source: TensorSource) -> None:
        self._flow.initialise(source.x.to(self._device()))

    def _share(self, processes: Processes) -> None:
        self._flow.sum_over_processes(processes.sum if processes.count > 1 else None)

    def _phases(self) -> list[Phase]:
        adam = Optimiser("adam", self.settings_["learning_rate"], clip=100.0)
        return [Phase("flow", ("flow",), self._loss, adam)]

    def _loss(self, batch: Batch) -> dict[str, Tensor]:
        assert batch.y is not None
        log_prob = self._flow.training_log_prob(batch.x)
        return {"nats": -(log_prob * batch.y).mean(), "penalty": self._flow.penalty()}

    def _measures(self, held_out: Rows) -> Mapping[str, float]:
        log_prob = self._flow.log_prob(held_out.x.float().to(self._device()))
        return {"held_out": -held_out.mean(log_prob.cpu().double())}

    # Use and saving

    def _abilities(self) -> dict[str, Any]:
        network = self.density_.network
        known = super()._abilities() | {"device": torch.device("cpu")}
        if network is None:
            return known
        latents = LatentSpace(
            Prior.normal(self.density_.dimension),
            lambda z: network.decode([z.double()]),
            lambda x: network.encode(x.double())[0],
            invertible=True,
        )
        return {**known, "latent_space": latents, "draw": None}

    def _state(self) -> dict[str, Any]:
        return {**TrainedModel._state(self), **super()._state()}

    def _restore_density(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
        self._restore_run(state)

        def build() -> dict[str, nn.Module]:
            self.networks_ = self._begin()
            return {"density": NetworkDensity(self._flow).double()}

        named = {f"density.{name}": tensor for name, tensor in tensors.items()}
        return built_to_fit(build, named)["density"].eval()
