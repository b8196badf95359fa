"""The studio's page: a slider's move to the new picture, a form's answer, many windows.

    python -m benchmarks.studio                  # all of it
    python -m benchmarks.studio start sliders    # some

`start` is the time from the command to the page, and to its first samples; of the second of two
starts, since the first compiles what an installed package has compiled. `sliders` are
edits and mixes by a Glow of the preset "fast" at 32 and 64 pixels in colour (two steps of
training: times do not depend on what was learned), the density of the new picture included; `form`
is an answer of a form of 30 columns (breast_cancer) with two cells fixed. `windows` are twenty of
them at once, each moving a slider forty times. Requests go over HTTP to a server of its own
process; medians and the slowest of ten, wall time, with the load of the machine; `cpu_ms` is what
the server computed for each, which is the wall time on a machine that does nothing else.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.common import RESULTS, run_all

KEY = ("what", "of")
SIDES = (32, 64)
N_WINDOWS, N_MOVES = 20, 40


class Client:
    """Questions over HTTP, as a page has them."""

    def __init__(self, address):
        self.place = urlsplit(address)
        self.cookie = None
        answer, _ = self.send("GET", f"/?{self.place.query}")
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.place.netloc, timeout=300)
        own = {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body, own | (headers or {}))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer, data

    def ask(self, path, **body):
        kind = {"Content-Type": "application/json"}
        answer, data = self.send("POST", f"/api/{path}", json.dumps(body), kind)
        assert answer.status == 200, data
        return json.loads(data)


class Served:
    """A studio in a process of its own."""

    def __init__(self, *words):
        self.began = time.perf_counter()
        command = [sys.executable, "-m", "pushforward", "studio", *map(str, words)]
        self.process = subprocess.Popen(
            [*command, "--no-browser", "--quiet"], stdout=subprocess.PIPE, text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.client = Client(self.process.stdout.readline().strip())

    def cpu(self):
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def timed(self, act, times=10):
        """Median and longest wall time of a function, and its mean CPU time here, in ms."""
        spent, cpu = [], self.cpu()
        for k in range(times):
            begun = time.perf_counter()
            act(k)
            spent.append(1000 * (time.perf_counter() - begun))
        own = 1000 * (self.cpu() - cpu) / times
        return {"ms": statistics.median(spent), "slowest_ms": max(spent), "cpu_ms": own}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


def glow(side, place):
    """The folder of a Glow and of images of that side."""
    import numpy as np

    import pushforward

    images = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    np.save(place / f"images{side}.npy", images)
    pushforward.Glow(steps=2, random_state=0).fit(images).save(place / f"glow{side}")
    return place / f"glow{side}", place / f"images{side}.npy"


def cells(place):
    """The folder of a model of thirty columns."""
    import pushforward

    X = pushforward.load_dataset("breast_cancer")
    pushforward.fit(X, random_state=0, minutes=0.5, verbose=False).save(place / "cells")
    return place / "cells"


def started(place):
    folder = cells(place)
    with Served(folder, "--data", "breast_cancer") as studio:
        studio.client.ask("studio")
    with Served(folder, "--data", "breast_cancer") as studio:
        page = time.perf_counter() - studio.began  # its HTML, before any model is opened
        studio.client.ask("studio")
        studio.client.ask("samples/draw", model="cells", n=100, seed=0)
        seconds, cpu = time.perf_counter() - studio.began, studio.cpu()
        return {"page_seconds": page, "seconds": seconds, "cpu_seconds": cpu}


def slid(side, place):
    folder, images = glow(side, place)
    with Served(folder, "--data", images) as studio:
        ask, model = studio.client.ask, folder.name
        a, b, *others = [x["handle"] for x in ask("data/images", model=model, n=8)["images"]]
        learned = ask("edit/learn", model=model, name="x", has=others[:3], has_not=others[3:])
        ask("mix/blend", model=model, a=a, b=b, share=0.5)

        def edit(k):
            slider = {"direction": learned["direction"], "amount": k / 10}
            ask("edit/apply", model=model, image=a, sliders=[slider])

        edited = studio.timed(edit)
        mixed = studio.timed(lambda k: ask("mix/blend", model=model, a=a, b=b, share=k / 10))
        return {**edited, "mix_ms": mixed["ms"], "mix_cpu_ms": mixed["cpu_ms"]}


def asked(place):
    with Served(cells(place), "--data", "breast_cancer") as studio:
        begun = time.perf_counter()

        def answer(k):
            given = {"0": 12 + k / 3, "3": 500 + 20 * k}
            return studio.client.ask("ask/answer", model="cells", given=given)

        while "preparing" in answer(0):
            time.sleep(0.2)
        prepared = time.perf_counter() - begun
        return {"prepared_seconds": prepared, **studio.timed(answer)}


def crowded(place):
    folder, images = glow(SIDES[0], place)
    failures, answered, spent = [], [0] * N_WINDOWS, []
    with Served(folder, "--data", images) as studio:

        def window(number):
            try:
                ask = Client(
                    f"http://{studio.client.place.netloc}/?{studio.client.place.query}"
                ).ask
                name = f"window {number}"
                found = ask("data/images", model=folder.name, n=2, window=name)["images"]
                ends = {"a": found[0]["handle"], "b": found[1]["handle"]}
                for k in range(N_MOVES):
                    begun = time.perf_counter()
                    share = k / N_MOVES
                    body = {"model": folder.name, "share": share, "window": name, **ends}
                    answered[number] += "png" in ask("mix/blend", **body)
                    spent.append(1000 * (time.perf_counter() - begun))
            except Exception as error:
                failures.append(repr(error))

        threads = [threading.Thread(target=window, args=(k,)) for k in range(N_WINDOWS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return {
        "failures": len(failures),
        "first_failure": failures[0] if failures else "",
        "answered": sum(answered),
        "ms": statistics.median(spent),
        "slowest_ms": max(spent),
    }


def work(what, of):
    """One row."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found = {
            "start": started, "form": asked, "windows": crowded,
            "sliders": lambda place: slid(int(of), place),
        }[what](place)  # fmt: skip
    return {"load": round(os.getloadavg()[0], 1), **found}


def main():
    """Measure what has no row yet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    all_of_it = ("start", "sliders", "form", "windows")
    parser.add_argument("what", nargs="*", default=list(all_of_it), metavar="|".join(all_of_it))
    parser.add_argument("--again", action="store_true", help="measure rows that are there")
    given = parser.parse_args()
    run_all(
        [
            {"what": what, "of": str(of)}
            for what in given.what
            for of in (SIDES if what == "sliders" else ("",))
        ],
        work=work,
        key=KEY,
        out=RESULTS / "studio.json",
        module="benchmarks.studio",
        timeout=lambda job: 1800,
        package=lambda job: "pushforward",
        again=given.again,
    )


if __name__ == "__main__":
    main()
