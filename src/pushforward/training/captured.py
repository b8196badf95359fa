"""The gradient of a phase as one CUDA graph, launched at once instead of call by call.

A GPU takes a call every 5 to 10 microseconds, however little it asks for: a step of a small GAN
is a thousand calls, most of which wait for the processor. A CUDA graph is what one step asked
for, kept, and asked for again in one call, on other numbers in the same memory.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..errors import stacklevel_of_caller
from .batches import Batch

__all__ = ["CapturedGradient", "CudaGraph", "Graph", "cuda_graphs", "graphs_on"]

_EAGER = 3  # moves before one is captured: by then libraries have chosen their algorithms
_ALIKE = 1e-2  # relative: sums of a GPU are taken in another order each time

_wanted: ContextVar[bool] = ContextVar("cuda_graphs", default=False)


@contextmanager
def cuda_graphs(wanted: bool = True) -> Iterator[None]:
    """Inside, models that train on a GPU capture the gradients of their phases as CUDA graphs.

    Steps are the same ones, in fewer launches. Activations of each phase stay in memory of their
    own, so that a model that just fits does not. A phase that cannot be captured, or whose graph
    gives another gradient than its calls do, goes on call by call, with a warning.

    Args:
        wanted: False for calls again, within ``cuda_graphs()``.

    Examples:
        >>> import numpy as np, pushforward
        >>> X = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1), dtype=np.uint8)
        >>> with cuda_graphs():
        ...     model = pushforward.NICE(steps=10, width=8, random_state=0).fit(X)
    """
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def graphs_on(device: torch.device) -> "Callable[[], Graph] | None":
    """What makes graphs on a device, whose memory they share; None outside :func:`cuda_graphs`."""
    if device.type != "cuda" or not _wanted.get():
        return None
    pool = torch.cuda.graph_pool_handle()
    return lambda: CudaGraph(pool)


class Graph(Protocol):
    """What a function asked of a device, to be asked again."""

    def capture(self, function: Callable[[], None]) -> None:
        """Take down what a function of no arguments asks for; on a GPU nothing is computed."""
        ...

    def replay(self) -> None:
        """Ask for it again, on the numbers that its tensors then hold."""
        ...


class CudaGraph:
    """A ``torch.cuda.CUDAGraph``.

    Args:
        pool: memory that graphs of one model share, which are replayed one after the other:
            ``torch.cuda.graph_pool_handle()``.
    """

    def __init__(self, pool: Any) -> None:
        self._graph, self._pool = torch.cuda.CUDAGraph(), pool

    def capture(self, function: Callable[[], None]) -> None:
        """Take the function down; its tensors then belong to the graph."""
        # the thread that makes batches allocates page-locked memory meanwhile
        with torch.cuda.graph(self._graph, self._pool, capture_error_mode="thread_local"):
            function()

    def replay(self) -> None:
        """Launch the graph."""
        self._graph.replay()


class CapturedGradient:
    """The named values of a phase and its gradients, from a graph after a few moves.

    Args:
        compute: of a batch, leaves the gradients in ``grad`` of the parameters, and returns names
            and values (k,), on their device.
        parameters: that have gradients.
        buffers: those of all networks, which ``compute`` may change.
        graph: makes a graph.
        name: of the phase, for the warning.
    """

    def __init__(
        self,
        compute: Callable[[Batch], tuple[list[str], Tensor]],
        parameters: Sequence[nn.Parameter],
        buffers: Callable[[], Sequence[Tensor]],
        graph: Callable[[], Graph],
        name: str,
    ) -> None:
        self._compute, self._parameters, self._buffers_of = compute, parameters, buffers
        self._graph_of, self._name = graph, name
        self._eager = _EAGER  # moves before the capture; -1 for no capture any more
        self._graph: Graph | None = None
        self._held: _HeldBatch | None = None
        self._names: list[str] = []
        self._values = torch.zeros(0)
        self._gradients: list[Tensor | None] = []

    def __call__(self, batch: Batch, seed: Callable[[], None]) -> tuple[list[str], Tensor]:
        """Names and values (k,) of a batch; gradients are in the parameters.

        Args:
            batch: what to take the gradient on.
            seed: sets the generators of the devices, which dropout draws from.
        """
        seed()
        if self._eager != 0:
            self._eager = max(self._eager - 1, -1)
            return self._compute(batch)
        if self._graph is None or self._held is None:
            return self._capture(batch, seed)
        if not self._held.fits(batch):
            return self._compute(batch)
        self._held.fill(batch)
        return self._replayed(self._graph)

    def _replayed(self, graph: Graph) -> tuple[list[str], Tensor]:
        graph.replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._names, self._values

    def _capture(self, batch: Batch, seed: Callable[[], None]) -> tuple[list[str], Tensor]:
        """Capture the gradient, and keep the graph if it gives what the calls gave."""
        buffers = self._buffers_of()
        before = [buffer.clone() for buffer in buffers]
        noted = _NotedBatch(**vars(batch))
        names, values = self._compute(noted)
        gradients = [parameter.grad for parameter in self._parameters]
        after = [buffer.clone() for buffer in buffers]
        held = _HeldBatch.of(noted)

        def function() -> None:
            held.rewind()
            self._names, self._values = self._compute(held)

        graph, why = self._graph_of(), None
        _write(buffers, before)
        try:
            graph.capture(function)
            self._gradients = [parameter.grad for parameter in self._parameters]
            _write(buffers, before)
            seed()
            self._replayed(graph)
            found, expected = (self._values, self._gradients, buffers), (values, gradients, after)
            if not _alike(found, expected):
                why = "its graph gives other numbers than its calls"
        except RuntimeError as error:
            why = str(error).strip().partition("\n")[0]
        if why is None:
            self._graph, self._held = graph, held
            return self._names, self._values
        warnings.warn(
            f"Phase {self._name!r} is computed call by call, not as a CUDA graph: {why}.",
            stacklevel=stacklevel_of_caller(),
        )
        self._eager = -1
        _write(buffers, after)
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return names, values


@dataclass
class _NotedBatch(Batch):
    """A batch that notes the noise it gives."""

    noise: list[tuple[str, tuple[int, ...], Tensor]] = field(default_factory=list)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal noise (n, *shape)."""
        self.noise.append(("normal", shape, super().normal(*shape)))
        return self.noise[-1][2]

    def uniform(self, *shape: int) -> Tensor:
        """Noise (n, *shape), uniform on [0, 1)."""
        self.noise.append(("uniform", shape, super().uniform(*shape)))
        return self.noise[-1][2]


