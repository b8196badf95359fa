"""Saves that are killed or raced, in forked processes: run by ``test_kills.py``.

``python killed_saves.py FOLDER COUNT`` prints one JSON line of what was seen, in both ways to
replace a folder. Forking saves the seconds that every worker would need to import torch.
"""

import json
import os
import random
import resource
import signal
import sys
import time
import warnings
from pathlib import Path

import torch

from pushforward.errors import ModelFileError
from pushforward.storage import atomic
from pushforward.storage.model_folder import read_folder, write_folder

SIZE = 20_000


def save(folder, value):
    config = {"value": value, "padding": [value] * 200}
    write_folder(folder, config, {"w": torch.full((SIZE,), float(value))}, f"# {value}\n" * 500)


def read(folder):
    """The value of the one whole model that is there; raises if there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "a save was killed": here it was
        config, tensors = read_folder(folder)
    value = config["value"]
    assert config["padding"] == [value] * 200
    assert torch.equal(tensors["w"], torch.full((SIZE,), float(value)))
    return value


def fork(work):
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print(f"worker: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def litter(folder):
    return [path.name for path in folder.parent.iterdir() if path.name != folder.name]


def random_kills(folder, count):
    """SIGKILL at random moments of an endless loop of saves of two models in turn."""
    rng = random.Random(0)
    save(folder, 0)
    read_values, midway, missing = [], 0, 0

    def work():
        for step in range(10**9):
            save(folder, step % 2)

    for _ in range(count):
        pid = fork(work)
        time.sleep(rng.uniform(0.005, 0.06))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        midway += bool(litter(folder))
        missing += not folder.exists()
        read_values.append(read(folder))
    save(folder, 1)
    return {"values": read_values, "midway": midway, "missing": missing, "left": litter(folder)}


CALLS = ["mkdir", "open", "fsync", "rename", "unlink", "rmdir", "close"]


def kill_at_every_call(folder, count):
    """A kill before and after each system call of a save that replaces model 0 with model 1."""
    values, steps, missing = [], 0, 0
    for after in (False, True):
        for at in range(10**6):
            save(folder, 0)
            assert not litter(folder)

            def work(at=at, after=after):
                left = at

                def deadly(call):
                    def wrapped(*args, **kwargs):
                        nonlocal left
                        left -= 1
                        if left < 0 and not after:
                            os.kill(os.getpid(), signal.SIGKILL)
                        result = call(*args, **kwargs)
                        if left < 0:
                            os.kill(os.getpid(), signal.SIGKILL)
                        return result

                    return wrapped

                for name in CALLS:
                    setattr(os, name, deadly(getattr(os, name)))
                atomic._exchange = deadly(atomic._exchange)
                save(folder, 1)

            _, status = os.waitpid(fork(work), 0)
            missing += not folder.exists()
            values.append(read(folder))
            if not os.WIFSIGNALED(status):
                assert status == 0
                break
            steps += 1
    return {"values": values, "steps": steps, "missing": missing, "left": litter(folder)}


def race(folder, count):
    """Two processes save to one folder while this one reads: every read gives a whole model."""
    save(folder, 0)

    def work(value):
        for _ in range(count):
            save(folder, value)

    pids = [fork(lambda value=value: work(value)) for value in (0, 1)]
    values, statuses = [], []
    while pids:
        values.append(read(folder))
        for pid in list(pids):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                pids.remove(pid)
                statuses.append(status)
    values.append(read(folder))
    return {"values": values, "statuses": statuses, "left": litter(folder)}


def full_disk(folder, count):
    """The system refuses more than so many bytes in a file, as a full disk does midway."""
    save(folder, 0)
    errors, values = [], []
    for limit in (0, 1, 100, 4096, 20_000, 79_000):

        def work(limit=limit):
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            try:
                save(folder, 1)
            except ModelFileError:
                os._exit(7)

        _, status = os.waitpid(fork(work), 0)
        errors.append(os.waitstatus_to_exitcode(status))
        values.append(read(folder))
        assert not litter(folder)
    return {"values": values, "errors": errors, "left": litter(folder)}


def main(home, count):
    torch.set_num_threads(1)
    exchange = atomic._exchange
    seen = {}
    for way in ("exchange", "renames"):
        atomic._exchange = exchange if way == "exchange" else lambda new, target: False
        for case in (random_kills, kill_at_every_call, race, full_disk):
            folder = home / f"{case.__name__} {way}" / "model"
            seen[f"{case.__name__} {way}"] = case(folder, count)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
