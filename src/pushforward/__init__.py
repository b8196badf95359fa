"""Pushforward: generative models as maps that push a simple distribution forward to the data.

>>> import pushforward
>>> model = pushforward.GIS(random_state=0).fit(pushforward.load_dataset("iris"))
>>> rows = model.sample(100, random_state=0)
>>> scores = model.score_samples(rows)
"""

from typing import TYPE_CHECKING

from ._lazy import lazily

if TYPE_CHECKING:
    from .adversarial import (
        AGE,
        BEGAN,
        DCGAN,
        DFM,
        EBGAN,
        MMDGAN,
        PPGN,
        VAE,
        VAEGAN,
        WGAN,
        WGANGP,
        AlphaGAN,
        CharacterGAN,
        TableGAN,
    )
    from .data import (
        Columns,
        Pixels,
        datasets,
        image_sets,
        load_dataset,
        open_data,
        open_images,
        open_text,
    )
    from .errors import (
        DataError,
        ModelFileError,
        NotFittedError,
        ParameterError,
        PushforwardError,
        TrainingError,
        UnsupportedError,
    )
    from .flows import NICE, Glow, RealNVP, TableFlow
    from .metrics import compare, evaluate
    from .model import load
    from .refinement import refine
    from .sliced import GIS, SIG, AutoDensity, TableSIG, fit

__version__ = "0.1.0"

__all__ = [
    "AGE",
    "BEGAN",
    "DCGAN",
    "DFM",
    "EBGAN",
    "GIS",
    "MMDGAN",
    "NICE",
    "PPGN",
    "SIG",
    "VAE",
    "VAEGAN",
    "WGAN",
    "WGANGP",
    "AlphaGAN",
    "AutoDensity",
    "CharacterGAN",
    "Columns",
    "DataError",
    "Glow",
    "ModelFileError",
    "NotFittedError",
    "ParameterError",
    "Pixels",
    "PushforwardError",
    "RealNVP",
    "TableFlow",
    "TableGAN",
    "TableSIG",
    "TrainingError",
    "UnsupportedError",
    "compare",
    "datasets",
    "evaluate",
    "fit",
    "image_sets",
    "load",
    "load_dataset",
    "open_data",
    "open_images",
    "open_text",
    "refine",
]

_HOME = {
    "adversarial": (
        *("AGE", "BEGAN", "DCGAN", "DFM", "EBGAN", "MMDGAN", "PPGN", "VAE", "VAEGAN", "WGAN"),
        *("WGANGP", "AlphaGAN", "CharacterGAN", "TableGAN"),
    ),
    "data": (
        *("Columns", "Pixels", "datasets", "image_sets", "load_dataset", "open_data"),
        *("open_images", "open_text"),
    ),
    "errors": (
        "DataError",
        "ModelFileError",
        "NotFittedError",
        "ParameterError",
        "PushforwardError",
        "TrainingError",
        "UnsupportedError",
    ),
    "flows": ("NICE", "Glow", "RealNVP", "TableFlow"),
    "metrics": ("compare", "evaluate"),
    "model": ("load",),
    "refinement": ("refine",),
    "sliced": ("GIS", "SIG", "AutoDensity", "TableSIG", "fit"),
}


__getattr__ = lazily(__name__, _HOME, rooms=("metrics", "refinement", "report"))


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "metrics", "refinement", "report"])
