"""Data files of every kind that are read, damaged at random, and what opening them costs.

``python tests/attacks/mutated_files.py --count 5000`` says what was not answered by data or by a
DataError, in how long, and with how much memory. The tests run a small share of the same.
"""

import argparse
import datetime
import gzip
import io
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from mutated_folders import (
    HUNG,
    MIB,
    ROOM,
    SLOW,
    Tally,
    _forget_peak,
    _give_up,
    _Hung,
    _last_line,
    _resident,
)

from pushforward.data import open_images, open_table, open_text
from pushforward.errors import DataError

WORDS = [b"", b"\0", b"\xff", b'"', b"'", b",", b";", b"\t", b"\r", b"\n", b"\n\n", b"1e999"]
WORDS += [b"NaN", b"\xef\xbb\xbf", b"\xff\xfe", b"(", b"{", b"<", b"\x80", b"9" * 30, b"2**"]


def frame(rows=30):
    rng = np.random.default_rng(0)
    start = datetime.datetime(2020, 1, 1)
    return pd.DataFrame(
        {
            "a": rng.standard_normal(rows),
            "count": rng.integers(0, 9, rows),
            "word": rng.choice(["red", "green", "blue"], rows),
            "when": [start + datetime.timedelta(days=int(k)) for k in range(rows)],
            "yes": rng.random(rows) < 0.5,
        }
    )


def _saved(write, *args, **options):
    file = io.BytesIO()
    write(file, *args, **options)
    return file.getvalue()


def _png(size=8):
    from PIL import Image

    picture = np.arange(size * size * 3, dtype=np.uint8).reshape(size, size, 3)
    return _saved(Image.fromarray(picture).save, format="PNG")


def _idx(images):
    sides = b"".join(side.to_bytes(4, "big") for side in images.shape)
    return b"\0\0\x08" + bytes([images.ndim]) + sides + images.tobytes()


def _mat(images):
    from scipy.io import savemat

    x = images.reshape(-1, 8, 8, 1).repeat(3, 3).transpose(1, 2, 3, 0)
    return _saved(savemat, {"X": x, "y": np.ones((len(images), 1), np.uint8)})


def corpus():
    """Whole files by name, a few kilobytes each, of every kind that is read."""
    table = frame()
    zoned = table.assign(when=table["when"].dt.tz_localize("Europe/Berlin"))
    numbers = table[["a", "count"]].to_numpy()
    csv = table.to_csv(index=False).encode()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8), dtype=np.uint8)
    labels = np.arange(12) % 3
    text = b"one line .\nand another one .\n" * 20
    return {
        "table.csv": csv,
        "table.csv.gz": gzip.compress(csv, mtime=0),
        "table.tsv": table.to_csv(index=False, sep="\t").encode(),
        "table.xlsx": _saved(table.to_excel, index=False),
        "table.parquet": _saved(zoned.to_parquet),
        "table.feather": _saved(zoned.to_feather),
        "table.npy": _saved(np.save, numbers),
        "table.npz": _saved(np.savez_compressed, X=numbers),
        "stored.npz": _saved(np.savez, X=numbers),
        "images.npz": _saved(np.savez_compressed, images=images, labels=labels),
        "images.npy": _saved(np.save, images),
        "images-idx3-ubyte": _idx(images),
        "images-idx3-ubyte.gz": gzip.compress(_idx(images), mtime=0),
        "digits.mat": _mat(images),
        "picture.png": _png(),
        "pictures.parquet": _saved(
            pd.DataFrame({"image": [{"bytes": _png()}] * 3, "label": [0, 1, 0]}).to_parquet
        ),
        "lines.txt": text,
        "lines.txt.gz": gzip.compress(text, mtime=0),
    }


def mutate(rng, data):
    """Some edits of a file, as damage and forgers make them."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5, 20])):
        at, stop = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        kind = rng.randrange(9)
        if kind == 0 and data:
            data[min(at, len(data) - 1)] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[min(at, len(data) - 1)] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        elif kind == 2:
            data[at:at] = rng.choice(WORDS)
        elif kind == 3:
            data[at : at + rng.randrange(1, 9)] = rng.choice(WORDS)
        elif kind == 4:
            del data[at : min(stop, at + 64)]
        elif kind == 5:
            data[at:at] = data[at : min(stop, at + 256)]
        elif kind == 6:
            del data[at:]
        elif kind == 7:
            data[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f"])
        else:
            data[at : at + 8] = rng.randbytes(8)
    return bytes(data)


def mutate_within(rng, name, data):
    """Edits inside of what is packed, so that damage gets behind the checks of the packing."""
    if name.endswith(".gz"):
        return gzip.compress(mutate(rng, gzip.decompress(data)), mtime=0)
    return mutate(rng, data)


def use(path):
    """Read a file as the commands and models do, whole and in parts."""
    name = path.name
    if name.startswith("lines"):
        open_text(path)
    elif name.startswith(("table", "stored")):
        table = open_table(path)
        repr(table), table.columns, table.note, table.n_rows
        table.read()
        for _ in table.batches(7):
            pass
    else:
        found = open_images(path)
        repr(found), found.images[:], found.labels


def outcome(path):
    """ "read", "refused" or what a caller would not expect; seconds, and bytes of memory."""
    _forget_peak()
    before, begun = _resident("VmRSS"), time.process_time()
    signal.alarm(HUNG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            use(path)
        word = "read"
    except DataError as error:
        word = "refused" if str(path.name) in str(error) else f"unnamed: {error}"
    except _Hung:
        word = "hung: " + _last_line(traceback.format_exc())
    except Exception:
        word = _last_line(traceback.format_exc())
    finally:
        signal.alarm(0)
    return word, time.process_time() - begun, _resident("VmHWM") - before


def attack(count, seed=0, only=None, progress=None):
    """Damage the files of the corpus in turn, ``count`` times in all."""
    rng = random.Random(f"files {seed}")
    tally = Tally()
    whole = {k: v for k, v in corpus().items() if only is None or k in only}
    signal.signal(signal.SIGALRM, _give_up)
    with tempfile.TemporaryDirectory() as parent:
        for name, data in whole.items():  # what is imported on the way costs memory once
            (Path(parent) / name).write_bytes(data)
            use(Path(parent) / name)
        for number in range(count):
            name = list(whole)[number % len(whole)]
            change = mutate_within if rng.random() < 0.5 else lambda r, _, d: mutate(r, d)
            data = change(rng, name, whole[name])
            path = Path(parent) / name
            path.unlink()
            path.write_bytes(data)
            word, seconds, extra = outcome(path)
            short = word if word in ("read", "refused") else "bare"
            tally.words[short] += 1
            tally.slow += seconds > SLOW
            tally.slowest, tally.largest = max(tally.slowest, seconds), max(tally.largest, extra)
            if short == "bare" or extra > 2 * len(data) + ROOM:
                tally.faults.append((name, word, seconds, extra))
                if progress:
                    progress(f"{name}: {word} {seconds:.2f} s {extra / MIB:.0f} MiB")
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    tally = attack(options.count, options.seed, options.only, progress=print)
    print(
        dict(tally.words),
        f"slowest {tally.slowest:.2f} s, {tally.slow} over {SLOW:.0f} s, most memory "
        f"{tally.largest / MIB:.0f} MiB, faults {len(tally.faults)}",
    )
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main())
