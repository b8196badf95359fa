"""A table of any size in parquet parts, of which every part is a function of its number.

python -m benchmarks.big_table FOLDER --rows 45000000 --part-rows 1000000

27 columns of floats (six clusters, bent; three with heavy tails), two counts, a category of five
levels, one of 2,000 whose rare levels a sample does not see, a boolean and a date: about 230 bytes
a row. The first 45 million rows are 10 GB.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

FLOATS = 24
LEVELS = 2000


def part(number, rows, seed=0):
    """Rows of one part, a frame; the joint distribution is the same in every part."""
    import pandas as pd

    shape = np.random.default_rng([seed, 1 << 30])  # of the distribution, not of the rows
    centre = 2.0 * shape.standard_normal((6, FLOATS))
    mix = shape.standard_normal((6, 8, FLOATS)) / np.sqrt(8)
    rng = np.random.default_rng([seed, number])
    which = rng.choice(6, rows, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    latent = rng.standard_normal((rows, 8))
    x = np.empty((rows, FLOATS))
    for cluster in range(6):
        chosen = which == cluster
        x[chosen] = centre[cluster] + latent[chosen] @ mix[cluster]
    x += 0.3 * rng.standard_normal((rows, FLOATS))
    x[:, 1::4] += 0.4 * x[:, 0::4] ** 2
    columns = {f"x{j}": x[:, j] for j in range(FLOATS)}
    for j in range(3):
        columns[f"amount{j}"] = np.exp(1.2 * latent[:, j] + 0.5 * rng.standard_normal(rows))
    for j in range(2):
        columns[f"count{j}"] = rng.poisson(np.exp(1 + 0.6 * latent[:, 3 + j]))
    names = np.array(["north", "east", "south", "west", "centre", "abroad"])
    columns["region"] = pd.Categorical.from_codes(which, names)
    level = np.minimum(rng.zipf(1.6, rows), LEVELS)
    columns["product"] = pd.Series(level).map("p{:04d}".format).astype("category")
    columns["member"] = rng.random(rows) < 1 / (1 + np.exp(-latent[:, 5]))
    days = rng.integers(0, 730, rows).astype("timedelta64[D]")
    columns["day"] = np.datetime64("2024-01-01", "s") + days
    frame = pd.DataFrame(columns)
    return frame.astype({"region": "str", "product": "str"})


def write(folder, rows, part_rows=1_000_000, seed=0, distinct=None):
    """Write the parts that are not there; the bytes in the folder.

    Of more than ``distinct`` parts the others are links to these, in turn: as many bytes to read,
    in less time to make.
    """
    from pushforward.data import write_table

    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, rows, part_rows)):
        path = folder / f"part-{number:05d}.parquet"
        if path.exists():
            continue
        if distinct is not None and number >= distinct:
            os.link(folder / f"part-{number % distinct:05d}.parquet", path)
        else:
            write_table(path, part(number, min(part_rows, rows - start), seed))
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.big_table", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=45_000_000)
    parser.add_argument("--part-rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.process_time()
    size = write(options.folder, options.rows, options.part_rows, options.seed)
    print(json.dumps({"rows": options.rows, "bytes": size, "s": time.process_time() - started}))


if __name__ == "__main__":
    main()
