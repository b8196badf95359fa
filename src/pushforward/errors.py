"""Typed errors: each says what was got, what was expected and what to do.

Every error raised on purpose derives from :class:`PushforwardError`, and also from the
built-in (or scikit-learn) class a caller would catch without knowing this package.
"""

from sklearn.exceptions import NotFittedError as _SklearnNotFittedError

__all__ = [
    "DataError",
    "ModelFileError",
    "NotFittedError",
    "ParameterError",
    "PushforwardError",
    "TrainingError",
    "UnsupportedError",
]


class PushforwardError(Exception):
    """Base class of every error this package raises on purpose."""


class DataError(PushforwardError, ValueError):
    """The data cannot be used as they are: names the columns and rows at fault."""


class ParameterError(PushforwardError, ValueError):
    """A parameter of a model, function or command is not usable."""


class ModelFileError(PushforwardError, ValueError):
    """A model folder is missing, damaged, altered or from an unknown version."""


class NotFittedError(PushforwardError, _SklearnNotFittedError):
    """The model has to be fitted (or loaded) before this call."""


class UnsupportedError(PushforwardError, TypeError):
    """The model cannot answer this call; the text names the models that can."""


class TrainingError(PushforwardError, ArithmeticError):
    """Fitting met a non-finite value; the last good state is kept."""
