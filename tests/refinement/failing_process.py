"""One of two processes fails while the other waits for its samples. Not a test itself."""

import sys

import torch

from pushforward.errors import DataError
from pushforward.refinement.sample_spaces import Space
from pushforward.training import Processes


def main(kind):
    rank = Processes(torch.device("cpu")).rank

    def draw(n, generator):
        if rank == 1:
            raise DataError("a bad point") if kind == "named" else KeyError("a defect")
        return torch.zeros(n, 1)

    try:
        Space(draw, lambda x: x).points(3000, 0)
    except DataError as error:
        print(f"process {rank}: {error}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
