"""Checkpoints: everything a run needs to go on bit for bit, in one folder, never pickled.

The format is that of the model folder, so what is written is whole or not there, and what is
read is checked. Random state and data order need no room: they are functions of the seed and
the number of the draw (``batches.py``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import ModelFileError
from ..storage.model_folder import read_folder, write_folder

__all__ = ["read_checkpoint", "write_checkpoint"]

_CLASS = "Checkpoint"


def write_checkpoint(
    folder: Path, facts: Mapping[str, Any], groups: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Write a checkpoint in one step, in the place of an older one.

    Args:
        folder: where.
        facts: JSON values: the step, the seed, the history.
        groups: tensors by group and name: networks, optimisers, averages.

    Raises:
        ModelFileError: if the disk refuses; an older checkpoint is still whole.
    """
    tensors = {f"{group}/{k}": v for group, held in groups.items() for k, v in held.items()}
    text = (
        f"# Checkpoint at step {facts.get('step')}\n\nThe state of an unfinished training run: "
        "repeat the command that wrote it to go on.\n"
    )
    write_folder(folder, {"class": _CLASS, "facts": dict(facts)}, tensors, text)


def read_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, Tensor]]]:
    """What :func:`write_checkpoint` was given.

    Raises:
        ModelFileError: if the folder is missing, damaged, or no checkpoint.
    """
    config, tensors = read_folder(folder)
    if config.get("class") != _CLASS or not isinstance(config.get("facts"), dict):
        raise ModelFileError(f"{folder} is a saved model, not a checkpoint of a training run.")
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, key = name.partition("/")
        groups.setdefault(group, {})[key] = value
    return config["facts"], groups
