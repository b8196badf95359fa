"""Small models in folders, a studio of them, and a browser where there is one."""

import http.client
import json
import threading
from urllib.parse import urlencode, urlsplit

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.refinement import density_ratio, ratio_network


def made_table(n=240):
    rng = np.random.default_rng(0)
    group = rng.choice(3, size=n)
    length = rng.normal(2.0 * group, 0.5)
    return pd.DataFrame(
        {
            "length": length.round(2),
            "width": (0.5 * length + rng.normal(0, 0.2, n)).round(2),
            "count": rng.poisson(3 + 2 * group),
            "group": np.array(["red", "green", "blue"], dtype=object)[group],
        }
    )


def made_images(n=240, side=8):
    """Bright squares at random places: class 1 where they are in the lower half."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (n, side, side), dtype=np.uint8)
    lower = rng.integers(0, 2, n)
    for image, down in zip(images, lower, strict=True):
        row, column = rng.integers(0, side // 2 - 2, 2)
        row += down * side // 2
        image[row : row + 3, column : column + 3] = 230
    return images, lower


MODELS = ("rows-model", "glow", "sig", "refined", "length-model")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of models, and the data of each kind: fitted in seconds."""
    for name in ("starlette", "uvicorn"):
        pytest.importorskip(name, reason="the extra studio is not installed")
    place = tmp_path_factory.mktemp("studio")
    table = made_table()
    table.to_csv(place / "rows.csv", index=False)
    rows = pushforward.fit(table, minutes=0.03, random_state=0, verbose=False)
    rows.save(place / "rows-model")
    predictor = pushforward.Predictor("length", minutes=0.001, random_state=0)
    predictor.fit(table[:60]).save(place / "length-model")
    longer = table.assign(length=table["length"] + 1)  # so that there is something to choose by
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ratio_network, "_WIDTH", 4)
        for name, number in (("_POOLED", 400), ("_STEPS", 100), ("_STEPS_THAT_WEIGH", 100)):
            patch.setattr(density_ratio, name, number)
        refined = pushforward.refine(
            rows, longer, method="rejection", settings={"budget": 2.0}, random_state=0
        )
    refined.save(place / "refined")
    images, lower = made_images()
    np.savez(place / "squares.npz", X=images, y=lower)
    glow = pushforward.Glow(steps=20, levels=2, depth=2, width=8, random_state=0)
    glow.fit(images).save(place / "glow")
    sig = pushforward.SIG(layers=2, knots=16, samples=40, search_steps=1, random_state=0)
    sig.fit(images).save(place / "sig")
    return place


class Client:
    """Questions as the page sends them, over a connection of its own."""

    def __init__(self, address):
        self.address = urlsplit(address)
        status, headers, _ = self.request("GET", f"/?{self.address.query}")
        assert status == 200
        self.cookie = headers["set-cookie"].partition(";")[0]

    def request(self, method, path, body=None, headers=None):
        """Status, headers and body of the answer."""
        connection = http.client.HTTPConnection(self.address.netloc, timeout=60)
        cookie = {"Cookie": self.cookie} if hasattr(self, "cookie") else {}
        connection.request(method, path, body, cookie | (headers or {}))
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found

    def ask(self, address, status=200, **body):
        """The answer to a question, as JSON."""
        given = {"Content-Type": "application/json"}
        found, _, data = self.request("POST", f"/api/{address}", json.dumps(body), given)
        assert found == status, data
        return json.loads(data)

    def upload(self, model, name, data, status=200):
        """What is made of a file."""
        query = urlencode({"model": model, "name": name})
        found, _, answer = self.request("POST", f"/upload?{query}", data)
        assert found == status, answer
        return json.loads(answer)


@pytest.fixture(scope="session")
def studio(folders, tmp_path_factory):
    """A studio of all models, and its address."""
    from pushforward.studio.serve import Studio
    from pushforward.studio.workspace import Workspace

    models = [folders / name for name in MODELS]
    directions = tmp_path_factory.mktemp("directions")
    workspace = Workspace(
        models, [str(folders / name) for name in ("rows.csv", "squares.npz")], directions
    )
    made = Studio(lambda: workspace)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    yield made
    made.stop()
    thread.join(10)


@pytest.fixture(scope="session")
def client(studio):
    return Client(studio.address)
