"""Fits that are killed at random moments and repeated: each ends in the same bits.

``python tests/attacks/killed_fits.py --kills 200`` kills fits of every family, two to five times
each, then lets them end, and compares all their tensors with those of a fit that nobody killed.
One JSON line says what was seen. Forking saves the seconds that every fit would need to import
torch.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

import pushforward
from pushforward.estimators.base import packed
from pushforward.storage import checkpoint
from pushforward.training import save_pace

SMALL = {"latent": 3, "width": 2, "batch_size": 8, "device": "cpu", "random_state": 0}


def numbers(n=150):
    return np.random.default_rng(1).standard_normal((n, 4))


def mixed(n=150):
    import pandas as pd

    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {"a": rng.standard_normal(n), "k": rng.integers(0, 5, n), "w": rng.choice(list("xyz"), n)}
    )


def images(n=60):
    return np.random.default_rng(3).integers(0, 256, (n, 8, 8), dtype=np.uint8)


def _lines():
    return [f"line {k % 7} of {k % 5}" for k in range(60)]


def _refined(folder):
    x = np.concatenate([numbers(), numbers() + 3])
    base = pushforward.load(Path(__file__).parents[1] / "golden" / "gis")
    model = pushforward.refinement.RefinedModel(base, method="rejection", random_state=0)
    return model.fit(x[:, :3], folder=folder)


FITS = {
    "gis": lambda f: pushforward.GIS(max_layers=12, patience=12, random_state=0).fit(
        numbers(), folder=f
    ),
    "auto": lambda f: pushforward.AutoDensity(random_state=0).fit(mixed(40), folder=f),
    "table_flow": lambda f: pushforward.TableFlow(steps=40, random_state=0).fit(mixed(), folder=f),
    "table_gan": lambda f: pushforward.TableGAN(**SMALL, steps=30).fit(mixed(), folder=f),
    "sig": lambda f: pushforward.SIG(
        layers=3, samples=64, search_rows=32, search_steps=3, device="cpu", random_state=0
    ).fit(images(), folder=f),
    "glow": lambda f: pushforward.Glow(
        depth=1, width=4, levels=1, steps=15, batch_size=8, device="cpu", random_state=0
    ).fit(images(), folder=f),
    "dcgan": lambda f: pushforward.DCGAN(**SMALL, steps=20).fit(images(), folder=f),
    "alpha_gan": lambda f: pushforward.AlphaGAN(**SMALL, steps=6).fit(images(), folder=f),
    "vae": lambda f: pushforward.VAE(**SMALL, steps=25).fit(images(), folder=f),
    "character_gan": lambda f: pushforward.CharacterGAN(
        **SMALL, blocks=1, length=12, steps=12
    ).fit(_lines(), folder=f),
    "refined": _refined,
}


def bits(model):
    """All tensors of a model, by name, as they are in memory."""
    _, tensors = packed(model)
    return {name: (str(t.dtype), t.cpu().numpy().tobytes()) for name, t in tensors.items()}


def fork(work):
    pid = os.fork()
    if pid:
        return pid
    try:
        with open(os.devnull, "w") as sink:
            os.dup2(sink.fileno(), 1)
        work()
        os._exit(0)
    except BaseException as error:
        print(f"worker: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def attack(name, kills, rng, home):
    """Kill the fit of a family so many times, and say how many of its ends were the same."""
    fit = FITS[name]
    fit(home / "imports")  # what is imported on the way takes longer than a fit
    begun = time.monotonic()
    expected = bits(fit(home / "whole"))
    whole = time.monotonic() - begun
    seen = {"kills": 0, "with_work": 0, "ends": 0, "same": 0}
    while seen["kills"] < kills:
        folder = home / f"{name} {seen['ends']}"
        for _ in range(min(rng.randrange(2, 6), kills - seen["kills"])):
            pid = fork(lambda folder=folder: fit(folder))
            time.sleep(rng.uniform(0, whole))
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            seen["kills"] += os.WIFSIGNALED(status)
            seen["with_work"] += next(folder.rglob("config.json"), None) is not None
            if not os.WIFSIGNALED(status):
                break  # it had ended before
        again = bits(fit(folder))
        seen["ends"] += 1
        seen["same"] += again == expected
        shutil.rmtree(folder, ignore_errors=True)
    return seen


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=22)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=list(FITS))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    # every finished step is written, so that kills hit writings and find work to go on from
    # a name that was changed would leave them nothing to go on from
    for module, name, value in (
        (save_pace, "SAVE_SECONDS", 0.0),
        (save_pace, "_SHARE", 1e9),
        (checkpoint, "_EVERY", 0.0),
        (checkpoint, "_SHARE", 1e9),
    ):
        assert hasattr(module, name), name
        setattr(module, name, value)
    os.fsync = lambda descriptor: None  # what a killed process wrote, the system still has
    names = options.only or list(FITS)
    rng, seen = random.Random(options.seed), {}
    for place, name in enumerate(names):
        share = options.kills // len(names) + (place < options.kills % len(names))
        with tempfile.TemporaryDirectory() as home:
            seen[name] = attack(name, share, rng, Path(home))
        print(name, seen[name], file=sys.stderr, flush=True)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
