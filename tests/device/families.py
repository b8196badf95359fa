"""A tiny model of every family, and data for it: what the tests on a device go through."""

import numpy as np
import pandas as pd

import pushforward

_RUN = {"steps": 2, "batch_size": 8, "random_state": 0}
_GAN = {"width": 2, "latent": 3, **_RUN}
_SIG = {"layers": 1, "knots": 16, "search_steps": 3, "samples": 1, "random_state": 0}
_GROWN = {"max_layers": 3, "search_steps": 3, "knots": 16, "random_state": 0}


def images(side, channels=1, n=48):
    """Waves of four kinds under noise, and their kinds: (n, side, side, channels) uint8, (n,)."""
    rng = np.random.default_rng(0)
    kind = np.arange(n) % 4
    level = rng.uniform(40, 200, (4, 1, 1, channels))[kind]
    wave = 30 * np.sin(np.arange(side)[None, :, None, None] / 3 + kind[:, None, None, None])
    noise = rng.normal(0, 12, (n, side, side, channels))
    return (level + wave + noise).clip(0, 255).astype(np.uint8), kind


def numbers(n=160):
    """Two clusters in the plane, (n, 2)."""
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 2)) + 5 * (np.arange(n) % 2)[:, None]


def mixed(n=160):
    """A table of numbers, whole numbers, categories, and zeros in a column of numbers."""
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "spent": np.where(rng.random(n) < 0.3, 0.0, rng.gamma(2.0, size=n)),
            "items": rng.poisson(3, n),
            "kind": rng.choice(["new", "known", "firm"], n),
        }
    )


LINES = ["The cat sat .", "A dog ran off .", "Cats and dogs !", "It rained all day ."] * 12


def _of_images(name, *, side=16, channels=1, labelled=False, **settings):
    def made(device):
        X, y = images(side, channels)
        model = getattr(pushforward, name)(device=device, **settings)
        return model, X, y if labelled else None

    return made


def _of(name, data, **settings):
    return lambda device: (getattr(pushforward, name)(device=device, **settings), data(), None)


#: By name, what makes a model on a device with its data and labels.
FAMILIES = {
    "Glow": _of_images("Glow", side=8, depth=1, width=4, ema=0.5, **_RUN),
    "Glow checkpoint": _of_images(
        "Glow", side=8, channels=3, depth=1, width=4, memory="checkpoint", **_RUN
    ),
    "Glow paper": _of_images(
        "Glow", side=8, channels=3, preset="paper", depth=1, width=4, levels=2, warm_up=1, **_RUN
    ),
    "Glow conditional": _of_images(
        "Glow", side=8, labelled=True, depth=1, width=4, conditional=True, **_RUN
    ),
    "RealNVP": _of_images("RealNVP", side=8, width=4, **_RUN),
    "NICE": _of_images("NICE", side=8, width=8, **_RUN),
    "SIG": _of_images("SIG", side=8, **_SIG),
    "SIG conditional": _of_images("SIG", side=8, labelled=True, conditional=True, **_SIG),
    "SIG on disk": _of_images("SIG", side=8, memory=1e-7, **_SIG),
    "SIG likelihood": _of_images("SIG", side=8, goal="likelihood", **{**_SIG, "layers": 2}),
    "DCGAN": _of_images("DCGAN", **_GAN),
    "SN-GAN": _of_images("DCGAN", loss="hinge", norm="spectral", ema=0.5, **_GAN),
    "R3GAN": _of_images("DCGAN", loss="relativistic", architecture="r3gan", **_GAN),
    "WGAN": _of_images("WGAN", **_GAN),
    "WGAN-GP": _of_images("WGANGP", **_GAN),
    "MMD-GAN": _of_images("MMDGAN", **_GAN),
    "EBGAN": _of_images("EBGAN", **_GAN),
    "BEGAN": _of_images("BEGAN", **_GAN),
    "DFM": _of_images("DFM", features=32, **_GAN),
    "alpha-GAN": _of_images("AlphaGAN", **_GAN),
    "VAE-GAN": _of_images("VAEGAN", **_GAN),
    "AGE": _of_images("AGE", **_GAN),
    "VAE": _of_images("VAE", **_GAN),
    "CharacterGAN": _of(
        "CharacterGAN", lambda: list(LINES), **{"width": 4, "blocks": 1, "latent": 3, **_RUN}
    ),
    "TableGAN": _of("TableGAN", mixed, **_GAN),
    "TableFlow": _of("TableFlow", mixed, couplings=2, **{"width": 8, **_RUN}),
    "GIS": _of("GIS", mixed, **_GROWN),
    "AutoDensity": _of("AutoDensity", lambda: mixed(60), random_state=0),
    "TableSIG": _of("TableSIG", numbers, layers=3, search_steps=3, knots=16, random_state=0),
}

#: The families that go through one process each, which takes as long to start as five of them.
GROUPS = {
    "flows": (
        "Glow", "Glow checkpoint", "Glow paper", "Glow conditional", "RealNVP", "NICE",
        "SIG", "SIG conditional", "SIG on disk", "SIG likelihood",
    ),
    "generators": (
        "DCGAN", "SN-GAN", "R3GAN", "WGAN", "WGAN-GP", "MMD-GAN", "EBGAN", "BEGAN", "DFM",
        "alpha-GAN", "VAE-GAN", "AGE", "VAE", "CharacterGAN",
    ),
    "tables": ("TableGAN", "TableFlow", "GIS", "AutoDensity", "TableSIG"),
}  # fmt: skip

#: Families whose fit takes one greedy choice after the other, which a last digit may turn.
GREEDY = ("SIG", "SIG conditional", "SIG on disk", "SIG likelihood")


def plain(table):
    """A frame as numbers and texts."""
    return table.to_numpy() if isinstance(table, pd.DataFrame) else table
