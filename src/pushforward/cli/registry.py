"""The models the command knows, and what each can do. A new model is one entry here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..deprecation import current_words, old_words
from ..errors import ParameterError, UnsupportedError
from ..estimators.parameters import parameter_names
from ..wording import did_you_mean

__all__ = [
    "METHOD_OF",
    "MODELS",
    "ModelEntry",
    "check_supported",
    "class_of",
    "find_model",
    "loaded",
    "of_images",
    "of_tables",
    "only_for",
    "parameters_of",
    "raise_unsupported",
]


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be fitted by name.

    Attributes:
        name: what to write on the command line.
        cls: the name of its class in ``pushforward``.
        data: what it is fitted on.
        can: the commands it answers, besides ``fit``.
        about: one line.
    """

    name: str
    cls: str
    data: str
    can: tuple[str, ...]
    about: str


_DENSITY = ("sample", "score", "explain")
_FLOW = (
    *("sample", "score", "encode", "decode", "interpolate", "edit", "diagnose"),
    "continue",
)
_MADE = ("sample", "decode", "continue")
_ENCODES = ("sample", "encode", "decode", "interpolate", "continue")

MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            "auto", "AutoDensity", "tables", _DENSITY,
            "tries Gaussians, mixtures and sliced flows; keeps what held-out rows like best",
        ),
        ModelEntry(
            "gis", "GIS", "tables", (*_DENSITY, "encode", "decode", "continue"),
            "one sliced flow, grown layer by layer; has latents",
        ),
        ModelEntry(
            "predictor", "Predictor", "tables", ("predict", "explain"),
            "the distribution of one column given the others; --set target=NAME",
        ),
        ModelEntry(
            "table-gan", "TableGAN", "tables", _MADE,
            "a generator of rows against a critic of slope 1; no likelihood",
        ),
        ModelEntry(
            "character-gan", "CharacterGAN", "text", _MADE,
            "lines of characters, made whole, against a critic of slope 1",
        ),
        ModelEntry(
            "table-sig", "TableSIG", "tables", _DENSITY,
            "a normal sample moved to the rows, layer by layer: made for samples",
        ),
        ModelEntry(
            "table-flow", "TableFlow", "tables", (*_DENSITY, "continue"),
            "a neural flow of rows, trained by gradient: for comparison",
        ),
        ModelEntry(
            "sig", "SIG", "images", (*_FLOW, "explain"),
            "images from slices, without gradient training, with an exact likelihood",
        ),
        ModelEntry(
            "glow", "Glow", "images", _FLOW,
            "a flow with learned mixing of channels: likelihoods, samples, edits",
        ),
        ModelEntry(
            "realnvp", "RealNVP", "images", _FLOW,
            "a flow of checkerboards and channels, on logits of pixels",
        ),
        ModelEntry(
            "nice", "NICE", "images", _FLOW,
            "the first of these flows: additive, of all pixels at once",
        ),
        ModelEntry(
            "alpha-gan", "AlphaGAN", "images", _ENCODES,
            "an autoencoder played for by two critics: samples and a way back to codes",
        ),
        ModelEntry(
            "dcgan", "DCGAN", "images", _MADE,
            "a generator against a critic; SN-DCGAN, SN-ResNet-GAN, R3GAN by its settings",
        ),
        ModelEntry(
            "wgan", "WGAN", "images", _MADE,
            "a generator against a critic of clipped weights",
        ),
        ModelEntry(
            "mmd-gan", "MMDGAN", "images", _MADE,
            "a generator against a kernel of features that a critic learns",
        ),
        ModelEntry(
            "age", "AGE", "images", _ENCODES,
            "encoder and generator play over the codes alone: no critic",
        ),
        ModelEntry(
            "vae-gan", "VAEGAN", "images", _ENCODES,
            "a variational autoencoder that compares images by a critic's features",
        ),
        ModelEntry(
            "wgan-gp", "WGANGP", "images", _MADE,
            "a generator against a critic of slope 1: steady, and slower",
        ),
        ModelEntry(
            "began", "BEGAN", "images", _MADE,
            "a generator against an autoencoder, the two held in balance",
        ),
        ModelEntry(
            "ebgan", "EBGAN", "images", _MADE,
            "a generator against an energy, with a margin; keeps codes of samples apart",
        ),
        ModelEntry(
            "dfm", "DFM", "images", _MADE,
            "a DCGAN with a denoiser of the critic's features",
        ),
        ModelEntry(
            "vae", "VAE", "images", _ENCODES,
            "the variational autoencoder: blurred samples, a bound on the likelihood",
        ),
    )
}  # fmt: skip

