"""The one error whose base class is scikit-learn's, apart so that the others load at once."""

from sklearn.exceptions import NotFittedError as _SklearnNotFittedError

from .errors import PushforwardError

__all__ = ["NotFittedError"]


class NotFittedError(PushforwardError, _SklearnNotFittedError):
    """The model has to be fitted (or loaded) before this call."""


NotFittedError.__module__ = "pushforward.errors"  # where users find it, and pickle too
