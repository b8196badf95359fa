"""Constructor arguments as scikit-learn has them, without its import.

That import takes as long as the one of torch, and loading a generator needs nothing else of it.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from ..deprecation import current_words, old_words
from ..errors import ParameterError
from ..validation import Rule, as_seed, check

__all__ = ["Parameters", "check_parameters", "drawn_seed", "parameter_names"]


def drawn_seed(random_state: Any) -> int:
    """A seed, 0 to 2**31 - 2, of what scikit-learn takes as ``random_state``.

    Args:
        random_state: as :func:`~pushforward.validation.as_seed` takes it.

    Raises:
        ParameterError: for anything else.

    Examples:
        >>> drawn_seed(0) == drawn_seed(0)
        True
    """
    seed = as_seed(random_state)
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return seed
    return int(np.random.RandomState(seed).randint(2**31 - 1))


def parameter_names(cls: type["Parameters"]) -> list[str]:
    """Names of the arguments of a class's constructor, sorted."""
    return cls._get_param_names()


def check_parameters(model: "Parameters") -> None:
    """Refuse the first parameter of a model that is out of its range.

    Raises:
        ParameterError: naming it.
    """
    model._check_parameters()


@cache
def _arguments(constructor: Callable[..., None]) -> tuple[str, ...]:
    """Names of the arguments of a constructor, sorted; to look takes a tenth of a millisecond."""
    return tuple(sorted(set(inspect.signature(constructor).parameters) - {"self"}))


class Parameters:
    """What ``sklearn.base.clone``, pipelines and searches ask of an estimator.

    A class declares in ``_rules`` what its parameters may be; ``fit`` begins with
    :meth:`_check_parameters`.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {}

    @classmethod
    def _all_rules(cls) -> dict[str, Rule]:
        """The rule of every parameter; that of a subclass before that of its bases."""
        found: dict[str, Rule] = {}
        for one in reversed(cls.__mro__):
            found |= one.__dict__.get("_rules", {})
        names = cls._get_param_names()
        return {name: rule for name, rule in found.items() if name in names}

    def _check_parameters(self) -> None:
        """Refuse parameters that cannot be used, before any work.

        Raises:
            ParameterError: naming the first, what it is, and what it may be.
        """
        check(self._all_rules(), self.get_params(deep=False))

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return list(_arguments(cls.__init__))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Arguments of the constructor by name.

        Args:
            deep: also those of arguments that are models, as ``name__of_theirs``.
        """
        found = {}
        for name in self._get_param_names():
            # scikit-learn's conventions, which models of other libraries keep as well: parameters
            # are attributes of the same name, and what has parameters has get_params
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
        params = current_words("set_params", params, old_words(type(self)))
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name not in names:
                raise ParameterError(
                    f"{type(self).__name__} has no parameter {name!r}. It has {', '.join(names)}."
                )
            if inner:
                self.get_params(deep=False)[name].set_params(**{inner: value})
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
