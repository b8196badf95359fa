"""What a row, a column, a layer and a process cost, and what follows for more of them.

python -m benchmarks.scaling layer --rows 10000 100000 1000000 --columns 10 30 100
python -m benchmarks.scaling read FOLDER --rows 1000000 2000000
python -m benchmarks.scaling sample --rows 16384 65536 262144   # density by rows of a sample
python -m benchmarks.scaling table FOLDER --rows 45000000       # a fit of 10 GB in bounded memory
python -m benchmarks.scaling table FOLDER --rows 45000000 --distinct 5 --more=--set=max_layers=20
python -m benchmarks.scaling score FOLDER --rows 1000000 10000000 --processes 1 2
python -m benchmarks.scaling growth --rows 1048576 --columns 20 --layers 10 --processes 1 2
python -m benchmarks.scaling alike FOLDER --rows 262144 --what whole    # of files, of a frame
python -m benchmarks.scaling alike FOLDER --rows 16384 --layers 60 --what sample --seeds 0 1 2 3
python -m benchmarks.scaling images FOLDER --rows 20000 80000   # a fit of shards, and its memory
python -m benchmarks.scaling messages                           # between processes of one machine
python -m benchmarks.scaling networks                           # products of a Glow, not timed

FOLDER is made by `benchmarks.big_table` where it lacks parts. Commands run in processes of their
own, whose CPU seconds and highest memory the system counts. `benchmarks.render_scaling` writes
`docs/scaling.md` from these figures.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, stdev

from benchmarks.common import RESULTS, provenance, save_row, source_digest

KEY = ("part", "rows", "columns", "what", "processes")
OUT = RESULTS / "scaling.json"
PART_ROWS = 1_000_000
QUICK = ["--rows", "65536", "--set", "max_layers=20"]  # the model that is scored


@cache
def this_run():
    """Where the figures of this run are from."""
    return provenance("benchmarks.scaling")


def save(out, part, rows, values, columns=0, what="", processes=1):
    """Keep one measurement and print it."""
    row = {"part": part, "rows": rows, "columns": columns, "what": what, "processes": processes}
    row |= {"version": source_digest(), "status": "ok"}
    row |= {k: round(v, 12) if isinstance(v, float) else v for k, v in values.items()}
    save_row(out, KEY, row, this_run())
    print(json.dumps(row), flush=True)


def commanded(*words, processes=1):
    """Run the command; its wall and CPU seconds and the highest memory of a process in MiB."""
    start = [sys.executable, "-m", "pushforward"]
    if processes > 1:
        start = [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", str(processes), "-m", "pushforward"),
        ]
    started = time.monotonic()
    child = subprocess.Popen([*start, *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"benchmarks: {' '.join(map(str, words))} ended with {status}")
    return {
        "wall_s": time.monotonic() - started,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def some_parts(folder, rows):
    """A folder of links to the first parts of a table, enough for so many rows."""
    from benchmarks.big_table import write

    write(folder, max(rows, PART_ROWS), PART_ROWS)
    few = Path(tempfile.mkdtemp(dir=folder.parent))
    for path in sorted(folder.glob("*.parquet"))[: max(1, rows // PART_ROWS)]:
        os.link(path, few / path.name)
    return few


def layers(options):
    """CPU seconds of making one layer and of moving all rows through it: medians of five."""
    import torch

    from pushforward.models.sliced.layer_growth import Layering

    torch.set_num_threads(1)
    for columns in options.columns:
        for rows in options.rows:
            generator = torch.Generator().manual_seed(0)
            x = torch.randn(columns, rows, generator=generator)
            x = x + 0.3 * x[:1] ** 2
            layering = Layering(min(8, columns), step=0.3)
            points = layering.divided(x)
            made, applied = [], []
            for _ in range(5):
                stamps = [time.process_time()]
                layer = layering.make(points, generator)
                stamps.append(time.process_time())
                points = points.mapped(lambda x, layer=layer: layer.forward(x)[0])
                stamps.append(time.process_time())
                for part, (a, b) in zip((made, applied), pairwise(stamps), strict=True):
                    part.append(b - a)
            values = {"make_cpu_s": median(made), "apply_cpu_s": median(applied)}
            save(options.out, "layer", rows, values, columns)


def reads(options):
    """CPU seconds of the one pass over a table that draws a sample of it."""
    from pushforward.data import draw_rows, open_data

    for rows in options.rows:
        few = some_parts(options.folder, rows)
        started = time.process_time()
        draw_rows(open_data(few), 1 << 16)
        values = {"cpu_s": time.process_time() - started}
        save(options.out, "read", rows, values, 33)
        shutil.rmtree(few)


def samples(options):
    """Held-out density of fits to samples of several sizes, on rows that none of them has."""
    import pushforward
    from benchmarks.big_table import part
    from pushforward.data import draw_rows, open_data

    test = part(10**6, 20_000)  # a part of the same distribution, far beyond the others
    folder = some_parts(options.folder, max(options.rows))
    table = open_data(folder)
    before = None
    for name in options.models:
        for rows in options.rows:
            started = time.process_time()
            drawn = draw_rows(table, rows)
            cls = pushforward.GIS if name == "gis" else pushforward.AutoDensity
            model = cls(random_state=0).fit(drawn)
            scores = model.score_samples(test)
            values = {
                "nats": float(scores.mean()),
                "cpu_s": time.process_time() - started,
                "held_rows": len(drawn.numbers),
            }
            if before is not None and before[0] == name:
                gain = scores - before[1]
                values |= {"gain": float(gain.mean())}
                values |= {"gain_se": float(gain.std() / len(gain) ** 0.5)}
            before = (name, scores)
            save(options.out, "sample", rows, values, test.shape[1], name)
    shutil.rmtree(folder)


def alike(options):
    """Held-out density of fits to files, and of fits to rows that were in memory.

    A part that fits in memory (`whole`) is fitted from its files and as a frame. Of a table 16
    times as long a fit has a sample of as many rows (`sample`), beside that of a frame of other
    rows of the same distribution: what differs there is chance, so that it takes many seeds.
    """
    import pushforward
    from benchmarks.big_table import part
    from pushforward.data import draw_rows, open_data

    test = part(10**6, 20_000)

    def scored(given, seed):
        started = time.process_time()
        model = pushforward.GIS(max_layers=options.layers, random_state=seed).fit(given)
        return model.score_samples(test), time.process_time() - started

    for rows in options.rows:
        for what in options.what:
            if what == "whole":
                folder = Path(tempfile.mkdtemp(dir=options.folder.parent))
                write_part(folder, part(0, rows))
                files, memory = open_data(folder), part(0, rows)
            else:
                folder = some_parts(options.folder, max(PART_ROWS, 16 * rows))
                files, memory = draw_rows(open_data(folder), rows), part(10**5, rows)
            pairs = [(scored(files, seed), scored(memory, seed)) for seed in options.seeds]
            shutil.rmtree(folder)
            gaps = [float((of_files[0] - of_frame[0]).mean()) for of_files, of_frame in pairs]
            values = {"layers": options.layers, "seeds": len(gaps), "difference": mean(gaps)}
            if len(gaps) > 1:
                values["difference_se"] = stdev(gaps) / len(gaps) ** 0.5
            for where, found in zip(("files", "memory"), zip(*pairs, strict=True), strict=True):
                values[f"nats_{where}"] = mean(float(scores.mean()) for scores, _ in found)
                values[f"cpu_s_{where}"] = mean(cpu for _, cpu in found)
            save(options.out, "alike", rows, values, test.shape[1], what)


def write_part(folder, frame):
    """Write a frame as four parquet files."""
    from pushforward.data import write_table

    share = -(-len(frame) // 4)
    for number, start in enumerate(range(0, len(frame), share)):
        write_table(folder / f"part-{number:05d}.parquet", frame.iloc[start : start + share])


def tables(options):
    """A fit of a table larger than memory by the command: seconds and highest memory."""
    from benchmarks.big_table import write

    for rows in options.rows:
        size = write(options.folder, rows, PART_ROWS, distinct=options.distinct)
        folder = options.folder.parent / "fitted"
        words = ["fit", options.models[0], options.folder, "-o", folder, "--seed", "0"]
        more = [*words, "--overwrite", *options.more]
        values = commanded(*more) | {"bytes": size}
        values |= {"options": " ".join(options.more), "distinct_parts": options.distinct}
        from benchmarks.big_table import part
        from pushforward import load

        model = load(folder)
        values |= {"nats": float(model.score_samples(part(10**6, 20_000)).mean())}
        values |= {"held_rows": model.columns_.n_rows}
        values |= {"layers": getattr(model, "n_layers_", 0)}
        what = " ".join([options.models[0], *options.more])
        save(options.out, "table", rows, values, 33, what)


def quick_model(folder):
    """The folder of a small model of the table, fitted where it is not there."""
    model = folder.parent / "quick"
    if not model.exists():
        some = some_parts(folder, PART_ROWS)
        commanded("fit", "gis", some, "-o", model, "--seed", "0", *QUICK)
        shutil.rmtree(some)
    return model


def scores(options):
    """Scoring parts by the command: seconds a row and highest memory."""
    model = quick_model(options.folder)
    for rows in options.rows:
        few = some_parts(options.folder, rows)
        out = few.with_name(f"{few.name}-scored")
        words = ["score", model, few, "-o", out, "-q"]
        for count in options.processes:
            shutil.rmtree(out, ignore_errors=True)
            values = commanded(*words, processes=count)
            save(options.out, "score", rows, values, 33, "gis, 20 layers", count)
        shutil.rmtree(out)
        shutil.rmtree(few)


def of_torchrun(count, *words):
    """What a part of this module says by JSON in its last line, run by so many processes."""
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone",
         "--nproc-per-node", str(count), "-m", "benchmarks.scaling", *map(str, words)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.strip().splitlines()[-1])


def _grown(options):
    """Run in each of several processes: the growth of one flow, and what it took of each."""
    import resource

    import torch

    from pushforward.models.sliced.layer_growth import Layering, grow
    from pushforward.storage.checkpoint import digest
    from pushforward.training.processes import Processes
    from pushforward.transport.row_blocks import Division, RowBlocks

    torch.set_num_threads(1)
    (rows,), (columns,) = options.rows, options.columns
    group, layering = Processes(), Layering(min(8, columns), step=0.3)

    def block(place):  # no process has all points
        x = torch.randn(
            columns, place.stop - place.start, generator=torch.Generator().manual_seed(place.start)
        )
        return x + 0.3 * x[:1] ** 2

    def points(n):
        return RowBlocks.made(block, Division(n, size=layering.block_rows, group=group))

    train, held_out = points(rows), points(round(0.15 * rows))
    group.barrier()
    started = time.process_time(), time.monotonic()
    found = grow(
        train,
        held_out,
        layering,
        generator=torch.Generator().manual_seed(0),
        max_layers=options.layers,
        patience=options.layers,
    )
    used = time.process_time() - started[0]
    every = group.stacked(torch.tensor(used, dtype=torch.float64)).tolist()
    if group.first:
        splines = [layer.splines.y for layer in found.layers]
        values = {
            "wall_s": time.monotonic() - started[1],
            "cpu_s": sum(every),
            "slowest_cpu_s": max(every),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "layers": len(found.layers),
            "digest": digest(*splines)[:16],
        }
        print(json.dumps(values))


def growths(options):
    """The growth of one GIS by several processes: of three runs each, in turn, the middle one."""
    for columns in options.columns:
        for rows in options.rows:
            words = ["grown", "--rows", rows, "--columns", columns, "--layers", options.layers]
            runs = [
                (count, of_torchrun(count, *words))
                for _ in range(3)
                for count in options.processes
            ]
            for count in options.processes:
                found = sorted(
                    (values for own, values in runs if own == count),
                    key=lambda values: values["slowest_cpu_s"],
                )
                save(options.out, "growth", rows, found[1], columns, "", count)


def write_shards(folder, count, side=64, shard=5000):
    """Write images of noise, which nothing packs, as PNG in shards; the bytes in the folder."""
    import numpy as np
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, count, shard)):
        rng = np.random.default_rng([0, number])
        pictures = []
        for _ in range(min(shard, count - start)):
            data = io.BytesIO()
            noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(noise).save(data, "PNG", compress_level=0)
            pictures.append(data.getvalue())
        table = pyarrow.table({"image": pictures})
        path = folder / f"train-{number:05d}.parquet"
        pyarrow.parquet.write_table(table, path, compression="none", row_group_size=500)
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def images(options):
    """A fit of image shards by the command: seconds and highest memory, whatever their number."""
    for count in options.rows:
        with tempfile.TemporaryDirectory(dir=options.folder.parent) as home:
            size = write_shards(Path(home) / "shards", count)
            words = ["fit", "glow", Path(home) / "shards", "-o", Path(home) / "model", "-q"]
            small = ["steps=20", "levels=2", "depth=2", "width=16", "batch_size=32"]
            words += [word for setting in small for word in ("--set", setting)]
            values = commanded(*words, "--seed", "0") | {"bytes": size}
        save(options.out, "images", count, values, what="glow, 20 steps")


def _exchanged():
    """Run in each of two processes: seconds of sending arrays of several sizes to each other."""
    import torch

    from pushforward.training.processes import Processes

    group = Processes()
    found = []
    for size in (1 << 10, 1 << 20, 1 << 27):
        seconds = {}
        for name, call in (
            ("gather", lambda size=size: group.gather(bytes(size))),
            ("sum", lambda size=size: group.sum(torch.zeros(size // 4))),
        ):
            times = []
            for _ in range(5):
                group.barrier()
                started = time.perf_counter()
                call()
                times.append(time.perf_counter() - started)
            seconds[name] = min(times)
        found.append({"bytes": size} | seconds)
    if group.first:
        print(json.dumps(found))


def messages(options):
    """Seconds of the two kinds of messages between two processes of this machine."""
    for found in of_torchrun(2, "exchanged"):
        values = {"gather_s": found["gather"], "sum_s": found["sum"]}
        save(options.out, "message", found["bytes"], values, processes=2)


def glow_flop(side, levels, steps=32, width=512):
    """Products and sums of the convolutions of a Glow for one image, forwards."""
    total = 0
    for level in range(levels):
        channels, pixels = 12 * 2**level, (side // 2 ** (level + 1)) ** 2
        coupling = 9 * (channels // 2) * width + width * width + 9 * width * channels
        total += 2 * pixels * steps * (coupling + channels * channels)
    return total


def networks(options):
    """Products of a published Glow: counted by torch at 32 x 32, by our formula at all sizes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from pushforward.models.flows.glow_network import GlowNetwork

    network = GlowNetwork((3, 32, 32), levels=3, steps=32, width=512)
    x = torch.rand(2, 3, 32, 32)
    network.initialise(x)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.log_prob(x[:1])
    values = {"counted_flop": counter.get_total_flops(), "forward_flop": glow_flop(32, 3)}
    values["parameters"] = sum(p.numel() for p in network.parameters())
    save(options.out, "network", 32, values, what="glow")
    save(options.out, "network", 256, {"forward_flop": glow_flop(256, 6)}, what="glow")


PARTS = {
    "layer": layers, "read": reads, "sample": samples, "alike": alike, "table": tables,
    "score": scores, "images": images, "growth": growths, "messages": messages,
    "networks": networks,
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser("python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("part", choices=[*PARTS, "exchanged", "grown"])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("big-table/parts"))
    parser.add_argument("--rows", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--columns", nargs="+", type=int, default=[10, 30, 100])
    parser.add_argument("--models", nargs="+", default=["gis"])
    parser.add_argument("--processes", nargs="+", type=int, default=[1])
    parser.add_argument(
        "--layers", type=int, default=1000, help="of the fits of `alike`, `growth`"
    )
    parser.add_argument("--what", nargs="+", default=["whole"], choices=["whole", "sample"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--distinct", type=int, help="parts of a table that are no links")
    parser.add_argument("--more", nargs="*", default=[], help="more options of the fit")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if options.part in ("exchanged", "grown"):
        _exchanged() if options.part == "exchanged" else _grown(options)
        return
    PARTS[options.part](options)


if __name__ == "__main__":
    main()
