"""Finds and reads files of published weights. Nothing is downloaded."""

import hashlib
import os
import reprlib
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from ...data.images.datasets import cache_folder, data_root
from ...errors import ModelFileError, ParameterError
from .torch_files import read_torch_file

__all__ = ["WeightsFile", "cache_folder", "find_weights", "read_weights"]


@dataclass(frozen=True)
class WeightsFile:
    """One file of published weights.

    Attributes:
        name: the file's name.
        sha256: of its bytes, or the digits at the beginning that are published.
        origin: where people get it.
    """

    name: str
    sha256: str
    origin: str


def _find(known: tuple[WeightsFile, ...], folder: str, given: str | os.PathLike | None) -> Path:
    if given is not None:
        if not (path := Path(given)).exists():
            raise ParameterError(f"weights={os.fspath(given)!r}: no such file. {_advice(known)}")
        if path.is_file():
            return path
        places = [path]
    else:
        places = [data_root() / folder, data_root()]
    for place in places:
        for file in known:
            if (place / file.name).is_file():
                return place / file.name
    looked = ", ".join(str(place) for place in places)
    raise ParameterError(f"No weights in {looked}. {_advice(known)}")


def _advice(known: tuple[WeightsFile, ...]) -> str:
    files = " or ".join(f"{f.name} (sha256 {f.sha256}; {f.origin})" for f in known)
    return (
        f"Expected: {files}. Nothing is downloaded: get the file and give its path as `weights`, "
        "or put it into a folder and name that by the environment variable PUSHFORWARD_DATA."
    )


def find_weights(
    known: tuple[WeightsFile, ...], folder: str, given: str | os.PathLike | None
) -> tuple[dict[str, Tensor], str, bool]:
    """Find and read published weights.

    Args:
        known: the files that serve, the best first.
        folder: the folder they are in within a data root.
        given: a file or folder; None looks in the data root, the one image sets are in.

    Returns:
        Tensors by name; the SHA-256 of the file; whether that is one of the known ones.

    Raises:
        ParameterError: No such file is there; the text says which are expected, and where.
        ModelFileError: The file that was found, not given, is not the published one; or it
            cannot be read.
    """
    path = _find(known, folder, given)
    tensors, sha256 = read_weights(path)
    published = any(sha256.startswith(file.sha256) for file in known)
    if not published and given is None:
        raise ModelFileError(
            f"{path}: its sha256 is {sha256}, so it is not the published file. {_advice(known)} "
            "Weights of your own are read when you give their path."
        )
    return tensors, sha256, published


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Tensors by name and the file's SHA-256, from safetensors or torch's own format.

    Raises:
        ModelFileError: The file holds something other than tensors by name, or is damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: could not be read: {error.strerror or error}.") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if path.suffix in (".pth", ".pt", ".bin"):
        return read_torch_file(data, path), sha256
    try:
        return safetensors.torch.load(data), sha256
    except Exception as error:  # hostile bytes: whatever the parser raises is a refusal
        raise ModelFileError(
            f"{path}: not a usable safetensors file: {reprlib.repr(str(error))}. Get the file "
            "again from its source."
        ) from error
