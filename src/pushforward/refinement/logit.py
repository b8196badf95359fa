"""The calibrated logit of real against generated rows, and how a model folder keeps it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..storage.weights import built_to_fit
from .calibration import Calibration
from .logit_gradients import Score
from .ratio_network import network_of

__all__ = ["Logit", "uncalibrated"]


@dataclass(frozen=True)
class Logit:
    """The calibrated logit of rows: log of real over generated density.

    ``intercept + slope * (share * frozen(x) + shift + network(x))``, of which not every logit has
    every part.

    Attributes:
        kind: "given", "critic", or as
            :data:`~pushforward.refinement.density_ratio.RATIOS` name it.
        line: Platt's, on held-out rows.
        frozen: the logit of a critic that was trained before.
        share, shift: its own line, of a "residual".
        network: what was learned afterwards.
        others: the model whose critic is frozen, where it is not the generator's own.
    """

    kind: str
    line: Calibration
    frozen: Score | None = None
    share: float = 1.0
    shift: float = 0.0
    network: Any = None
    others: Any = None

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (n,) of rows (n, ...), differentiable."""
        return self.line(self.raw(x))

    def raw(self, x: Tensor) -> Tensor:
        """The logit before its line."""
        total: Tensor | float = 0.0
        if self.frozen is not None:
            total = self.share * self.frozen(x).reshape(len(x)) + self.shift
        return total if self.network is None else total + self.network(x)  # type: ignore

    def to_config(self) -> dict[str, Any]:
        """All but tensors and the frozen part, as JSON values."""
        return {
            "kind": self.kind,
            "line": self.line.values.tolist(),
            "share": self.share,
            "shift": self.shift,
            "network": None if self.network is None else self.network.to_config(),
        }

    def tensors(self) -> dict[str, Tensor]:
        """The weights of what was learned."""
        return {} if self.network is None else self.network.state_dict()

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        tensors: dict[str, Tensor],
        frozen: Score | None,
        others: Any,
        device: torch.device,
    ) -> "Logit":
        """The logit that :meth:`to_config` and :meth:`tensors` described.

        Args:
            config, tensors: of those.
            frozen: the critic that it is about.
            others: the model whose critic that is, where it is not the generator's own.
            device: where its network is to be.
        """
        network = None
        if config["network"] is not None:
            named = {f"network.{name}": tensor for name, tensor in tensors.items()}
            network = built_to_fit(lambda: {"network": network_of(config["network"])}, named)
            network = network["network"]
            network.to(device).eval().requires_grad_(False)
        line = Calibration(
            "platt", torch.empty(0), torch.tensor(config["line"], dtype=torch.float64)
        )
        kind = str(config["kind"])
        frozen = None if kind == "direct" else frozen
        share, shift = float(config["share"]), float(config["shift"])
        return cls(kind, line, frozen, share, shift, network, others)


def uncalibrated() -> Calibration:
    """The line of a logit before there is one: the identity."""
    return Calibration("platt", torch.empty(0), torch.tensor([0.0, 1.0], dtype=torch.float64))
