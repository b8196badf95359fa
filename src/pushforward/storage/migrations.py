"""What models of older folders became: for each class, steps from one state to the next.

A saved model says in ``revision`` how many steps its class had; reading takes those that came
since. A class without a table, and a folder of before there were any, is at revision 0. A change
of what a class saves is a step at the end of its table; steps are never edited or removed, and
the folders of ``tests/golden`` are never written anew: they are what holds this.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ..errors import ModelFileError

__all__ = ["MIGRATIONS", "migrated", "migrated_checkpoint", "renamed_settings", "revision"]

#: From the ``config`` of a model to that of the next revision; the argument may be changed.
Migration = Callable[[dict[str, Any]], dict[str, Any]]


def _learning_rate(config: dict[str, Any]) -> dict[str, Any]:
    """The parameter and setting ``rate`` of trained models is called ``learning_rate``."""
    for place in ("parameters", "settings"):
        if isinstance(config.get(place), dict):
            config[place] = _renamed(config[place], "rate", "learning_rate")
    return config


def _run_of_table_flow(config: dict[str, Any]) -> dict[str, Any]:
    """TableFlow saves its settings and how its run ended, as all trained models do."""
    parameters = config["parameters"]
    if isinstance(parameters, dict):  # what else it may be is refused with the class
        names = [
            "network",
            "couplings",
            "width",
            "learning_rate",
            "batch_size",
            "steps",
            "minutes",
        ]
        settings = {name: parameters[name] for name in names}
        config["settings"] = settings | {"ema": 0.99, "precision": "float32"}
    return {**config, "best": None, "stopped": "the budget is spent"}


def _learning_rate_of_dot(config: dict[str, Any]) -> dict[str, Any]:
    """The setting ``rate`` of the refinement "dot" is called ``learning_rate``."""
    parameters = config["parameters"]
    if parameters.get("method") == "dot" and parameters.get("settings") is not None:
        settings = _renamed(dict(parameters["settings"]), "rate", "learning_rate")
        parameters["settings"] = [[key, value] for key, value in settings.items()]
    for kept in config["kept"]:
        if kept["method"] == "dot":
            for part in ("settings", "constants"):
                kept[part] = _renamed(kept[part], "rate", "learning_rate")
    return config


def _of_whole_rows(config: dict[str, Any]) -> dict[str, Any]:
    """Densities of tables know where samples have holes, and the draws that constraints keep."""
    return {**config, "missingness": None, "kept": 1.0}


def _maps_of_many_coordinates(config: dict[str, Any]) -> dict[str, Any]:
    """Marginal maps with atoms are of several columns each.

    Of that the tensors change alone, see :func:`~pushforward.transport.margins.
    of_many_coordinates`; the revision says so to earlier versions.
    """
    return config


_TRAINED = (
    "AGE AlphaGAN BEGAN CharacterGAN DCGAN DFM EBGAN Glow MMDGAN NICE RealNVP TableGAN "
    "VAE VAEGAN WGAN WGANGP"
)
MIGRATIONS: Mapping[str, tuple[Migration, ...]] = {
    **dict.fromkeys(_TRAINED.split(), (_learning_rate,)),
    **dict.fromkeys(
        ("AutoDensity", "GIS", "TableSIG"), (_of_whole_rows, _maps_of_many_coordinates)
    ),
    "Predictor": (_maps_of_many_coordinates,),
    "TableFlow": (_learning_rate, _run_of_table_flow, _of_whole_rows),
    "RefinedModel": (_learning_rate_of_dot,),
}


#: Settings of trained models that have new names, by their old ones.
_NEW_NAMES: Mapping[str, str] = {"rate": "learning_rate"}


def renamed_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an unfinished run under the names they have today.

    >>> renamed_settings({"rate": 0.1, "width": 3})
    {'learning_rate': 0.1, 'width': 3}
    """
    return {_NEW_NAMES.get(name, name): value for name, value in values.items()}


def migrated_checkpoint(
    config: dict[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """A checkpoint of an older version as today's code would have written it.

    Raises:
        ModelFileError: for a fit that was grown in steps: its identity was one digest, which
            says nothing of this version's.
    """
    if "unfinished" in config:
        raise ModelFileError("it was begun by an earlier version")
    facts = config.get("facts")
    if facts is None:
        return config, dict(tensors)
    run = {key: value for key, value in facts.items() if key not in ("identity", "seconds")}
    identity = dict(facts["identity"])
    groups = ("network", "optimiser", "average", "best")
    renamed = {
        "class": config["class"],
        "seed": identity.pop("seed"),
        "identity": identity,
        "seconds": facts["seconds"],
        "steps": {"run": run, **{group: {} for group in groups}},
    }
    return renamed, {name.replace("/", "::", 1): value for name, value in tensors.items()}


def revision(name: str) -> int:
    """The revision of what the class of that name saves today."""
    return len(MIGRATIONS.get(name, ()))


def migrated(config: dict[str, Any], place: object, version: str | None = None) -> dict[str, Any]:
    """The JSON values of a saved model as today's code would have written them.

    Args:
        config: of one model, with its ``class``; models inside it are not looked at.
        place: where it was, for errors.
        version: of the library that wrote it, for errors.

    Raises:
        ModelFileError: for a revision that is not known here, and values that are not of the
            shape that was written.
    """
    name = config["class"]
    found, writer = config.get("revision", 0), f" (pushforward {version})" if version else ""
    if type(found) is not int or found < 0:
        raise ModelFileError(
            f"{place} is damaged: its revision is {found!r}. Save the model anew."
        )
    if found > revision(name):
        raise ModelFileError(
            f"{place} holds a {name} of revision {found}, written by a newer version{writer}; "
            f"this one knows {revision(name)}. Upgrade: pip install --upgrade pushforward"
        )
    config = {key: value for key, value in config.items() if key != "revision"}
    for step in MIGRATIONS.get(name, ())[found:]:
        try:
            config = step(_copied(config))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(
                f"{place} is not a valid {name} of revision {found}{writer}: "
                f"{type(error).__name__}: {error}. Save the model anew."
            ) from error
    return config


def _copied(value: Any) -> Any:
    """JSON values whose mappings and lists are new ones."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _renamed(values: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The same values in the same order, one of them under its new name.

    Raises:
        ValueError: where both names stand.
    """
    if old in values and new in values:
        raise ValueError(f"{old!r} stands beside {new!r}, its new name")
    return {new if key == old else key: value for key, value in values.items()}
