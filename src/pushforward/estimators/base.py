"""The base class of every model: saving, loading, citations and capabilities."""

import importlib
import os
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from torch import Tensor

from .. import errors
from ..citations import bibtex
from ..data.tables.reading_options import ReadingOptions
from ..deprecation import old_words, renamed
from ..devices import find_device, is_here
from ..errors import ModelFileError
from ..storage.migrations import migrated, revision
from ..storage.model_folder import read_model, write_folder
from ..training.gradients import with_gradients
from .capabilities import Capabilities, methods_of
from .parameters import Parameters
from .registry import MODELS

__all__ = ["UNREADABLE", "Model", "check_fitted", "load", "packed", "unpacked"]


#: What reading the values of a folder may raise where they are not those that were written.
UNREADABLE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError),
    *(RuntimeError, TypeError, ValueError),
)
#: Parameters that a folder holds in another form, or that say where a model is and not what.
_UNCHECKED = ("columns", "bounds", "device", "networks", "settings")


class Model(Parameters):
    """A generative model: a map from a simple distribution to the data.

    Constructors store their arguments and do nothing else; what is learned ends in ``_``. A
    model has the methods it can honestly answer: ``fit``, ``sample``, and of
    ``score_samples``, ``score``, ``encode``, ``decode``, ``reconstruct``, ``interpolate``
    those that apply. Every model can be saved, loaded and cited. Every ``fit`` has gradients,
    whatever the mode of torch it is called in.
    """

    _cites: ClassVar[tuple[str, ...]] = ()

    reading_: ReadingOptions  # how the file of the fit was read, if it was one
    drawn_from_: int | None  # rows of the table, where the fit held a sample of them

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if (fit := vars(cls).get("fit")) is not None:
            words = old_words(fit)
            cls.fit = with_gradients(fit.__wrapped__ if words else fit)
            if words:  # outermost, so that a warning names the caller's line
                cls.fit = renamed(**words)(cls.fit)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the fitted model to a folder: ``config.json``, weights, a readable card.

        The folder appears whole or not at all; an older model in its place is replaced in
        one step.

        Args:
            folder: where to. Parents are made.

        Returns:
            The path of the folder.

        Raises:
            NotFittedError: before ``fit``.
            ModelFileError: if something that is not a model stands there, or the disk fails.
        """
        return write_folder(folder, *packed(self), self._card())

    def capabilities(self) -> Capabilities:
        """What the fitted model can do, and with which kind of data.

        Raises:
            NotFittedError: before ``fit``.
        """
        self._check_fitted()
        return Capabilities(**self._abilities())

    def cite(self) -> str:
        """BibTeX of the papers this model is made from."""
        return bibtex(self._cites)

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise errors.NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' first, or "
                "pushforward.load a saved one."
            )

    def __sklearn_is_fitted__(self) -> bool:
        raise NotImplementedError

    def _abilities(self) -> dict[str, Any]:
        """Fields of :class:`Capabilities`, ``kind`` among them; each family adds its own."""
        return {"methods": methods_of(self)}

    def _state(self) -> dict[str, Any]:
        """What ``fit`` learned besides tensors, as JSON values."""
        raise NotImplementedError

    def _tensors(self) -> dict[str, Tensor]:
        raise NotImplementedError

    def _restore(self, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        raise NotImplementedError

    def _card(self) -> str:
        raise NotImplementedError


if TYPE_CHECKING:

    class _Loaded(Model):
        """A model of a class that only its folder knows: what more it has is not checked."""

        def __getattr__(self, name: str) -> Any: ...

else:
    _Loaded = Model


def load(folder: str | os.PathLike[str], *, device: str | None = None) -> _Loaded:
    """Load a model that was saved with :meth:`Model.save`.

    Sizes and sums of all files are verified first; only the classes of :data:`MODELS` are
    built; nothing in a folder is ever executed.

    Args:
        folder: what was saved.
        device: where the model is to compute: "cpu", "cuda", or "auto" for a GPU where there is
            one. None takes the one that it was saved with, and "auto" where that is not on this
            machine.

    Raises:
        ModelFileError: if the folder is missing, damaged, altered or of an unknown version.
        ParameterError: for a device that is not there.

    Examples:
        >>> import pushforward, tempfile, os
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> model = pushforward.GIS(max_layers=5, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     again = pushforward.load(model.save(os.path.join(parent, "iris")))
        >>> bool((again.score_samples(X) == model.score_samples(X)).all())
        True
    """
    if device is not None:
        find_device(device)
    config, tensors, version = read_model(folder)
    return unpacked(_on_device(config, device), tensors, folder, version)


def _on_device(config: Any, device: str | None) -> Any:
    """A description with another device in it, of the model and of those that it is made of.

    Where none is given, the device is left out that was another machine's.
    """
    if isinstance(config, list):
        return [_on_device(part, device) for part in config]
    if not isinstance(config, dict):
        return config
    parameters = config.get("parameters")
    config = {name: _on_device(part, device) for name, part in config.items()}
    if "class" in config and isinstance(parameters, dict) and "device" in parameters:
        given = parameters["device"] if device is None else device
        config["parameters"] = parameters | {"device": given if is_here(given) else None}
    return config


def check_fitted(model: Model) -> None:
    """Refuse a model that is not fitted.

    Raises:
        NotFittedError: naming the call that fits it.
    """
    model._check_fitted()


def packed(model: Model) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A fitted model as JSON values and tensors: what :meth:`Model.save` writes.

    Raises:
        NotFittedError: before ``fit``.
    """
    model._check_fitted()
    name = type(model).__name__
    config = {
        "class": name,
        **({"revision": revision(name)} if revision(name) else {}),
        "parameters": {k: _plain(v) for k, v in model.get_params(deep=False).items()},
        **model._state(),
    }
    reading = getattr(model, "reading_", None)  # absent where the fit was not of a file
    if reading is not None and reading.given:
        config["reading"] = reading.given
    if getattr(model, "drawn_from_", None) is not None:
        config["drawn_from"] = model.drawn_from_
    return config, model._tensors()


def unpacked(
    config: dict[str, Any], tensors: dict[str, Tensor], place: object, version: str | None = None
) -> Any:
    """The model that :func:`packed` described, by this or an older version of its class.

    Args:
        config, tensors: as :func:`packed` gave them.
        place: where they were, for errors.
        version: of the library that wrote them, for errors.

    Raises:
        ModelFileError: for a class or revision that is not known, and parts that do not fit each
            other.
    """
    name = config.get("class")
    if not isinstance(name, str) or name not in MODELS:
        raise ModelFileError(
            f"{place} holds a model of class {name!r}. Known: {', '.join(sorted(MODELS))}. "
            "It may come from a newer version: upgrade pushforward."
        )
    cls = getattr(importlib.import_module(MODELS[name]), name)  # the one class is imported
    config = migrated(config, place, version)
    model = cls(**_parameters(cls, config, place))
    # All values are the file's, which somebody may have edited: what reads them fails by these.
    # A fault of ours would too; it is chained to the refusal.
    try:
        model._restore(config, tensors)
        if "reading" in config:
            model.reading_ = ReadingOptions.of_json(config["reading"])
        if "drawn_from" in config:
            model.drawn_from_ = int(config["drawn_from"])
    except ModelFileError:
        raise
    except UNREADABLE as error:
        raise ModelFileError(
            f"{place} is not a valid {name}: {type(error).__name__}: {error}. "
            "Its files were written together but do not fit each other; save the model anew."
        ) from error
    return model


def _parameters(cls: type[Model], config: dict[str, Any], place: object) -> dict[str, Any]:
    """Arguments of the constructor, as a folder has them.

    Raises:
        ModelFileError: for what they cannot be, and those that the class does not have.
    """
    found = config.get("parameters")
    if not isinstance(found, dict):
        raise ModelFileError(f"{place} is not a valid {cls.__name__}: it has no parameters.")
    if unknown := sorted(found.keys() - set(cls._get_param_names())):
        raise ModelFileError(
            f"{place} is not a valid {cls.__name__}: the class has no parameter {unknown[0]!r}. "
            "It may come from a newer version: upgrade pushforward."
        )
    found = dict(found)
    if str(found.get("device")).startswith("meta"):  # which has no memory to hold a model
        raise ModelFileError(f"{place} is not a valid {cls.__name__}: its device is 'meta'.")
    for key, rule in cls._all_rules().items():
        # what no JSON value stands for, such as a random generator, is None in a folder
        value = None if key in _UNCHECKED else found.get(key)
        if value is not None and not rule.fits(value):
            raise ModelFileError(
                f"{place} is not a valid {cls.__name__}: its parameter {key} is "
                f"{reprlib.repr(value)}. Expected {rule}. Save the model anew."
            )
    for key in ("columns", "bounds"):
        if found.get(key) is not None:
            try:
                found[key] = dict(found[key])
            except (TypeError, ValueError) as error:
                raise ModelFileError(
                    f"{place} is not a valid {cls.__name__}: {key} are no pairs: {error}."
                ) from error
    return found


def _plain(value: Any) -> Any:
    """A parameter as JSON: mappings as pairs (keys may be positions), generators left out."""
    if isinstance(value, Mapping):
        return [[k, _plain(v)] for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, (str, int, float, bool, type(None))) else None
