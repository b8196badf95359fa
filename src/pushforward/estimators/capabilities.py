"""What a model can do, and with which kind of data, as one typed object.

Measures, refinement, reports and the command look at nothing else of a model, so that a model of
somebody else's works in all of them. This is the only place that looks for methods by name.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Alphabet, Codec, Columns, Pixels
from ..errors import UnsupportedError
from .prior import Draw, Prior, Score

__all__ = [
    "METHODS",
    "Capabilities",
    "GenerativeModel",
    "LatentSpace",
    "capabilities_of",
    "complete_samples",
    "draw_samples",
    "is_model",
    "methods_of",
    "refuse_without_samples",
]

#: Every method that some models answer and others do not.
METHODS = (
    *("fit", "sample", "score_samples", "score", "predict", "decision_function", "explain"),
    *("given", "impute", "predict_interval"),
    *("encode", "decode", "transform", "inverse_transform", "reconstruct", "interpolate"),
    *("manipulate", "critic", "elbo", "prior", "distribution", "latent_report", "diagnose"),
    "before_after",
    *("inlier_scores", "inlier_maps", "p_values", "score_maps", "account", "cite"),
)


@runtime_checkable
class GenerativeModel(Protocol):
    """What a model of one's own needs to be evaluated, compared, refined and reported on.

    It may have more, and what it has is used: ``score_samples(X)`` gives log densities (n,) in
    nats, ``fit``, ``encode``, ``decode`` and the others of :data:`METHODS` do what they do in the
    models of this library, and a method ``capabilities()`` may return a :class:`Capabilities`
    that says more than can be seen.
    """

    def sample(self, n_samples: int, random_state: Any = None) -> Any:
        """Draw rows: ``n_samples`` of them, the same ones for the same ``random_state``."""
        ...


@dataclass(frozen=True)
class LatentSpace:
    """Where a generator's samples come from, in numbers as its codec has them.

    Attributes:
        prior: what codes (n, ...) are drawn from.
        decode: codes to numbers (n, *event_shape).
        encode: numbers to codes; None where there is no way back.
        invertible: whether ``decode`` and ``encode`` are each other's inverse.
    """

    prior: Prior
    decode: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor] | None = None
    invertible: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What a fitted model can do, and with which data.

    Attributes:
        kind: of data: "table", "images", "text", or "rows" where nothing but numbers is known;
            "prediction" of what gives one column of a table, which makes no rows.
        codec: between the user's data and the model's numbers; None for rows.
        density: whether ``score_samples`` gives log densities.
        latent_space: codes and what is made of them; None where there are none, and where they
            need labels besides.
        draw: of (n, generator), numbers (n, *event_shape) as the codec has them, where a model
            draws them itself; None where they are what ``latent_space`` decodes of its prior, and
            where there is only ``sample``.
        critic: of such numbers, (n,): higher is more like the data; None where there is none.
        classes: labels that samples may be asked for, or None.
        class_names: the name of each class, or None.
        temperature: whether samples may be asked for at a temperature.
        latent_levels: how many numbers of a code of ``encode`` each level of a flow has, the
            finest first; empty where codes have no levels.
        drawn_together: whether the processes of ``torchrun`` draw its samples together.
        resumable: whether a fit can go on from where an earlier one ended.
        networks: the modules that it computes with.
        device: where they are.
        rows_at_once: how many rows go through them together.
        threshold: of log densities, below which ``predict`` calls a row an outlier, or None.
        history: records of its training, in order; empty where none are kept.
        settings: what its fit resolved of presets and arguments, by name; None where it has none.
        stopped: why its training ended, in words, or None where that is not recorded.
        n_layers: layers that were grown, or None for models that do not grow.
        methods: those of :data:`METHODS` that it answers.

    Examples:
        >>> import pushforward
        >>> X = pushforward.load_dataset("two_moons")
        >>> can = pushforward.GIS(max_layers=2, random_state=0).fit(X).capabilities()
        >>> can.kind, can.density, can.conditional, can.codec.event_shape
        ('table', True, False, (2,))
        >>> can.latent_space.decode(can.latent_space.encode(can.codec.encode(X)[0])).shape
        torch.Size([1000, 2])
        >>> can.can("explain"), can.can("critic")
        (True, False)
    """

    kind: str
    codec: Codec | None = None
    density: bool = False
    latent_space: LatentSpace | None = None
    draw: Draw | None = None
    critic: Score | None = None
    classes: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    temperature: bool = False
    latent_levels: tuple[int, ...] = ()
    drawn_together: bool = False
    resumable: bool = False
    networks: tuple[nn.Module, ...] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rows_at_once: int = 64
    threshold: float | None = None
    history: Sequence[Any] = ()
    settings: Mapping[str, Any] | None = None
    stopped: str | None = None
    n_layers: int | None = None
    methods: frozenset[str] = frozenset()

    @property
    def columns(self) -> Columns | None:
        """The codec, where it is that of a table."""
        return self.codec if isinstance(self.codec, Columns) else None

    @property
    def pixels(self) -> Pixels | None:
        """The codec, where it is that of images."""
        return self.codec if isinstance(self.codec, Pixels) else None

    @property
    def alphabet(self) -> Alphabet | None:
        """The codec, where it is that of text."""
        return self.codec if isinstance(self.codec, Alphabet) else None

    @property
    def conditional(self) -> bool:
        """Whether samples of a given class can be drawn."""
        return self.classes is not None

    def can(self, method: str) -> bool:
        """Whether the model answers one of :data:`METHODS`."""
        return method in self.methods


