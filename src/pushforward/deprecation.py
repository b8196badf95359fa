"""Deprecated names: an old name works for one release, and a warning gives the new one."""

import functools
import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from .errors import ParameterError

__all__ = ["current_words", "old_words", "renamed", "warn_of_old_name"]

_WORDS = "__old_words__"
_Callable = TypeVar("_Callable", bound=Callable[..., Any])


def renamed(**words: str) -> Callable[[_Callable], _Callable]:
    """Decorate a function, or a class for its constructor, whose keywords have new names.

    The signature shows the new words only.

    Args:
        words: the new word of each old one.

    Raises:
        ParameterError: by the decorated function, for an old word beside its new one.

    Examples:
        >>> import warnings
        >>> @renamed(rate="learning_rate")
        ... def train(learning_rate):
        ...     return learning_rate
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     train(rate=0.1)
        0.1
        >>> print(caught[0].message)
        rate of train is deprecated and goes with the next release. It is called learning_rate.
    """

    def decorate(target: _Callable) -> _Callable:
        made: Any = target
        function = made.__init__ if inspect.isclass(target) else made
        places = list(inspect.signature(function).parameters)
        name = target.__name__

        @functools.wraps(function)
        def with_new_words(*args: Any, **keywords: Any) -> Any:
            if not words.keys().isdisjoint(keywords):
                given = places[: len(args)]
                keywords = current_words(name, keywords, words, given=given)
            return function(*args, **keywords)

        setattr(with_new_words, _WORDS, words)
        if not inspect.isclass(target):
            return cast(_Callable, with_new_words)
        made.__init__ = with_new_words
        return made

    return decorate


def old_words(function: Callable[..., Any]) -> Mapping[str, str]:
    """The new word of each old keyword of a function, or of a class for its constructor."""
    # the mark of renamed, absent where no keyword was
    return getattr(function.__init__ if inspect.isclass(function) else function, _WORDS, {})


def current_words(
    of: str,
    keywords: Mapping[str, Any],
    words: Mapping[str, str],
    *,
    given: Collection[str] = (),
) -> dict[str, Any]:
    """Keywords under their new names; each old one warns.

    Args:
        of: what they are given to, for the texts.
        keywords: by name, old or new.
        words: the new word of each old one.
        given: names that were given besides.

    Raises:
        ParameterError: for an old word beside its new one.
    """
    found = dict(keywords)
    for old, new in words.items():
        if old not in found:
            continue
        if new in found or new in given:
            raise ParameterError(f"{of} was given {old} and {new}, two words for one. Give {new}.")
        warnings.warn(
            f"{old} of {of} is deprecated and goes with the next release. It is called {new}.",
            FutureWarning,
            stacklevel=3,  # where the function that asks for this was called
        )
        found[new] = found.pop(old)
    return found


def warn_of_old_name(old: str, new: str) -> None:
    """Warn that the function which calls this, a property or ``__getattr__``, has a new name."""
    warnings.warn(
        f"{old} is deprecated and goes with the next release. It is called {new}.",
        FutureWarning,
        stacklevel=3,  # where the old name was used
    )
