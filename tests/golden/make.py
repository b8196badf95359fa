"""Writes the golden folders: a small model of every class, and what it answers.

python tests/golden/make.py NAME ...

A folder is written once, by the code of its day, and then stays: what is learned anew here would
not show that older models still load. Run it for a new class or a new kind of state only.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import pushforward

HERE = Path(__file__).parent
SMALL = {"width": 2, "latent": 3, "batch_size": 8, "steps": 2, "device": "cpu", "random_state": 0}
LINES = ["one line", "two lines", "three", "four of them", "five"] * 8


def table(n=120):
    """Numbers, whole numbers, categories, dates, zeros: a column of every kind."""
    r = np.random.default_rng(0)
    kind = r.choice(["new", "known", "firm"], n, p=[0.5, 0.4, 0.1])
    return pd.DataFrame(
        {
            "x": r.normal(size=n),
            "spent": np.where(r.random(n) < 0.3, 0.0, np.exp(r.normal(3, 0.5, n)).round(2)),
            "items": r.poisson(3, n),
            "kind": kind,
            "code": pd.Series(kind).map({"new": 1, "known": 2, "firm": 3}),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(r.integers(0, 300, n), "D"),
            "member": r.random(n) < 0.5,
            "id": np.arange(n) + 1,
        }
    )


def numbers(n=120):
    x = np.random.default_rng(1).normal(size=(n, 3))
    x[:, 2] = np.exp(x[:, 2])
    return x


def amounts(n=120):
    """Three columns with atoms: zeros, zeros and a ceiling, and many zeros."""
    x = np.exp(numbers(n))
    r = np.random.default_rng(3)
    x[r.random(n) < 0.3, 0] = 0
    x[r.random(n) < 0.2, 1] = 0
    x[:, 1] = x[:, 1].clip(max=2)
    x[r.random(n) < 0.7, 2] = 0
    return x


def images(channels=1, n=40):
    r = np.random.default_rng(2)
    return r.integers(0, 256, size=(n, 8, 8, channels), dtype=np.uint8)


def _gan(name, **more):
    return lambda: getattr(pushforward, name)(**SMALL | more).fit(images())


def _alpha_gan():
    model = _gan("AlphaGAN")()
    # two megabytes that no answer depends on: zeros take no room in a repository
    for weights in model.networks_["code_critic"].parameters():
        torch.nn.init.zeros_(weights)
    return model


def _flow(name, **more):
    settings = {"steps": 2, "batch_size": 8, "device": "cpu", "random_state": 0} | more
    return lambda: getattr(pushforward, name)(**settings).fit(images())


def _refined():
    x = np.concatenate([numbers(200), numbers(200) + 4])
    base = pushforward.GIS(max_layers=1, random_state=0).fit(x)
    return pushforward.refine(base, x, method="rejection", random_state=0)


MODELS = {
    "auto": lambda: pushforward.AutoDensity(random_state=0).fit(table()),
    "auto_outliers": lambda: pushforward.AutoDensity(contamination=0, random_state=0).fit(
        numbers()
    ),
    "auto_atoms": lambda: pushforward.AutoDensity(random_state=0).fit(amounts()),
    "gis": lambda: pushforward.GIS(max_layers=5, knots=16, random_state=0).fit(numbers()),
    "table_sig": lambda: pushforward.TableSIG(layers=3, knots=16, random_state=0).fit(table()),
    "table_flow": lambda: pushforward.TableFlow(
        couplings=2, width=4, steps=5, random_state=0
    ).fit(numbers()),
    "table_gan": lambda: pushforward.TableGAN(**SMALL | {"width": 8, "depth": 1}).fit(table()),
    "character_gan": lambda: pushforward.CharacterGAN(**SMALL | {"length": 12, "blocks": 1}).fit(
        LINES
    ),
    "predictor": lambda: pushforward.Predictor("spent", minutes=1e-6, random_state=0).fit(table()),
    "sig": lambda: pushforward.SIG(
        layers=2, knots=8, samples=64, search_rows=32, search_steps=2, device="cpu", random_state=0
    ).fit(images()),
    "glow": _flow("Glow", levels=2, depth=1, width=4),
    "glow_conditional": lambda: pushforward.Glow(
        levels=1, depth=1, width=4, gaussianise=False, conditional=True, steps=2, batch_size=8,
        device="cpu", random_state=0,
    ).fit(images(3), np.arange(40) % 2),
    "realnvp": _flow("RealNVP", scales=1, width=2, blocks=1),
    "nice": _flow("NICE", couplings=(8, 8), width=8),
    "age": _gan("AGE"),
    "alpha_gan": _alpha_gan,
    "began": _gan("BEGAN", code=4),
    "dcgan": _gan("DCGAN"),
    "dcgan_relativistic": _gan("DCGAN", loss="relativistic", norm="none"),
    "dcgan_hidden": _gan("DCGAN", loss="relativistic", hidden=4),
    "dfm": _gan("DFM", features=16, layers=2),
    "ebgan": _gan("EBGAN"),
    "mmd_gan": _gan("MMDGAN"),
    "vae": _gan("VAE"),
    "vae_gan": _gan("VAEGAN"),
    "wgan": _gan("WGAN"),
    "wgan_gp": _gan("WGANGP"),
    "refined": _refined,
}  # fmt: skip


def answers(model, X=None):
    """What a model samples with seed 0, and its log densities of that, as arrays by name.

    Of a predictor what it says of some rows.

    Args:
        model: any.
        X: what to score; None for the samples.
    """
    if not hasattr(model, "sample"):
        rows = table(9)
        return {
            "predicted": model.predict(rows),
            "interval": model.predict_interval(rows),
            "log_prob": model.log_prob(rows),
        }
    sample = model.sample(6, random_state=0)
    scored = sample if X is None else X
    result = dict(_arrays(sample, "sample"))
    if hasattr(model, "score_samples"):
        result["scores"] = np.asarray(model.score_samples(scored))
    if hasattr(model, "decision_function"):
        result["decisions"] = np.asarray(model.decision_function(scored))
    return result


def sampled(arrays):
    """The sample among answers as the model gave it: what another processor may score, too."""
    columns = {
        key.removeprefix("sample."): value
        for key, value in arrays.items()
        if key.startswith("sample.")
    }
    if not columns:
        return arrays.get("sample")
    frame = pd.DataFrame(columns)
    return frame.assign(seen=pd.to_datetime(frame["seen"])) if "seen" in frame else frame


def _arrays(sample, name):
    if isinstance(sample, pd.DataFrame):
        for column in sample:
            values = sample[column]
            if values.dtype.kind not in "iufb":
                values = values.astype(str)
            yield f"{name}.{column}", np.array(values.to_list())
    else:
        yield name, np.array(sample)


def main():
    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        model = MODELS[name]()
        folder = model.save(HERE / name)
        np.savez_compressed(HERE / f"{name}.npz", **answers(model))
        size = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{name}: {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
