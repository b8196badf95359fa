"""Pushforward: generative models as maps that push a simple distribution forward to the data.

>>> import pushforward
>>> model = pushforward.GIS(random_state=0).fit(pushforward.load_dataset("iris"))
>>> rows = model.sample(100, random_state=0)
>>> scores = model.score_samples(rows)
"""

from typing import TYPE_CHECKING

from ._lazy import lazily
from ._version import __version__ as __version__

if TYPE_CHECKING:
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
    from .estimators.base import load
    from .metrics import compare, evaluate
    from .models.flows import NICE, Glow, RealNVP, TableFlow
    from .models.gans import (
        AGE,
        BEGAN,
        DCGAN,
        DFM,
        EBGAN,
        MMDGAN,
        PPGN,
        VAEGAN,
        WGAN,
        WGANGP,
        AlphaGAN,
        CharacterGAN,
        TableGAN,
    )
    from .models.prediction import Predictor
    from .models.sliced import GIS, SIG, AutoDensity, TableSIG, fit
    from .models.vaes import VAE
    from .refinement import refine

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
    "Predictor",
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
    "estimators.base": ("load",),
    "metrics": ("compare", "evaluate"),
    "models.flows": ("NICE", "Glow", "RealNVP", "TableFlow"),
    "models.gans": (
        *("AGE", "BEGAN", "DCGAN", "DFM", "EBGAN", "MMDGAN", "PPGN", "VAEGAN", "WGAN"),
        *("WGANGP", "AlphaGAN", "CharacterGAN", "TableGAN"),
    ),
    "models.prediction": ("Predictor",),
    "models.sliced": ("GIS", "SIG", "AutoDensity", "TableSIG", "fit"),
    "models.vaes": ("VAE",),
    "refinement": ("refine",),
}


__getattr__ = lazily(__name__, _HOME, modules=("metrics", "refinement", "report"))


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "metrics", "refinement", "report"])
