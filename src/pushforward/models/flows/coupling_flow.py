"""What RealNVP and NICE share: the calls of a flow network whose latent is one tensor."""

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ... import errors
from ...errors import DataError, UnsupportedError
from ...validation import COUNT, check
from .flow_norm import Moments, MomentsFrom

__all__ = ["CouplingFlow", "at_least_one", "normal_log_prob"]


def at_least_one(**numbers: int) -> None:
    """Raise ParameterError for the first of the named numbers that is not 1 or more."""
    check(dict.fromkeys(numbers, COUNT), numbers)


def normal_log_prob(z: Tensor) -> Tensor:
    """Log density, in nats, of each row (n, ...) under a standard normal: (n,)."""
    z = z.flatten(1)
    return -0.5 * (z.square().sum(1) + z.shape[1] * math.log(2 * math.pi))


class CouplingFlow(nn.Module):
    """An invertible network between rows ``x`` and one standard-normal tensor of their shape.

    Before :meth:`initialise`, everything else raises NotFittedError. Rows are floating point, of
    shape (n, *shape). ``y`` is there for the contract of flow networks and must be None.

    Args:
        shape: shape of one row.

    Attributes:
        initialised: buffer, whether :meth:`initialise` has been called; saved with the state.
    """

    initialised: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.register_buffer("initialised", torch.tensor(False))
        self._known_initialised = False  # so that a device is asked once, not at every call
        self.register_load_state_dict_post_hook(_forget)

    @property
    def latent_shapes(self) -> list[tuple[int, ...]]:
        """Shapes, without rows, of what :meth:`encode` returns."""
        return [self.shape]

    def initialise(self, x: Tensor, y: Tensor | None = None) -> None:
        """Set what depends on the data from one large batch.

        Args:
            x: at least two rows of the training data.
            y: None.

        Raises:
            DataError: rows of another shape, fewer than two, or not finite.
        """
        self._check(x, y)
        if len(x) < 2 or not x.isfinite().all():
            raise DataError(
                f"initialise got {len(x)} rows, {int((~x.isfinite()).sum())} of their values not "
                "finite; give at least two rows of finite values"
            )
        with torch.no_grad():
            self._initialise(x)
        self.initialised.fill_(True)

    def log_prob(self, x: Tensor, y: Tensor | None = None, *, per_level: bool = False) -> Tensor:
        """Log density of continuous rows, in nats, each independent of its batch.

        Args:
            x: (n, *shape).
            y: None.
            per_level: whether to give the terms of each level apart.

        Returns:
            (n,), or (n, levels) whose sum over levels it is.
        """
        self._check(x, y, initialised=True)
        terms = self._to_latent(x, "kept")[1]
        return terms if per_level else terms.sum(1)

    def training_log_prob(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Log density as training wants it: (n,), by the moments of this batch.

        Batch normalisation uses the moments of ``x``, with gradients through them, and the
        running moments move towards them. A network without batch normalisation gives
        :meth:`log_prob`.
        """
        self._check(x, y, initialised=True)
        return self._to_latent(x, "batch")[1].sum(1)

    def penalty(self) -> Tensor:
        """What training adds to the mean negative log density: 0 unless the paper has one."""
        return next(self.parameters()).new_zeros(())

    def encode(self, x: Tensor, y: Tensor | None = None) -> list[Tensor]:
        """The latent of rows, standard normal under the model: one tensor (n, *shape)."""
        self._check(x, y, initialised=True)
        return [self._to_latent(x, "kept")[0]]

    def decode(self, eps: Sequence[Tensor], y: Tensor | None = None) -> Tensor:
        """The rows (n, *shape) whose :meth:`encode` is ``eps``."""
        if len(eps) != 1:
            raise DataError(f"got {len(eps)} latents; expected one, as encode returns it")
        self._check(eps[0], y, initialised=True)
        return self._from_latent(eps[0])

    def sample_latent(
        self, n: int, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> list[Tensor]:
        """Latents of ``n`` samples: normal, with standard deviation ``temperature``."""
        like = next(self.parameters())
        device = like.device if generator is None else generator.device
        z = torch.randn(n, *self.shape, generator=generator, dtype=like.dtype, device=device)
        return [z.to(like.device) * temperature]

    def sum_over_processes(self, reduce: Callable[[Tensor], Tensor] | None) -> None:
        """Make batch moments those of the joined batch of several processes.

        Args:
            reduce: gives the sum of a tensor over the processes; gradients are summed by it too.
                None for one process.
        """
        for module in self.modules():
            if isinstance(module, Moments):
                module.reduce = reduce

    def _check(self, x: Tensor, y: Tensor | None, *, initialised: bool = False) -> None:
        if y is not None:
            raise UnsupportedError(
                f"{type(self).__name__} cannot be conditioned on labels; Glow can"
            )
        if tuple(x.shape[1:]) != self.shape or not x.is_floating_point():
            raise DataError(
                f"got {x.dtype} of shape {tuple(x.shape)}; expected floating point of shape "
                f"(n, {', '.join(map(str, self.shape))})"
            )
        if initialised and not self._known_initialised:
            self._known_initialised = bool(self.initialised)
            if not self._known_initialised:
                raise errors.NotFittedError(
                    f"{type(self).__name__} is not initialised; call initialise(x) with one large "
                    "batch of training data, or load a trained state"
                )

    def _initialise(self, x: Tensor) -> None:
        self._to_latent(x, "first batch")

    @abstractmethod
    def _to_latent(self, x: Tensor, moments: MomentsFrom) -> tuple[Tensor, Tensor]:
        """Latents (n, *shape) and the terms (n, levels) of the log density."""

    @abstractmethod
    def _from_latent(self, z: Tensor) -> Tensor:
        """The inverse of :meth:`_to_latent` by the kept moments."""


def _forget(network: nn.Module, _: object) -> None:
    assert isinstance(network, CouplingFlow)
    network._known_initialised = False
