"""An interrupted refinement, repeated: what was learned and searched is taken from its checkpoint.

A refinement is a function of its generator, rows, settings and seed. It is run again from the
start; the refit, the logits and the tuned methods that are in the checkpoint are taken as they
were. Samples are drawn and judged anew, which the same seed makes the same: they would fill the
disk.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from .._version import __version__
from ..estimators.base import packed, unpacked
from ..estimators.registry import MODELS
from ..storage.checkpoint import Checkpoint, digest
from .adapters import Adapter
from .logit import Logit
from .logit_gradients import Score
from .methods import Method, method_from_config
from .row_checks import CHECKED
from .setup import Setup
from .stages import generator_space, space_after
from .streams import Stream

__all__ = ["identity_of", "kept_logit", "kept_method", "kept_number", "kept_refit"]

_LOOKED = 64  # samples of a generator that say which it is
_OTHERS = ("generator", "prior", "logit", "critic_of", "features")  # what is not a JSON value
#: What changes nothing, how long there is for it, and what is asked apart.
_UNSAID = ("batch_size", "minutes", "random_state")


def identity_of(
    model: Any, adapter: Adapter, other: Adapter | None, rows: Tensor, y: Any, batch_size: int
) -> dict[str, Any]:
    """What a refinement is of: generators and functions by what they give, all else by value.

    Args:
        model: a ``RefinedModel``, whose parameters are checked.
        adapter: of its generator.
        other: of the model of ``critic_of``, or None.
        rows: (n, ...) of the data, by a seed that is always the same.
        y: labels, or None.
        batch_size: points whose activations are held at once.
    """
    earlier = model.earlier
    if earlier is None:
        place = "data" if adapter.prior is None else "latent"
        space = generator_space(adapter, place, batch_size)
    else:
        space = space_after(earlier.adapter_, earlier.kept_, earlier.place_, batch_size)
    few = rows[:CHECKED]
    given = {k: v for k, v in model.get_params(deep=False).items() if k not in _UNSAID}
    return {
        "model": type(model).__name__,
        "version": __version__,
        **{k: _plain(v) for k, v in given.items() if k not in _OTHERS},
        "generator": digest(space.rows(_LOOKED, 0, Stream.START)),
        "data": digest(rows),
        "labels": None if y is None else digest(str(np.asarray(y).tolist())),
        "logit": _by_values(model.logit, few),
        "critic_of": None if other is None else _by_values(other.critic, few),
        "features": _features(model.features, few),
    }


def kept_logit(
    setup: Setup, name: str, make: Callable[[], Logit], score: Score | None = None
) -> Logit:
    """A logit of the checkpoint, or else one that is made now.

    Args:
        setup: of the refinement.
        name: of the step.
        make: learns or calibrates it.
        score: that is calibrated; None for a logit that is learned.
    """
    work = setup.checkpoint
    facts, tensors = work.facts(name), work.get(name)
    if facts is not None and tensors is not None:
        return setup.estimator.restored(dict(facts), dict(tensors), score)
    logit = make()
    plain = setup.estimator.without_features(logit)
    work.keep(name, plain.tensors(), plain.to_config())
    return logit


def kept_method(setup: Setup, name: str, tune: Callable[[], Method | None]) -> Method | None:
    """A tuned method of the checkpoint, or else one that is tuned now; None is not kept.

    Nothing was found where a logit is flat, which is soon seen again, or where time was up.
    """
    facts = setup.checkpoint.facts(name)
    if facts is not None:
        return method_from_config(facts["name"], facts["settings"], facts["constants"])
    method = tune()
    if method is not None:
        parts = {"settings": method.settings, "constants": dict(method.constants)}
        setup.checkpoint.keep(name, {}, {"name": method.name, **parts})
    return method


def kept_number(setup: Setup, name: str, find: Callable[[], float | None]) -> float | None:
    """A number of the checkpoint, or else one that is searched now."""
    facts = setup.checkpoint.facts(name)
    if facts is not None:
        return facts["found"]
    found = find()
    setup.checkpoint.keep(name, {}, {"found": found})
    return found


def kept_refit(work: Checkpoint, fit: Callable[[], Any]) -> Any:
    """The refit of the checkpoint, or else one that is fitted now; None where none can be."""
    facts, tensors = work.facts("refit"), work.get("refit")
    if facts is not None and tensors is not None:
        return unpacked(dict(facts), dict(tensors), "the refit")
    refit = fit()
    if MODELS.get(type(refit).__name__) == type(refit).__module__:  # others are not built anew
        config, tensors = packed(refit)
        work.keep("refit", tensors, config)
    return refit


def _plain(value: Any) -> Any:
    """A parameter as a JSON value."""
    if isinstance(value, Mapping):
        return repr(dict(value))
    if value is None or isinstance(value, bool | int | str):
        return value
    return value if isinstance(value, float) and math.isfinite(value) else repr(value)


def _by_values(function: Score | None, rows: Tensor) -> str | None:
    """A digest of what a function makes of some rows: of the function, as far as can be seen."""
    return None if function is None else digest(torch.as_tensor(function(rows)))


def _features(features: Any, rows: Tensor) -> str | None:
    """A name, an extractor's class, or a digest of what a function of rows makes of some."""
    if features is None or isinstance(features, str):
        return features
    if hasattr(features, "dimension") or not callable(features):
        return type(features).__name__
    return _by_values(cast(Score, features), rows)
