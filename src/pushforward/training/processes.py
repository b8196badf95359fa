"""Several processes, as ``torchrun`` starts them; with one, the same code with nothing to do."""

import atexit
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import DataError, PushforwardError

__all__ = ["Processes"]


class Processes:
    """The processes that train one model together, and this one's place among them.

    Under ``torchrun`` the group is joined here; otherwise there is one process. Messages go by
    where their tensors are, from processor to processor or, by NCCL, from GPU to GPU, so that
    there may be more processes than GPUs where none is used. Which GPU each process has is
    decided where its device is found, see ``devices.py``.

    Attributes:
        rank: 0 to ``count - 1``; 0 writes files and speaks.
        count: how many.
    """

    def __init__(self) -> None:
        if (
            dist.is_available()
            and not dist.is_initialized()
            and "TORCHELASTIC_RUN_ID" in os.environ
        ):
            # functions there have the group that is there at their import as a default, which
            # would keep it, and its threads, until the interpreter ends, and aborts by them
            import_module("torch.distributed.nn")
            gpus = torch.cuda.is_available() and dist.is_nccl_available()
            dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
            atexit.register(_leave)  # a thread of gloo that is still there at the end aborts
        together = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if together else 0
        self.count = dist.get_world_size() if together else 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and speaks."""
        return self.rank == 0

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes, the same bits in each."""
        if self.count > 1:
            sent = value.to(_messages_on()) if dist.get_backend() == "nccl" else value
            dist.all_reduce(sent)
            if sent is not value:
                value.copy_(sent)
        return value

    def stacked(self, value: Tensor) -> Tensor:
        """The tensors of all processes, of one shape and kind, by rank: (count, ...)."""
        if self.count == 1:
            return value[None]
        sent = value.to(_messages_on()).contiguous()
        found = [torch.empty_like(sent) for _ in range(self.count)]
        dist.all_gather(found, sent)
        return torch.stack(found).to(value.device)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sum over the processes."""
        if self.count == 1:
            return
        for group in _by_kind([p.grad for p in parameters if p.grad is not None]):
            flat = torch.cat([g.flatten() for g in group])
            dist.all_reduce(flat)
            parts = flat.split([g.numel() for g in group])
            for gradient, part in zip(group, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def share(self, module: nn.Module) -> None:
        """Give every process the parameters and buffers of process 0."""
        if self.count > 1:
            for value in module.state_dict().values():
                dist.broadcast(value, 0)

    def agree(self, yes: bool) -> bool:
        """The decision of process 0, so that all stop at the same step."""
        if self.count == 1:
            return yes
        decision = torch.tensor([float(yes)], device=_messages_on())
        dist.broadcast(decision, 0)
        return bool(decision.item())

    @contextmanager
    def together(self) -> Iterator[None]:
        """What fails inside in one process fails in all: none waits for one that has stopped.

        Raises:
            DataError: where it was another process that failed.
        """
        failure = None
        try:
            yield
        except PushforwardError as error:
            failure = error
        failed = 0
        if self.count > 1:
            failed = int(self.sum(torch.tensor([float(failure is not None)])))
        if failure is not None:
            raise failure
        if failed:
            raise DataError(f"{failed} of {self.count} processes failed. See what they say.")

    def gather(self, data: bytes) -> list[bytes]:
        """The bytes of every process, by rank."""
        if self.count == 1:
            return [data]
        device = _messages_on()
        found = []
        for rank in range(self.count):
            own = rank == self.rank
            size = torch.tensor([len(data)], device=device)
            dist.broadcast(size, rank)
            part = torch.empty(int(size), dtype=torch.uint8, device=device)
            if own and data:
                part = torch.frombuffer(bytearray(data), dtype=torch.uint8).to(device)
            if len(part):
                dist.broadcast(part, rank)
            found.append(data if own else part.cpu().numpy().tobytes())
        return found

    def barrier(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()


def _messages_on() -> torch.device:
    """Where tensors have to be that are sent in a group that a script has made by NCCL alone."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


def _leave() -> None:
    """Leave the group that was joined here, all together.

    One that ends early ends badly now and then, for threads of its connections; torchrun then ends
    the others too, which may still be saving.
    """
    # Python sets sys.last_value after an error that nothing caught
    if not dist.is_initialized() or hasattr(sys, "last_value"):
        return  # nobody comes then: torchrun ends the others once this one has ended
    with suppress(RuntimeError):  # one of them is gone already
        dist.barrier()
    dist.destroy_process_group()


def _by_kind(gradients: list[Tensor]) -> list[list[Tensor]]:
    kinds: dict[tuple, list[Tensor]] = {}
    for gradient in gradients:
        kinds.setdefault((gradient.dtype, gradient.device), []).append(gradient)
    return list(kinds.values())
