"""Constructor arguments as scikit-learn has them, without its import.

That import takes as long as the one of torch, and loading a generator needs nothing else of it.
"""

import inspect
from typing import Any, Self

import numpy as np

from .errors import ParameterError

__all__ = ["Parameters", "drawn_seed"]


def drawn_seed(random_state: Any) -> int:
    """A seed, 0 to 2**31 - 2, of what scikit-learn takes as ``random_state``.

    Args:
        random_state: a seed; a ``RandomState``, from which one is drawn; None for that of numpy.

    Raises:
        ParameterError: for anything else.

    Examples:
        >>> drawn_seed(0) == drawn_seed(0)
        True
    """
    if random_state is None:
        source = np.random
    elif isinstance(random_state, np.random.RandomState):
        source = random_state
    else:
        whole = isinstance(random_state, (int, np.integer)) and not isinstance(random_state, bool)
        if not (whole and 0 <= random_state < 2**32):
            raise ParameterError(
                f"random_state is {random_state!r}. Expected a whole number from 0 to "
                f"{2**32 - 1}, a numpy.random.RandomState, or None."
            )
        source = np.random.RandomState(int(random_state))
    return int(source.randint(2**31 - 1))


class Parameters:
    """What ``sklearn.base.clone``, pipelines and searches ask of an estimator."""

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted(set(inspect.signature(cls.__init__).parameters) - {"self"})

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments of the constructor by name.

        Args:
            deep: also those of arguments that are models, as ``name__of_theirs``.
        """
        found = {}
        for name in self._get_param_names():
            found[name] = value = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                found |= {f"{name}__{key}": inner for key, inner in value.get_params().items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Change arguments of the constructor, also ``name__of_theirs``.

        Raises:
            ParameterError: for names that it does not have.
        """
        names = self._get_param_names()
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name not in names:
                raise ParameterError(
                    f"{type(self).__name__} has no parameter {name!r}. It has {', '.join(names)}."
                )
            if inner:
                getattr(self, name).set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        signature = inspect.signature(type(self).__init__).parameters
        changed = (
            f"{name}={value!r}"
            for name, value in self.get_params(deep=False).items()
            if repr(value) != repr(signature[name].default)
        )
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.base import BaseEstimator

        return BaseEstimator().__sklearn_tags__()
