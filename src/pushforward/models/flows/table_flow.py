"""RealNVP and NICE as densities of tables."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...deprecation import renamed
from ...errors import ModelFileError
from ...estimators.capabilities import LatentSpace
from ...estimators.prior import Prior
from ...estimators.table_density import Report, TableDensity
from ...storage.weights import load_weights
from ...training import Batch, Loop, Optimiser, Phase, TensorSource
from ...transport import Rows
from ...validation import COUNT, MINUTES, POSITIVE, SHARE, OneOf, Rule
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
class TableFlow(TableDensity):
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
        validation_fraction: share of the rows held out; the weights they like best are kept.
        columns, bounds, missing, contamination, false_alarm_rate, random_state, verbose: as of
            :class:`~pushforward.GIS`.

    Attributes:
        density_: the density of the coordinates.
        history_: records of the training.
        columns_, offset_, n_features_in_, feature_names_in_: as of GIS.

    Examples:
        >>> import pushforward
        >>> X = pushforward.load_dataset("two_moons")
        >>> model = pushforward.TableFlow(steps=200, random_state=0).fit(X)
        >>> model.sample(3, random_state=0).shape
        (3, 2)
    """

    _cites: ClassVar[tuple[str, ...]] = ("dinh2017density", "dinh2015nice")
    _rules: ClassVar[Mapping[str, Rule]] = {
        "network": OneOf(*_NETWORKS),
        "couplings": COUNT,
        "width": COUNT,
        "learning_rate": POSITIVE,
        "batch_size": COUNT,
        "steps": COUNT | None,
        "minutes": MINUTES,
        "validation_fraction": SHARE,
    }

    density_: Any

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
        columns: dict | None = None,
        bounds: dict | None = None,
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
        self.columns = columns
        self.bounds = bounds
        self.missing = missing
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.random_state = random_state
        self.verbose = verbose

    def _fit_density(
        self, rows: Rows, seed: int, report: Report, **options: Any
    ) -> tuple[Tensor, Tensor | None]:
        n, d = rows.x.shape
        self._seed, self.history_ = seed, []
        self.density_ = NetworkDensity(self._network(d) if d else None)
        train = held_out = rows
        if d > 0 and (count := round(self.validation_fraction * n)) >= 2 and n - count >= 2:
            fit, out = rows.split(count, seed)
            train, held_out = rows.take(fit), rows.take(out)
        if self.density_.network is not None and len(train) > 1:
            with torch.enable_grad():
                self._train(train, held_out, report)
        elif self.density_.network is not None:  # one row: a standard normal about it
            self.density_.network.initialise(train.x.float().expand(2, d))
        # trained in float32; used in float64, in which a score does not depend on its batch
        self.density_.double().eval()
        report("done", 1.0)
        return self.density_.log_prob(held_out.x) + held_out.log_det, held_out.weight

    def _train(self, train: Rows, held_out: Rows, report: Report) -> None:
        network: Any = self.density_.network
        x = train.x.float()
        network.initialise(x)
        weight = torch.ones(len(x)) if train.weight is None else train.weight.float()

        def loss(batch: Batch) -> dict[str, Tensor]:
            assert batch.y is not None  # the weights of the rows travel as labels do
            log_prob = network.training_log_prob(batch.x)
            nats = -(log_prob * batch.y).sum() / batch.y.sum().clamp_min(1e-12)
            return {"nats": nats, "penalty": network.penalty()}

        def judge() -> Mapping[str, float]:
            return {"held_out": -held_out.mean(network.log_prob(held_out.x.float()).double())}

        loop = Loop(
            {"flow": network},
            [Phase("flow", ("flow",), loss, Optimiser("adam", self.learning_rate, clip=100.0))],
            TensorSource(x, weight / weight.mean()),
            batch_size=self.batch_size,
            seed=self._seed,
            ema=0.99,
        )
        loop.run(steps=self.steps, minutes=self.minutes, judge=judge, report=report)
        self.history_ = loop.history

    def _network(self, d: int) -> CouplingFlow:
        if self.network == "nice":
            return NICENetwork((d,), [2] * self.couplings, self.width, "normal", seed=self._seed)
        return RealNVPVectorNetwork((d,), self.couplings, self.width, blocks=1, seed=self._seed)

    def _abilities(self) -> dict[str, Any]:
        network = self.density_.network
        known = super()._abilities() | {"history": self.history_}
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
        dimension = self.density_.dimension
        return {
            **super()._state(),
            "seed": self._seed,
            "dimension": dimension,
            "history": self.history_,
        }

    def _restore_density(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
        self._seed = int(state["seed"])
        self.history_ = [dict(record) for record in state["history"]]
        d = int(state["dimension"])
        if not 0 <= d <= 100_000:
            raise ModelFileError(f"The dimension is {d}. The folder was altered.")
        density = NetworkDensity(self._network(d) if d else None).double()
        load_weights(density, tensors)
        return density.eval()
