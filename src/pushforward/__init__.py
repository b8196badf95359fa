"""Pushforward: generative models as maps that push a simple distribution forward to the data.

>>> import pushforward
>>> model = pushforward.GIS(random_state=0).fit(pushforward.load_dataset("iris"))
>>> rows = model.sample(100, random_state=0)
>>> scores = model.score_samples(rows)
"""

import importlib
from typing import TYPE_CHECKING, Any

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
    "refine",
]

_HOME = {
    "adversarial": (
        *("AGE", "BEGAN", "DCGAN", "DFM", "EBGAN", "MMDGAN", "PPGN", "VAE", "VAEGAN", "WGAN"),
        *("WGANGP", "AlphaGAN", "CharacterGAN", "TableGAN"),
    ),
    "data": (
        *("Columns", "Pixels", "datasets", "image_sets", "load_dataset", "open_data"),
        "open_images",
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


def __getattr__(name: str) -> Any:
    # loaded when first used: torch and scikit-learn take seconds to import
    for module, names in _HOME.items():
        if name in names:
            return getattr(importlib.import_module(f".{module}", __name__), name)
    if name in ("metrics", "refinement", "report"):  # rooms of their own: pushforward.metrics.fid
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "metrics", "refinement", "report"])
