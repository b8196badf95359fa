"""Requests to a studio that no page would send: only 4xx answers, memory flat, no file outside.

``python tests/attacks/malformed_requests.py --count 10000`` starts ``pushforward studio`` of two
golden models in a process of its own, sends it broken questions, uploads, methods, hosts and
downloads, and says what it answered, by how much its memory grew in the second half, which
files are left in its folder, and which lie anywhere else.
"""

import argparse
import http.client
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
from PIL import Image

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MODELS = ("gis", "glow")
JSON = {"Content-Type": "application/json"}

VALUES = (
    None, True, -1, 0, 1, 3.7, 1e308, 10**30, "", "x", "../../etc/passwd", "\0", "\ud800",
    "é" * 500, [], [[]], {}, {"a": 1}, [1] * 1000, ["x"], {"__proto__": {}}, {"0": 1, "x": 2},
)  # fmt: skip
FIELDS = (
    "window", "place", "n", "seed", "temperature", "label", "given", "row", "a", "b", "share",
    "steps", "image", "sliders", "levels_on", "level_scales", "direction", "has", "has_not",
    "name", "trait", "upload", "images", "count", "models", "rows", "method", "job", "tab",
)  # fmt: skip
QUESTIONS = (  # none of them has an answer without a handle, or data
    "mix/blend", "mix/strip", "edit/learn", "edit/apply", "edit/save", "strange/score",
    "refine/start", "refine/pairs", "compare/start", "job/poll", "job/x", "samples/x", "x/y",
    "../x", "%00",
)  # fmt: skip
FOR_OTHERS = (
    "samples/draw",
    "ask/form",
    "ask/answer",
    "ask/row",
    "ask/plausibility",
    "data/images",
)
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
ELSEWHERE = (
    {"Host": "evil"}, {"Host": ""}, {"Origin": "http://evil"}, {"Origin": "null"},
    {"Cookie": "studio=1"}, {"Sec-Fetch-Site": "cross-site"}, {"X": "y" * 20_000},
)  # fmt: skip


@dataclass
class Tally:
    """What came of an attack.

    Attributes:
        statuses: how often each was answered.
        grown: MiB of memory in the second half.
        left: files in the studio's folder that were not there before.
        outside: files anywhere else.
        alive: whether a plain question is answered afterwards.
    """

    statuses: Counter = field(default_factory=Counter)
    grown: float = 0.0
    left: list = field(default_factory=list)
    outside: list = field(default_factory=list)
    alive: bool = False

    @property
    def faults(self):
        """Answers that are no refusals."""
        return {k: n for k, n in self.statuses.items() if not 400 <= k < 500}


class Sender:
    """Requests over connections of their own, with the cookie of the page."""

    def __init__(self, address):
        self.place, self.cookie = urlsplit(address), None
        answer = self.send("GET", f"/?{self.place.query}")
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.place.netloc, timeout=120)
        own = {"Cookie": self.cookie} if self.cookie else {}
        connection.request(method, path, body, own | (headers or {}))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer


def wrong_fields(sender, rng, real):
    body = {name: rng.choice(VALUES) for name in rng.sample(FIELDS, rng.randrange(1, 12))}
    if rng.random() < 0.5:  # a model that is there, asked what needs more than it
        body["model"] = rng.choice(MODELS)
        question = rng.choice(QUESTIONS)
    else:
        body["model"] = rng.choice(VALUES)
        question = rng.choice(QUESTIONS + FOR_OTHERS)
    return sender.send("POST", f"/api/{question}", json.dumps(body), JSON)


def no_json(sender, rng, real):
    data = rng.choice((b"", b"{", b"[" * 50_000, b"\x80\x04K\x01.", b"\xff\xfe", b"1", b"{}x"))
    kind = rng.choice(("application/json", "text/plain", "", "x" * 500))
    path = f"/api/{rng.choice(QUESTIONS + FOR_OTHERS)}"
    return sender.send("POST", path, data, {"Content-Type": kind})


def broken_file(sender, rng, real):
    data = bytearray(rng.choice(real))
    for _ in range(rng.randrange(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    data = bytes(data[: rng.randrange(0, len(data) // 2)])
    query = urlencode({"model": rng.choice(MODELS), "name": rng.choice(FILES)})
    return sender.send("POST", f"/upload?{query}", data)


def no_address(sender, rng, real):
    method = rng.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET"))
    path = rng.choice(("/api/studio", "/page/../server.py", "/page/%2e%2e/x", "/upload", "//"))
    return sender.send(method, path)


def from_elsewhere(sender, rng, real):
    given = rng.choice(ELSEWHERE)
    if "Cookie" not in given:
        return sender.send("POST", "/api/studio", "{}", JSON | given)
    held, sender.cookie = sender.cookie, None
    try:
        return sender.send("POST", "/api/studio", "{}", JSON | given)
    finally:
        sender.cookie = held


def no_download(sender, rng, real):
    query = urlencode({name: str(rng.choice(VALUES[:9])) for name in rng.sample(FIELDS, 4)})
    return sender.send("GET", f"/download/{rng.choice(('samples', 'scores', 'x'))}?{query}")


KINDS = (wrong_fields, no_json, broken_file, no_address, from_elsewhere, no_download)


def files_to_break():
    """Contents of files that a model would take."""
    image = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    png, npy = io.BytesIO(), io.BytesIO()
    Image.fromarray(image).save(png, "PNG")
    np.save(npy, image[None])
    return [png.getvalue(), npy.getvalue(), b"a,b\n1,2\n" * 100]


def files_in(place):
    return {path for path in place.rglob("*") if path.is_file()}


def attack(count, seed=0):
    """Send so many requests, and look at what came of them."""
    rng, real, tally = random.Random(seed), files_to_break(), Tally()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        work, here = place / "work", place / "here"
        work.mkdir()
        here.mkdir()
        words = [sys.executable, "-m", "pushforward", "studio", *(str(GOLDEN / m) for m in MODELS)]
        process = subprocess.Popen(
            [*words, "--no-browser", "--quiet"], stdout=subprocess.PIPE, text=True, cwd=here,
            env=os.environ | {"TMPDIR": str(work), "HOME": str(here)},
        )  # fmt: skip
        try:
            sender = Sender(process.stdout.readline().strip())
            begun, first = files_in(work), 0.0
            for k in range(count):
                tally.statuses[rng.choice(KINDS)(sender, rng, real).status] += 1
                if k == count // 2:
                    first = resident(process.pid)
            tally.grown = resident(process.pid) - first
            tally.left = sorted(map(str, files_in(work) - begun))
            tally.alive = sender.send("POST", "/api/studio", "{}", JSON).status == 200
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()
        tally.outside = sorted(map(str, files_in(here) | files_in(work)))  # all goes at the end
    return tally


def resident(pid):
    """Memory of a process in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally = attack(options.count, options.seed)
    print(
        f"{dict(sorted(tally.statuses.items()))}, memory grown by {tally.grown:.1f} MiB, files "
        f"left {len(tally.left)}, after its end {len(tally.outside)}, alive {tally.alive}"
    )
    return bool(tally.faults or tally.left or tally.outside or not tally.alive)


if __name__ == "__main__":
    sys.exit(main())