def capabilities_of(model: Any) -> Capabilities:
    """The capabilities of a model of this or another library.

    Args:
        model: one with a method ``capabilities()``, or a :class:`GenerativeModel`.

    Raises:
        NotFittedError: for a model of this library before ``fit``.
        UnsupportedError: for what is no model.

    Examples:
        >>> from sklearn.mixture import BayesianGaussianMixture
        >>> can = capabilities_of(BayesianGaussianMixture())
        >>> can.kind, can.density, can.latent_space
        ('rows', True, None)
    """
    own: Any = getattr(model, "capabilities", None)  # its own word, where it has one
    if callable(own):
        return cast(Capabilities, own())
    methods = methods_of(model)
    if "sample" not in methods:
        raise UnsupportedError(
            f"{type(model).__name__} has no method 'sample'. Expected a generative model, or its "
            "samples."
        )
    # attributes that models of other libraries may have, in scikit-learn's spelling
    threshold = getattr(model, "offset_", None)
    return Capabilities(
        "rows",
        density="score_samples" in methods,
        threshold=float(threshold) if isinstance(threshold, (float, np.floating)) else None,
        history=getattr(model, "history_", None) or (),
        methods=methods,
    )


def complete_samples(model: Any, n: int, random_state: Any) -> Any:
    """Samples of any model, without the missing cells that those of some have.

    Args:
        model: any that can sample.
        n: how many.
        random_state: of them, where the model takes one.
    """
    return draw_samples(model, n, random_state, complete=True)


def draw_samples(model: Any, n: int, random_state: Any, *, complete: bool) -> Any:
    """Samples of any model; see :func:`complete_samples`.

    Args:
        model, n, random_state: as there.
        complete: whether they are to have no missing cells; else they have those that the model
            makes.
    """
    takes = inspect.signature(model.sample).parameters
    seed = next((name for name in ("random_state", "seed") if name in takes), None)
    more = {} if seed is None else {seed: random_state}
    return model.sample(n, **more, **({"complete": complete} if "complete" in takes else {}))


def refuse_without_samples(model: Any) -> None:
    """Refuse a model that cannot sample, such as a predictor of one column.

    Raises:
        UnsupportedError: then.
    """
    if not capabilities_of(model).can("sample"):
        raise UnsupportedError(
            f"{type(model).__name__} makes no rows of its own. Expected a generative model: one "
            "with a method 'sample'."
        )


def methods_of(model: Any) -> frozenset[str]:
    """Those of :data:`METHODS` that an object has."""
    # other libraries share no class for them
    return frozenset(name for name in METHODS if callable(getattr(model, name, None)))


def is_model(X: Any) -> bool:
    """Whether X is a model, fitted or not, rather than data.

    >>> from sklearn.mixture import GaussianMixture
    >>> is_model(GaussianMixture()), is_model([[1.0, 2.0]])
    (True, False)
    """
    import narwhals as nw

    if isinstance(nw.from_native(X, pass_through=True, eager_only=True), nw.DataFrame):
        return False  # frames can be sampled, too
    return bool({"fit", "sample"} & methods_of(X))
