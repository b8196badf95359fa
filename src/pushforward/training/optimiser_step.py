"""One gradient step of a phase, and the guard that lets nothing non-finite through."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ParameterError, TrainingError
from .batches import Batch, generator_of
from .captured import CapturedGradient, Graph
from .phase import Phase
from .processes import Processes

__all__ = ["OptimiserStep"]

_DROPOUT = 2  # beside the streams of batches.py


class OptimiserStep:
    """The phases of a model with their optimisers, each stepped in turn.

    Args:
        networks: every network of the model, by name.
        phases: in order.
        processes: that share the work.
        precision: "float32", or "bfloat16" to compute losses under autocast.
        seed: of the noise of dropout.
        graph: makes a graph that a gradient is captured in; None for none.

    Raises:
        ParameterError: if a phase names a network there is not, or moves nothing.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        phases: Sequence[Phase],
        processes: Processes,
        precision: str = "float32",
        seed: int = 0,
        graph: Callable[[], Graph] | None = None,
    ) -> None:
        for phase in phases:
            if unknown := [name for name in phase.networks if name not in networks]:
                raise ParameterError(
                    f"Phase {phase.name!r} moves the network {unknown[0]!r}. "
                    f"The model has {', '.join(networks)}."
                )
        self.networks = networks
        self.phases = list(phases)
        self._processes = processes
        self._precision = precision
        self._seed = seed
        self._wanted = {p: p.requires_grad for net in networks.values() for p in net.parameters()}
        self._moved = [
            [p for name in phase.networks for p in networks[name].parameters() if self._wanted[p]]
            for phase in phases
        ]
        for phase, moved in zip(self.phases, self._moved, strict=True):
            if not moved:
                raise ParameterError(f"Phase {phase.name!r} has no parameters to move.")
        self.optimisers = [
            phase.optimiser.build(moved)
            for phase, moved in zip(self.phases, self._moved, strict=True)
        ]
        self._gradients: list[Any] = [partial(self._called, k) for k in range(len(self.phases))]
        if graph is not None and processes.count == 1:  # processes talk within a step
            self._gradients = [
                CapturedGradient(
                    partial(self._gradient, k), self._moved[k], self._buffers, graph, phase.name
                )
                for k, phase in enumerate(self.phases)
            ]

    def move(
        self, index: int, batch: Batch, *, step: int, draw: int, share: float
    ) -> dict[str, float]:
        """Take one step of a phase.

        Args:
            index: of the phase.
            batch: what to take it on.
            step: moves of this phase so far, for its learning rate.
            draw: number of the batch, for the noise of dropout.
            share: of the budget used.

        Returns:
            The terms of the loss, its norm of the gradient and the learning rate.

        Raises:
            TrainingError: for a term or gradient that is not finite. Nothing was moved then,
                and buffers are as they were before.
        """
        phase, optimiser = self.phases[index], self.optimisers[index]
        before = _kept(self._buffers())
        seed = generator_of(self._seed, _DROPOUT, draw, self._processes.rank).initial_seed()
        names, found = self._gradients[index](batch, lambda: _seed(seed, batch.x.device))
        values = found.tolist()
        named = dict(zip(names, values, strict=True))
        if not all(map(math.isfinite, values)):
            _restore(self._buffers(), before)
            optimiser.zero_grad()
            raise TrainingError(_what_failed(phase.name, named))
        if phase.optimiser.clip is not None:
            norm = found[-1].to(next(p.grad for p in self._moved[index] if p.grad is not None))
            torch.nn.utils.clip_grads_with_norm_(self._moved[index], phase.optimiser.clip, norm)
        rate = phase.optimiser.rate * phase.optimiser.factor(step, share)
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.step()
        optimiser.zero_grad()
        if phase.after is not None:
            with torch.no_grad():
                phase.after()
        return {f"{phase.name}.{k}": v for k, v in named.items()} | {f"{phase.name}.rate": rate}

    def _called(
        self, index: int, batch: Batch, seed: Callable[[], None]
    ) -> tuple[list[str], Tensor]:
        seed()
        return self._gradient(index, batch)

    def _gradient(self, index: int, batch: Batch) -> tuple[list[str], Tensor]:
        """The gradient of a phase, in its parameters; names of its terms and norm, and values."""
        phase, weight = self.phases[index], len(batch) / batch.total
        with self._only(index):
            with self._autocast(batch.x.device):
                terms = phase.loss(batch)
                loss = torch.stack([term.float() for term in terms.values()]).sum()
            self.optimisers[index].zero_grad()
            # weighed before the gradient is taken: losses may share moments over processes
            (loss * weight).backward()
        gradients = [p.grad for p in self._moved[index] if p.grad is not None]
        self._processes.sum_gradients(self._moved[index])
        shown = torch.stack([term.detach().float() for term in terms.values()]) * weight
        norm = torch.nn.utils.get_total_norm(gradients).float()
        values = torch.cat([self._processes.sum(shown), norm[None]])
        return [*terms, "gradient"], values

    def _buffers(self) -> list[Tensor]:
        return [buffer for network in self.networks.values() for buffer in network.buffers()]

    def state(self) -> dict[str, Tensor]:
        """The state of the optimisers, as tensors by name."""
        return {
            f"{phase.name}.{number}.{key}": torch.as_tensor(value)
            for phase, optimiser in zip(self.phases, self.optimisers, strict=True)
            for number, held in optimiser.state_dict()["state"].items()
            for key, value in held.items()
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        for phase, optimiser in zip(self.phases, self.optimisers, strict=True):
            held: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                owner, number, key = name.rsplit(".", 2)
                if owner == phase.name:
                    held.setdefault(int(number), {})[key] = value
            groups = optimiser.state_dict()["param_groups"]
            optimiser.load_state_dict({"state": held, "param_groups": groups})

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Inside, parameters are frozen and freed; afterwards they are as the user had them."""
        try:
            yield
        finally:
            for parameter, wanted in self._wanted.items():
                parameter.requires_grad_(wanted)

    @contextmanager
    def _only(self, index: int) -> Iterator[None]:
        """Inside, exactly the parameters that this phase moves have gradients."""
        moved = set(self._moved[index])
        for parameter in self._wanted:
            parameter.requires_grad_(parameter in moved)
        yield

    def _autocast(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self._precision == "bfloat16")


def _kept(tensors: Sequence[Tensor]) -> dict[torch.dtype, Tensor]:
    """The values of tensors end to end: a kernel for each dtype, where each has two."""
    kinds = {tensor.dtype for tensor in tensors}
    return {
        kind: torch.cat([tensor.flatten() for tensor in tensors if tensor.dtype == kind])
        for kind in kinds
    }


@torch.no_grad()
def _restore(tensors: Sequence[Tensor], kept: Mapping[torch.dtype, Tensor]) -> None:
    for kind, values in kept.items():
        own = [tensor for tensor in tensors if tensor.dtype == kind]
        parts = values.split([tensor.numel() for tensor in own])
        for tensor, part in zip(own, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def _seed(seed: int, device: torch.device) -> None:
    """Set the generators that dropout draws from."""
    torch.default_generator.manual_seed(seed)  # torch.manual_seed costs a stack a device
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _what_failed(phase: str, values: Mapping[str, float]) -> str:
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    terms = [name for name in bad if name != "gradient"]
    fine = ", ".join(f"{k} {v:.4g}" for k, v in values.items() if k not in bad) or "none"
    what = f"the term {terms[0]!r} of its loss" if terms else "the gradient"
    return (
        f"phase {phase!r}: {what} is {values[bad[0]]} (finite: {fine}). The weights of the last "
        "good step are kept. Lower the learning rate, lengthen its warm-up, or clip the gradient."
    )