@dataclass
class _HeldBatch(Batch):
    """A batch whose rows and noise stay where they are in memory, and take those of others."""

    noise: list[tuple[str, tuple[int, ...], Tensor]] = field(default_factory=list)
    given: int = 0

    @classmethod
    def of(cls, noted: _NotedBatch) -> "_HeldBatch":
        """The rows and the noise of a batch, copied."""
        y = None if noted.y is None else noted.y.clone()
        noise = [(kind, shape, value.clone()) for kind, shape, value in noted.noise]
        return cls(noted.x.clone(), y, noted.rows, noted.total, noted.generator, noise)

    def rewind(self) -> None:
        """Give the noise from the first again."""
        self.given = 0

    def normal(self, *shape: int) -> Tensor:
        """The next noise that is held."""
        return self._next("normal", shape)

    def uniform(self, *shape: int) -> Tensor:
        """The next noise that is held."""
        return self._next("uniform", shape)

    def _next(self, kind: str, shape: tuple[int, ...]) -> Tensor:
        if self.given >= len(self.noise) or self.noise[self.given][:2] != (kind, shape):
            raise RuntimeError("it draws other noise at every move")
        self.given += 1
        return self.noise[self.given - 1][2]

    def fits(self, batch: Batch) -> bool:
        """Whether another batch has as many rows, with labels where these have them."""
        y = None if batch.y is None else batch.y.shape
        return batch.x.shape == self.x.shape and y == (None if self.y is None else self.y.shape)

    def fill(self, batch: Batch) -> None:
        """Take the rows of a batch, and draw noise from its generator."""
        self.x.copy_(batch.x, non_blocking=True)
        if self.y is not None and batch.y is not None:
            self.y.copy_(batch.y, non_blocking=True)
        for kind, shape, value in self.noise:
            value.copy_(batch.normal(*shape) if kind == "normal" else batch.uniform(*shape))


@torch.no_grad()
def _write(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.copy_(value)


def _alike(found: tuple, expected: tuple) -> bool:
    """Whether values, gradients and buffers are as near as two runs of the same calls on a GPU."""
    one, other = ([t[0], *t[1], *t[2]] for t in (found, expected))
    for a, b in zip(one, other, strict=True):
        if a is None or b is None:
            if a is not b:
                return False
            continue
        off, size = (a.double() - b.double()).norm(), b.double().norm()
        if not bool(off <= _ALIKE * size + 1e-12):  # NaN is near to nothing
            return False
    return True
