"""Where models are computed: on which device, how exactly, and how much of it at a time.

Every model, measure and refinement asks here, so that all of them take the same device, and give
the same results on one that they give on another.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .errors import ParameterError
from .wording import setting

__all__ = [
    "AUTO",
    "PROCESSOR",
    "WorkSizes",
    "exact",
    "expected",
    "find_device",
    "fits_on",
    "generator_on",
    "inference",
    "is_here",
    "on_host",
    "sizes_of",
]

#: The word for the device that is found here; no device at all means the same.
AUTO = "auto"
PROCESSOR = torch.device("cpu")

_SHARE = 0.25  # of the free memory of a GPU that the rows of a fit may take


def find_device(name: str | torch.device | None = None) -> torch.device:
    """The device of a name.

    Args:
        name: "cpu", "cuda", "cuda:1" or another device of torch; "gpu" is "cuda". None and "auto"
            take a GPU where there is one. Under ``torchrun`` a GPU without a number is the one
            of the process.

    Raises:
        ParameterError: for a name that is none, and for a GPU that is not there.

    Examples:
        >>> find_device("cpu")
        device(type='cpu')
    """
    if name is None or name == AUTO:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    name = "cuda" if name == "gpu" else name
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError, ValueError) as error:  # the last for huge numbers
        raise ParameterError(f"device is {name!r}. Expected {expected()}.") from error
    if device.type == "cuda":
        return _gpu(device)
    try:
        torch.zeros(1, device=device).item()  # which "meta" has no numbers for
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ParameterError(f"device is {str(name)!r}. Expected {expected()}.") from error
    return device


def expected() -> str:
    """Which devices there are, in words; without a GPU also what to do to have one."""
    if not torch.cuda.is_available():
        return (
            f"'cpu' or 'auto': PyTorch {torch.__version__} finds no GPU on this machine. Leave "
            "device out to compute on the processor; for a GPU install its driver and a build of "
            "PyTorch with CUDA"
        )
    numbers = ", ".join(f"'cuda:{k}'" for k in range(torch.cuda.device_count()))
    return f"'auto', 'cpu', 'cuda' or one of {numbers}"


def is_here(name: Any) -> bool:
    """Whether a device is one, and is on this machine."""
    try:
        find_device(name)
    except ParameterError:
        return False
    return True


def _gpu(device: torch.device) -> torch.device:
    if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
        raise ParameterError(f"device is {str(device)!r}. Expected {expected()}.")
    if device.index is not None or "TORCHELASTIC_RUN_ID" not in os.environ:
        return device
    own, count = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if own >= count:
        raise ParameterError(
            f"torchrun started process {own} of this machine, counted from 0, which has {count} "
            f"GPU(s). Expected a GPU for each process: start {count} with --nproc-per-node, or "
            f"give {setting('device', 'cpu')}."
        )
    device = torch.device("cuda", own)
    torch.cuda.set_device(device)  # what NCCL and tensors without a number go by
    return device


@contextmanager
def exact() -> Iterator[None]:
    """Inside, single precision is single precision.

    Products and convolutions of a GPU may round their factors to ten bits (TF32), for
    convolutions by default. Training bears that; a latent that has to give every pixel back, a
    log density and a feature do not.
    """
    cudnn: Any = torch.backends.cudnn  # a module that stands in for one with settings
    precision = torch.get_float32_matmul_precision()
    allowed, cudnn.allow_tf32 = cudnn.allow_tf32, False
    if precision != "highest":
        torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        cudnn.allow_tf32 = allowed
        if precision != "highest":
            torch.set_float32_matmul_precision(precision)


@contextmanager
def inference() -> Iterator[None]:
    """Inside, nothing has gradients and all is :func:`exact`: what models compute with in use."""
    with torch.no_grad(), exact():
        yield


def fits_on(device: torch.device, size: int) -> bool:
    """Whether rows of so many bytes may stay on a device for the whole of a fit."""
    if device.type != "cuda":
        return device.type == "cpu"
    return size <= _SHARE * torch.cuda.mem_get_info(device)[0]


def generator_on(device: torch.device, generator: torch.Generator) -> torch.Generator:
    """A generator of the device, whose numbers depend on the next ones of ``generator``.

    Numbers by the million are drawn where they are used. Another device draws others, which only
    what is a search for an optimum may depend on.
    """
    if device.type == generator.device.type:
        return generator
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def on_host(X: Any) -> Any:
    """A tensor of any device as one of the processor's; anything else as it is."""
    return X.detach().cpu() if isinstance(X, Tensor) else X


@dataclass(frozen=True)
class WorkSizes:
    """How much is computed at once.

    On a processor it is as much as stays in its caches; on a GPU as much as keeps it busy, since
    each of its kernels takes some microseconds to start, however little it does.

    Attributes:
        rows: (least, most) that go through a network without gradients.
        values: numbers that more rows than the least may have together.
        moved: numbers that a patch layer moves at once.
        layer_rows: rows of a table that a layer of a sliced flow moves at once.
        block: numbers in a block of images that are kept, at most.
        piece: numbers in the projections, or the patches, of one piece of a layer's fit.
        blocks, pieces: how many there are at least, so that several processes have shares.
    """

    rows: tuple[int, int]
    values: int
    moved: int
    layer_rows: int
    block: int
    piece: int
    blocks: int
    pieces: int

    def rows_of(self, values: int) -> int:
        """How many rows of so many values go through a network at once.

        >>> sizes_of(torch.device("cpu")).rows_of(3072)
        64
        """
        least, most = self.rows
        return max(least, min(most, self.values // max(1, values)))


_OF_A_PROCESSOR = WorkSizes(
    (64, 64),
    1 << 22,
    moved=1 << 18,
    layer_rows=1 << 14,
    block=1 << 22,
    piece=1 << 23,
    blocks=16,
    pieces=4,
)
_OF_A_GPU = WorkSizes(
    (64, 1024),
    1 << 22,
    moved=1 << 26,
    layer_rows=1 << 20,
    block=1 << 27,
    piece=1 << 27,
    blocks=4,
    pieces=1,
)


def sizes_of(device: torch.device) -> WorkSizes:
    """How much is computed at once on a device."""
    return _OF_A_PROCESSOR if device.type == "cpu" else _OF_A_GPU
