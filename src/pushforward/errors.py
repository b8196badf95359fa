"""Typed errors: each says what was got, what was expected and what to do.

Every error raised on purpose derives from :class:`PushforwardError`, and also from the
built-in (or scikit-learn) class a caller would catch without knowing this package.
"""

import contextlib
import inspect
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._not_fitted import NotFittedError

__all__ = [
    "DataError",
    "LeftOutWarning",
    "MissingMethodError",
    "ModelFileError",
    "NotFittedError",
    "ParameterError",
    "PushforwardError",
    "TrainingError",
    "UnsupportedError",
    "stacklevel_of_caller",
]

_PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


class PushforwardError(Exception):
    """Base class of every error this package raises on purpose."""


class DataError(PushforwardError, ValueError):
    """The data cannot be used as they are: names the columns and rows at fault."""


class ParameterError(PushforwardError, ValueError):
    """A parameter of a model, function or command is not usable."""


class ModelFileError(PushforwardError, ValueError):
    """A model folder is missing, damaged, altered or from an unknown version."""


class UnsupportedError(PushforwardError, TypeError):
    """The model cannot answer this call; the text names the models that can."""


class MissingMethodError(UnsupportedError, AttributeError):
    """The model has no such method; ``hasattr`` is False, as of methods that no model has."""


class LeftOutWarning(UserWarning):
    """Rows or columns of a table were left out of a fit, for missing cells."""


class TrainingError(PushforwardError, ArithmeticError):
    """Fitting met a non-finite value; the last good state is kept."""


def stacklevel_of_caller() -> int:
    """The ``stacklevel`` for a warning of the calling function that names a line of the user.

    It is that of the nearest line outside this package, however many of its functions, decorators
    and context managers lie between.
    """
    passed = (_PACKAGE, contextlib.__file__)
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(passed):
        level, frame = level + 1, frame.f_back
    return level


def __getattr__(name: str) -> Any:
    # its base is scikit-learn's, which takes a second to import: loaded when first used
    if name == "NotFittedError":
        from ._not_fitted import NotFittedError

        return NotFittedError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Terminated(KeyboardInterrupt):
    """The job was asked to end (SIGTERM): what an interrupt does is done, and the code is 143."""
