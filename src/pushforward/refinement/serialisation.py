"""A refined model as JSON values, tensors and a page: the generator's own inside, by names."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._version import __version__
from ..errors import ModelFileError, UnsupportedError
from ..estimators.base import packed, unpacked
from ..estimators.capabilities import capabilities_of
from ..estimators.registry import MODELS
from ..plain_text import fenced
from .adapters import Adapter, adapter_of
from .density_ratio import FeatureRatio
from .logit import Logit
from .methods import method_from_config
from .other_critic import unrefined, with_critic
from .ratio_trees import TreeRatio
from .report import RefinementReport
from .stages import KeptStage

__all__ = ["card", "restore", "state_of", "tensors_of"]

_MOST_STAGES = 64  # each draws by those before it; a refinement keeps a few


def state_of(model: Any) -> dict[str, Any]:
    """All but tensors, as JSON values.

    Raises:
        UnsupportedError: if a folder cannot hold all that a sample needs, saying why.
    """
    _check(model)
    logits, others = _logits(model), _others(model)
    place = {id(logit): k for k, logit in enumerate(logits)}
    whose = {id(other): k for k, other in enumerate(others)}
    return {
        "base": packed(model.base_)[0],
        "others": [packed(unrefined(other))[0] for other in others],
        "logits": [
            {**logit.to_config(), "other": whose.get(id(logit.others))} for logit in logits
        ],
        "kept": [
            {
                "method": kept.method.name,
                "settings": kept.method.settings,
                "constants": dict(kept.method.constants),
                "place": kept.place,
                "logit": None if kept.logit is None else place[id(kept.logit)],
            }
            for kept in model.kept_
        ],
        "place": model.place_,
        "known": [[label, values.tolist()] for label, values in model.known_values_.items()],
        "report": model.report_.to_dict(),
    }


def tensors_of(model: Any) -> dict[str, Tensor]:
    """The weights of the generator, of the model of the critic, and of every network."""
    parts = {"base": packed(model.base_)[1]}
    parts |= {f"other{k}": packed(unrefined(x))[1] for k, x in enumerate(_others(model))}
    parts |= {f"logit{k}": logit.tensors() for k, logit in enumerate(_logits(model))}
    return {f"{name}.{k}": v for name, part in parts.items() for k, v in part.items()}


def restore(model: Any, state: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Make a model what :func:`state_of` and :func:`tensors_of` described."""

    def part(name: str) -> dict[str, Tensor]:
        begin = f"{name}."
        return {k.removeprefix(begin): v for k, v in tensors.items() if k.startswith(begin)}

    if state["base"].get("class") == "RefinedModel":
        raise ModelFileError("A refined model stands inside a refined one. Save it anew.")
    model.base_ = model.generator = unpacked(state["base"], part("base"), "the generator")
    model.prior_ = model.critic_of = None
    model.adapter_ = adapter_of(model.base_)
    others = [
        unpacked(config, part(f"other{k}"), "the model of a critic")
        for k, config in enumerate(state["others"])
    ]
    if others:
        model.critic_of = others[-1]
    device = capabilities_of(model.base_).device
    logits = []
    for k, config in enumerate(state["logits"]):
        place = config["other"]
        other = None if place is None else _at(others, place, "models of critics")
        critic = model.adapter_.critic if other is None else with_critic(other).critic
        logit = Logit.from_config(config, part(f"logit{k}"), critic, other, device)
        if isinstance(logit.network, TreeRatio):
            logit.network.numbers = model.adapter_.numbers
        logits.append(logit)
    if not logits:
        raise ModelFileError("A refined model has a logit at least. Save it anew.")
    _try(model.adapter_, logits)
    if len(state["kept"]) > _MOST_STAGES:
        raise ModelFileError(
            f"{len(state['kept'])} stages are kept. Expected at most {_MOST_STAGES}."
        )
    model.first_logit_ = logits[0]
    model.kept_ = [
        KeptStage(
            method_from_config(str(k["method"]), k["settings"], k["constants"]),
            None if k["logit"] is None else _at(logits, k["logit"], "logits"),
            str(k["place"]),
        )
        for k in state["kept"]
    ]
    model.place_ = str(state["place"])
    model.known_values_ = {label: np.array(values) for label, values in state.get("known", [])}
    model.report_ = RefinementReport.from_dict(state["report"])


def _try(adapter: Adapter, logits: list[Logit]) -> None:
    """Apply every logit to two rows: one that is of other rows fails here, and not in use."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        if adapter.draw is not None:
            rows = adapter.draw(2, generator)
        else:
            assert adapter.prior is not None  # as every adapter has one of the two
            rows = adapter.decode(adapter.prior.sample(2, generator))
        for logit in logits:
            if logit(rows).shape != (2,):
                raise ModelFileError("A logit does not give a number a row. Save it anew.")


def card(model: Any) -> str:
    """The page for people that stands in the folder of a refined model, in Markdown."""
    base = type(model.base_).__name__
    return f"""# Refined {base}

A {base} whose samples are moved and chosen by what tells them from data, with pushforward
{__version__} (torch {torch.__version__}).

```python
import pushforward
model = pushforward.load("this folder")
model.sample(16)
model.base_      # the {base} as it was
```

## What was tried

```
{fenced(str(model.report_))}
```

## Cite

```bibtex
{model.cite()}
```
"""


def _at(items: list[Any], place: Any, what: str) -> Any:
    """The item that a folder names by its place."""
    if type(place) is not int or not 0 <= place < len(items):
        raise ModelFileError(f"There is no number {place!r} of {len(items)} {what}. Save it anew.")
    return items[place]


def _logits(model: Any) -> list[Logit]:
    kept = (k.logit for k in model.kept_ if k.logit is not None)
    found = {id(logit): logit for logit in (model.first_logit_, *kept)}
    return list(found.values())


def _others(model: Any) -> list[Any]:
    """The models whose critics logits begin with, in the order of their use."""
    found = {id(x.others): x.others for x in _logits(model) if x.others is not None}
    return list(found.values())


def _check(model: Any) -> None:
    kind = type(model.base_).__name__
    if MODELS.get(kind, "") != type(model.base_).__module__:
        reason = f"its generator is a {kind}"
    elif any(logit.kind == "given" for logit in _logits(model)):
        reason = "its logit is a function"
    elif any(isinstance(logit.network, FeatureRatio) for logit in _logits(model)):
        reason = "its ratio sees rows by a function, features"
    else:
        return
    raise UnsupportedError(
        f"This refined model cannot be saved: {reason}, and a folder holds weights, never "
        "code. Refine a model of this library, or keep samples: model.sample(n)."
    )