#: The methods that commands need, where their names differ.
METHOD_OF = {"score": "score_samples", "edit": "manipulate", "predict": "predict_interval"}


def find_model(name: str) -> ModelEntry:
    """The model of that name.

    Raises:
        ParameterError: listing the known names.

    >>> find_model("gis").cls
    'GIS'
    """
    if name in MODELS:
        return MODELS[name]
    hint = did_you_mean(name, MODELS)
    raise ParameterError(
        f"There is no model {name!r}{hint}. Known: {', '.join(MODELS)}; see pushforward models."
    )


def class_of(entry: ModelEntry) -> Any:
    """The class of a model."""
    import pushforward

    return getattr(pushforward, entry.cls)  # by name, so that only this class is imported


def parameters_of(
    entry: ModelEntry, given: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    """What options say as arguments of a model's constructor.

    Args:
        entry: the model.
        given: by options of their own; None where none was given.
        more: by ``--set``.

    Raises:
        ParameterError: for what the model does not have, and for an option given twice.
    """
    parameters = {name: value for name, value in given.items() if value is not None}
    if twice := [name for name in more if name in parameters]:
        raise ParameterError(f"--set {twice[0]} and its own option were both given. Give one.")
    parameters |= current_words(entry.cls, more, old_words(class_of(entry)))
    known = parameter_names(class_of(entry))
    if unknown := [name for name in parameters if name not in known]:
        hint = did_you_mean(unknown[0], known)
        raise ParameterError(
            f"{entry.cls} has no parameter {unknown[0]!r}{hint}. Expected some of "
            f"{', '.join(known)}."
        )
    return parameters


def check_supported(model: Any, command: str) -> None:
    """Refuse a command that a loaded model cannot answer.

    Raises:
        UnsupportedError: naming the models that can.
    """
    if not model.capabilities().can(METHOD_OF.get(command, command)):
        raise_unsupported(type(model).__name__, command)


def loaded(folder: Path, command: str) -> Any:
    """The model in a folder, if it can answer the command.

    Raises:
        ModelFileError: if there is none.
        UnsupportedError: naming the models that can.
    """
    from ..estimators.base import load

    model = load(folder)
    check_supported(model, command)
    return model


def of_images(model: Any) -> bool:
    """Whether a loaded model is one of images."""
    return model.capabilities().kind == "images"


def of_tables(model: Any) -> bool:
    """Whether a loaded model is one of tables."""
    return model.capabilities().kind == "table"


def only_for(kind: str, name: str, given: dict[str, Any]) -> None:
    """Refuse options that are for models of another kind of data.

    Args:
        kind: what they are for, "tables" or "images".
        name: of the model's class.
        given: values by option; None, False and empty where it was not given.

    Raises:
        ParameterError: naming the first that was given.
    """
    empty = ([], {})
    names = [k for k, v in given.items() if v is not None and v is not False and v not in empty]
    if names:
        known = {entry.cls: entry.data for entry in MODELS.values()}
        other = known.get(name, {"tables": "images", "images": "tables"}[kind])
        raise ParameterError(
            f"{names[0]} is for models of {kind}, and {name} is a model of {other}. Leave it out."
        )


def raise_unsupported(model: str, command: str) -> None:
    """Raise the error of a model that cannot do what was asked.

    Raises:
        UnsupportedError: always; names the models that can.
    """
    able = [name for name, entry in MODELS.items() if command in entry.can]
    raise UnsupportedError(
        f"{model} cannot {command}. These models can: {', '.join(able) or 'none yet'}."
    )
