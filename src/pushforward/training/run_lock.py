"""The folder of a run belongs to one training at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ParameterError
from ..storage.atomic import alone_in
from ..storage.checkpoint import refuse_file

__all__ = ["run_of_one"]


@contextmanager
def run_of_one(folder: str | Path | None, first: bool = True) -> Iterator[None]:
    """Keep others from training in the folder of a run while this process does.

    Two that write checkpoints of one name in turn would each go on from the steps of the other.
    The lock goes with its process, however that ends.

    Args:
        folder: of the run, made if it is not there; None for a run without one.
        first: whether this process writes, of several that train together.

    Raises:
        ParameterError: while another process trains there, and where a file stands in the way.
    """
    if folder is None or not first:
        yield
        return
    refuse_file(Path(os.path.realpath(folder)))
    Path(folder).mkdir(parents=True, exist_ok=True)
    with alone_in(Path(folder).resolve()) as alone:
        if not alone:
            raise ParameterError(
                f"Another process trains in {folder}. Expected a folder of its own for each run: "
                "wait until that one is done, or choose another folder."
            )
        yield
