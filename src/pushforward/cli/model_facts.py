"""The figures of a fitted model, for people and for programs."""

import inspect
from typing import Any

from ..plain_text import printable

__all__ = ["facts", "facts_text", "trained", "unusual_parameters"]

_NAMES = 20  # of classes that people are shown; a program gets all

_WORDS = {
    "class": "model",
    "generator": "of",
    "n_rows": "fitted on rows",
    "drawn_from": "drawn from rows",
    "n_left_out": "rows left out",
    "n_columns": "columns",
    "held_out_nats": "held-out nats a row",
    "n_layers": "layers",
    "image_shape": "images",
    "bits": "bits of a pixel",
    "n_classes": "classes",
    "class_names": "names of classes",
    "n_characters": "characters",
    "line_length": "longest line",
    "n_weights": "weights",
    "steps": "trained for steps",
    "trained_seconds": "trained for",
    "held_out_bits_per_dim": "held-out bits/dim",
    "kept": "kept",
    "stopped": "stopped",
    "threshold": "outliers lie below",
    "bytes": "size",
    "parameters": "parameters",
}


def facts(model: Any) -> dict[str, Any]:
    """What is known of a fitted model; only what it has."""
    from ..estimators.capabilities import capabilities_of
    from ..estimators.table_density import TableDensity

    can = model.capabilities()
    base, table = trained(model), can.columns
    density = isinstance(model, TableDensity)
    found = {
        "class": type(model).__name__,
        "generator": None if base is model else type(base).__name__,
        "n_rows": None if table is None else table.n_rows,
        "drawn_from": getattr(model, "drawn_from_", None),
        "n_left_out": None if table is None else table.n_left_out or None,
        "n_columns": None if table is None else table.n_columns,
        "held_out_nats": model.held_out_ if density else None,
        "n_layers": can.n_layers,
        **(_image_facts(can) if can.pixels is not None else {}),
        **(_text_facts(can.alphabet) if can.alphabet is not None else {}),
        **_run_facts(base),
        "stopped": capabilities_of(base).stopped,
        "threshold": can.threshold if density else None,
    }
    return {word: value for word, value in found.items() if value is not None}


def trained(model: Any) -> Any:
    """The model that was trained: the generator of a refined one, else the model itself."""
    from ..refinement import RefinedModel

    return model.base_ if isinstance(model, RefinedModel) else model


def _image_facts(can: Any) -> dict[str, Any]:
    return {
        "image_shape": list(can.pixels.shape),
        "bits": can.pixels.bits,
        "n_classes": None if can.classes is None else len(can.classes),
        "class_names": can.class_names,
    }


def _text_facts(known: Any) -> dict[str, Any]:
    return {"n_characters": len(known.characters), "line_length": known.length}


def _run_facts(model: Any) -> dict[str, Any]:
    from ..estimators.table_density import TableDensity
    from ..estimators.trained_model import TrainedModel

    if not isinstance(model, TrainedModel):
        return {}
    last = model.history_[-1] if model.history_ else {}
    best = model.best_ or {"measures": {}}
    networks = model.networks_.values()
    found = {
        "n_weights": sum(
            value.numel() for network in networks for value in network.state_dict().values()
        ),
        "steps": last.get("step"),
        "trained_seconds": last.get("seconds"),
    }
    if not isinstance(model, TableDensity):  # whose held_out_nats are in the units of the data
        found |= {f"held_out_{name}": value for name, value in best["measures"].items()}
    if "step" in best:
        which = "the averaged weights" if best["which"] == "averaged" else "the weights"
        found["kept"] = f"{which} of step {best['step']:,}"
    return found


def facts_text(known: dict[str, Any]) -> str:
    """The facts as lines for people."""
    lines = []
    for word, value in known.items():
        lines.append(f"{_WORDS.get(word, word.replace('_', ' ')):<25} {_text(word, value)}")
    return printable("\n".join(lines), lines=True)


def _text(word: str, value: Any) -> str:
    if word == "bytes":
        return f"{value / 1e6:,.2f} MB"
    if word == "image_shape":
        return "{} x {} x {} (channels, height, width)".format(*value)
    if word == "class_names":
        return ", ".join(value[:_NAMES]) + (", ..." if len(value) > _NAMES else "")
    if word == "trained_seconds":
        return f"{value / 60:.1f} minutes" if value >= 60 else f"{value:.1f} seconds"
    if word == "threshold":
        return f"{value:.5g} nats"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def unusual_parameters(model: Any) -> str:
    """The constructor's parameters that are not at their defaults."""
    defaults = inspect.signature(type(model)).parameters
    changed = [
        f"{name}={value!r}"
        for name, value in model.get_params(deep=False).items()
        if value != defaults[name].default
    ]
    return ", ".join(changed) or "all at their defaults"
