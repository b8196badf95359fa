"""The studio's page: a slider's move to the new picture, a form's answer, windows, attacks.

    python -m benchmarks.studio                  # all of it
    python -m benchmarks.studio start sliders    # some

`start` is the time from the command to a page that has answered its first question. `sliders` are
edits and mixes by a Glow of the preset "fast" at 32 and 64 pixels in colour (two steps of
training: times do not depend on what was learned), the density of the new picture included;
`form` is an answer of a form of 30 columns (breast_cancer) with two cells fixed. `windows` are
twenty of them at once, each moving a slider forty times. `malformed` sends 10,000 requests and
uploads that are broken in many ways, and looks at the answers, at the memory and at the files
around. Requests go over HTTP to a server of its own process; medians and the slowest of ten, wall
time, with the load of the machine; `cpu_ms` is what the server computed for each, which is the
wall time on a machine that does nothing else.
"""

import argparse
import http.client
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from benchmarks.common import RESULTS, run_all

KEY = ("what", "of")
SIDES = (32, 64)
N_WINDOWS, N_MOVES, N_MALFORMED = 20, 40, 10_000


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
            [*command, "--no-browser", "--quiet"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.client = Client(self.process.stdout.readline().strip())

    def memory(self):
        """Resident memory in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0]) / 1024

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
    with Served(cells(place), "--data", "breast_cancer") as studio:
        studio.client.ask("studio")
        studio.client.ask("samples/draw", model="cells", n=100, seed=0)
        return {"seconds": time.perf_counter() - studio.began, "cpu_seconds": studio.cpu()}


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


VALUES = (
    None, True, -1, 0, 1, 3.7, 1e308, 10**30, "", "x", "../../etc/passwd", "\0", "\ud800",
    "é" * 500, [], [[]], {}, {"a": 1}, [1] * 1000, "glow32", ["glow32"], {"__proto__": {}},
)  # fmt: skip
NAMES = (
    "model", "window", "place", "n", "seed", "temperature", "label", "given", "row", "a", "b",
    "share", "steps", "image", "sliders", "levels_on", "level_scales", "direction", "has",
    "has_not", "name", "trait", "upload", "images", "count", "models", "rows", "method", "job",
    "tab",
)  # fmt: skip
PATHS = (
    *(f"samples/{x}" for x in ("draw", "no")), *(f"ask/{x}" for x in ("form", "answer", "row")),
    "ask/plausibility", "mix/blend", "mix/strip", "edit/learn", "edit/apply", "edit/save",
    "strange/score", "refine/start", "refine/pairs", "compare/start", "job/poll", "job/x",
    "data/images", "progress", "../x", "%00", "no/no",
)  # fmt: skip
FILES = (
    "a.png",
    "a.npy",
    "a.npz",
    "a.csv.gz",
    "a.parquet",
    "a.xlsx",
    "../../a.png",
    "a",
    "\0.png",
)


def attack(client, rng, real):
    """Send one request that no page would send; its status."""
    kind = rng.randrange(6)
    if kind == 0:  # fields of wrong values; never a model that is there
        body = {name: rng.choice(VALUES) for name in rng.sample(NAMES, rng.randrange(1, 12))}
        body["model"] = rng.choice([v for v in VALUES if v != "glow32"])
        data, given = json.dumps(body), {"Content-Type": "application/json"}
        return client.send("POST", f"/api/{rng.choice(PATHS[:-6])}", data, given)[0].status
    if kind == 1:  # no JSON
        data = rng.choice((b"", b"{", b"[" * 50_000, b"\x80\x04K\x01.", b"\xff\xfe", b"1", b"{}x"))
        given = {"Content-Type": rng.choice(("application/json", "text/plain", "", "x" * 500))}
        return client.send("POST", f"/api/{rng.choice(PATHS)}", data, given)[0].status
    if kind == 2:  # files that are none, and real ones that were cut or changed
        data = bytearray(rng.choice(real))
        for _ in range(rng.randrange(1, 20)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        data = bytes(data[: rng.randrange(1, len(data) // 2)])
        query = urlencode({"model": "glow32", "name": rng.choice(FILES)})
        return client.send("POST", f"/upload?{query}", data)[0].status
    if kind == 3:  # methods and addresses that are not there
        method = rng.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET"))
        path = rng.choice(("/api/studio", "/page/../server.py", "/page/%2e%2e/x", "/upload", "//"))
        return client.send(method, path)[0].status
    if kind == 4:  # other hosts and origins
        given = rng.choice(
            ({"Host": "evil"}, {"Origin": "http://evil"}, {"Cookie": "studio=1"},
             {"Sec-Fetch-Site": "cross-site"}, {"X": "y" * 20_000})
        )  # fmt: skip
        given = {"Content-Type": "application/json", **given}
        if "Cookie" in given:
            held, client.cookie = client.cookie, None
            try:
                return client.send("POST", "/api/studio", "{}", given)[0].status
            finally:
                client.cookie = held
        return client.send("POST", "/api/studio", "{}", given)[0].status
    what = rng.choice(("samples", "scores", "x"))
    query = urlencode({name: str(rng.choice(VALUES[:9])) for name in rng.sample(NAMES, 4)})
    return client.send("GET", f"/download/{what}?{query}")[0].status


def broken(place):
    import numpy as np
    from PIL import Image

    folder, images = glow(SIDES[0], place)
    pixels, data = np.load(images), io.BytesIO()
    Image.fromarray(pixels[0]).save(data, "PNG")
    real = [data.getvalue(), images.read_bytes()[:20_000], b"a,b\n1,2\n" * 100]
    rng, statuses = random.Random(0), {}
    work = place / "work"
    work.mkdir()
    before = set(place.rglob("*"))
    here = os.getcwd()
    os.environ["TMPDIR"] = str(work)
    with Served(folder, "--data", images) as studio:
        os.environ.pop("TMPDIR")
        inside = {path for path in work.rglob("*") if path.is_file()}
        for _ in range(1000):
            attack(studio.client, rng, real)
        first = studio.memory()
        for _ in range(N_MALFORMED):
            status = attack(studio.client, rng, real)
            statuses[status] = statuses.get(status, 0) + 1
        grown = studio.memory() - first
        left = {path for path in work.rglob("*") if path.is_file()} - inside
        alive = studio.client.ask("studio")["models"][0]["name"] == "glow32"
    outside = {p for p in place.rglob("*") if work not in p.parents and p != work} - before
    assert os.getcwd() == here
    other = {k: n for k, n in statuses.items() if not 400 <= k < 500}
    return {
        "requests": sum(statuses.values()),
        "statuses": {str(k): n for k, n in sorted(statuses.items())},
        "not_4xx": sum(other.values()),
        "grown_mib": grown,
        "files_left": len(left),
        "files_outside": len(outside),
        "alive": alive,
    }


def work(what, of):
    """One row."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        found = {
            "start": started, "form": asked, "windows": crowded, "malformed": broken,
            "sliders": lambda place: slid(int(of), place),
        }[what](place)  # fmt: skip
    return {"load": round(os.getloadavg()[0], 1), **found}


def main():
    """Measure what has no row yet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    all_of_it = ("start", "sliders", "form", "windows", "malformed")
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
