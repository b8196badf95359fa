"""Cost of one GIS layer as the table grows: fitting it and moving all rows through it.

python -m benchmarks.scaling --rows 10000 100000 1000000 --columns 10

The search for directions works on a fixed subsample, so a layer costs that and a few passes over
the rows: seconds a row may not rise. One pass (reading and writing all coordinates) is timed
beside it. Medians of five layers, one thread.
"""

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.common import RESULTS, provenance, write_text


def layer_seconds(rows, columns, seed=0, layers=5):
    """Median CPU seconds of making one layer, of applying it, and of one pass."""
    import torch

    from pushforward.models.sliced.layer_growth import Layering

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(columns, rows, generator=generator)
    x = x + 0.3 * x[:1] ** 2
    layering = Layering(min(8, columns), step=0.3)
    made, applied, passed = [], [], []
    for _ in range(layers):
        stamps = [time.process_time()]
        layer = layering.make(x, None, generator)
        stamps.append(time.process_time())
        x, _ = layer.forward(x)
        stamps.append(time.process_time())
        x = x * 1.0
        stamps.append(time.process_time())
        for part, (a, b) in zip((made, applied, passed), pairwise(stamps), strict=True):
            part.append(b - a)
    return median(made), median(applied), median(passed)


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS / "scaling.json")
    options = parser.parse_args()
    results = []
    for rows in options.rows:
        made, applied, passed = layer_seconds(rows, options.columns)
        results.append(
            {
                "rows": rows,
                "columns": options.columns,
                "make_cpu_s": made,
                "apply_cpu_s": applied,
                "pass_cpu_s": passed,
                "layer_ns_a_row": 1e9 * (made + applied) / rows,
            }
        )
        print(json.dumps(results[-1]), flush=True)
    run = provenance("benchmarks.scaling")
    write_text(options.out, json.dumps({"provenance": run, "rows": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
