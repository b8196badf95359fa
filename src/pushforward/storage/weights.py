"""Weights from a folder into the networks they are of; nothing is allocated that they do not fill.

What the settings in a folder say of sizes is a claim. Networks are built on the meta device first,
where tensors have shapes and no memory, and only those whose every shape is that of a tensor in
the folder are built again, with memory. So a network takes no more than the file it is read from.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..errors import ModelFileError
from .outlines import without_memory

__all__ = ["CheckedModule", "built_to_fit", "load_weights", "refuse_not_finite"]

#: What building with the settings of a file may raise: sizes that are negative, no numbers, or
#: overflow, divisions by zero, words that are no names. A fault of ours is chained to the refusal.
_UNBUILDABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_SPARE = 1000  # parts of a network that have no weights, beside several for each tensor
_PARTS_EACH = 8
_SPARE_BYTES = 2**25  # of what networks hold beside their weights, such as masks
_SHOWN = 3  # names in an error


class CheckedModule(nn.Module):
    """A module that cannot work with weights of every value, such as places in a list."""

    def check_weights(self) -> None:
        """Refuse weights that the module cannot work with.

        Raises:
            ValueError: with what is wrong, as a clause.
        """
        raise NotImplementedError


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a network, all of them by its own names.

    Raises:
        ModelFileError: for names, shapes and types other than the network's, and for numbers that
            are not finite.

    Examples:
        >>> import torch
        >>> network = nn.Linear(2, 1)
        >>> load_weights(network, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
        >>> network(torch.ones(2))
        tensor([2.], grad_fn=<ViewBackward0>)
    """
    _compare(network.state_dict(), tensors)
    refuse_not_finite(tensors)
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:  # a network of the user's own that reads its state itself
        raise ModelFileError(f"The weights do not fit the network: {error}") from error
    _check_modules(network)


def _check_modules(network: nn.Module) -> None:
    """Refuse weights of a network that one of its modules cannot work with.

    Raises:
        ModelFileError: naming the module.
    """
    for name, module in network.named_modules():
        try:
            if isinstance(module, CheckedModule):
                module.check_weights()
            variance = module.running_var if isinstance(module, _BATCH_NORMS) else None
            if variance is not None and bool((variance < 0).any()):
                raise ValueError("a variance is negative")
        except ValueError as error:
            raise ModelFileError(
                f"The weights of {name or 'the network'!r} cannot be used: {error}. The model "
                "folder was altered: fit the model again or fetch a fresh copy."
            ) from error


def refuse_not_finite(tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights of which any is nan or infinite: all that such a network makes is nan.

    Raises:
        ModelFileError: naming the tensor.
    """
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise ModelFileError(
                f"The weights {name!r} hold numbers that are not finite. The model folder was "
                "altered, or its fit failed: fit the model again or fetch a fresh copy."
            )


def built_to_fit(
    build: Callable[[], Mapping[str, nn.Module]], tensors: Mapping[str, Tensor]
) -> dict[str, nn.Module]:
    """Networks with these weights, built only after they were found to be of their shapes.

    Args:
        build: makes the networks by name, from settings that somebody may have edited.
        tensors: the weights of all, by ``network.name of the weight``.

    Raises:
        ModelFileError: for settings that build nothing, or networks that these weights do not
            fill.

    Examples:
        >>> import torch
        >>> weights = {"flow.weight": torch.ones(1, 2), "flow.bias": torch.zeros(1)}
        >>> built_to_fit(lambda: {"flow": nn.Linear(2, 1)}, weights)
        {'flow': Linear(in_features=2, out_features=1, bias=True)}
        >>> built_to_fit(lambda: {"flow": nn.Linear(10**9, 10**9)}, weights)
        Traceback (most recent call last):
        pushforward.errors.ModelFileError: The weights do not fit the network: 'flow.weight' ...
    """
    try:
        with without_memory(_SPARE + _PARTS_EACH * len(tensors)):
            outlines = dict(build())
            expected = {
                f"{name}.{key}": value
                for name, network in outlines.items()
                for key, value in network.state_dict().items()
            }
    except ModelFileError:
        raise
    except _UNBUILDABLE as error:
        reason = str(error).rstrip(".")
        raise ModelFileError(
            f"The settings describe no network: {type(error).__name__}: {reason}. The folder "
            "was altered: fit the model again or fetch a fresh copy."
        ) from error
    _compare(expected, tensors)
    _refuse_unfilled(outlines, tensors)
    built = dict(build())
    for name, network in built.items():
        own = {k: v for k, v in tensors.items() if k.startswith(f"{name}.")}
        load_weights(network, {k.removeprefix(f"{name}."): v for k, v in own.items()})
    return built


def _refuse_unfilled(outlines: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Refuse networks with far more in them than weights, such as masks of images without end.

    Raises:
        ModelFileError: naming how much.
    """
    parts = [part for network in outlines.values() for part in network.buffers()]
    size = sum(part.nbytes for part in parts)
    if size > _SPARE_BYTES + sum(tensor.nbytes for tensor in tensors.values()):
        raise ModelFileError(
            f"The settings describe networks with {size:,} bytes that the weights do not fill. "
            "The model folder was altered: fit the model again or fetch a fresh copy."
        )


def _compare(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not those of a network, in names, shapes or types.

    Raises:
        ModelFileError: naming the first few.
    """
    problems = [f"{name!r} is missing" for name in expected if name not in found]
    problems += [f"{name!r} is not of the network" for name in found if name not in expected]
    for name in [name for name in expected if name in found]:
        wanted, given = expected[name], found[name]
        if wanted.shape != given.shape:
            shapes = f"{tuple(given.shape)}, and {tuple(wanted.shape)} was expected"
            problems.append(f"{name!r} has shape {shapes}")
        elif _kind(wanted.dtype) != _kind(given.dtype):
            problems.append(f"{name!r} is of {given.dtype}, and {wanted.dtype} was expected")
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ModelFileError(
            f"The weights do not fit the network: {'; '.join(problems[:_SHOWN])}{more}. Its files "
            "do not belong together: save the model anew, or fetch a fresh copy."
        )


def _kind(dtype: torch.dtype) -> str:
    """What may be copied into what: a float32 into a float64, and no float into an integer."""
    if dtype.is_complex:
        return "complex"
    return "float" if dtype.is_floating_point else "bool" if dtype == torch.bool else "int"
