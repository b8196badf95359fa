"""How much energy latents have in each octave of principal axes, beside what is usual."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

__all__ = ["PrincipalBands"]

_LEAST = 1e-12  # energy of a latent that has none


@dataclass(frozen=True)
class PrincipalBands:
    """Whole octaves of principal axes, 1, 1, 2, 4, ... of them, and the usual energies there.

    The energy of a band is the mean square of a latent along its axes, 1 under the model. Its
    logarithm is compared with that of images of the kind the model was fitted on, in units of
    their standard deviation. What is in excess counts, in every octave alike: the sum over all
    axes would be that of the hundreds along which images hardly vary, and less energy than usual
    in one octave is no reason to forgive too much in another. Axes after the last whole octave,
    along which images vary least, are left out: they would count as much as a whole one.

    Args:
        axes: (D, K) float64, orthonormal columns, by falling variance of the images.
        usual: (2, B) float64, mean and standard deviation of the log energies.
    """

    axes: Tensor
    usual: Tensor

    @classmethod
    def of(cls, axes: Tensor, latents: Tensor) -> "PrincipalBands":
        """Learn what is usual from latents (n, D)."""
        logs = torch.stack([_log_energy(latents @ a) for a in cls._split(axes)])
        spread = logs.std(1, correction=0)
        spread = torch.where(spread > 0, spread, 1.0)
        return cls(axes, torch.stack([logs.mean(1), spread]))

    def scores(self, latents: Tensor) -> Tensor:
        """Minus the sum of the excesses, at half the cost of the sum of :meth:`maps`: (n,)."""
        total = latents.new_zeros(len(latents))
        for a, mean, spread in zip(self._split(self.axes), *self.usual, strict=True):
            total -= ((_log_energy(latents @ a) - mean) / spread).clamp_min(0)
        return total

    def maps(self, latents: Tensor) -> Tensor:
        """What each coordinate adds to minus the sum of the excesses: (n, D) -> (n, D).

        A band's excess is divided among coordinates by their shares of its energy.

        Examples:
            >>> bands = PrincipalBands.of(torch.eye(8), torch.randn(100, 8))
            >>> quiet, loud = bands.maps(torch.tensor([[1.0], [3.0]]) * torch.ones(8)).sum(1)
            >>> bool(quiet > loud)
            True
        """
        total = torch.zeros_like(latents)
        for a, mean, spread in zip(self._split(self.axes), *self.usual, strict=True):
            squares = (latents @ a @ a.mT).square()
            energy = squares.sum(1, keepdim=True).clamp_min(_LEAST)
            excess = (((energy / a.shape[1]).log() - mean) / spread).clamp_min(0)
            total -= excess * squares / energy
        return total

    @classmethod
    def _split(cls, axes: Tensor) -> tuple[Tensor, ...]:
        sizes = cls.sizes(axes.shape[1])
        return axes[:, : sum(sizes)].split(sizes, 1)

    @staticmethod
    def sizes(axes: int) -> list[int]:
        """Axes of each whole octave of so many.

        Examples:
            >>> PrincipalBands.sizes(9)
            [1, 1, 2, 4]
        """
        edges = [0, *(2**k for k in range(axes.bit_length()))]
        return [last - first for first, last in pairwise(edges)]


def _log_energy(along: Tensor) -> Tensor:
    """Log of the mean square of coordinates along the axes of a band: (n, K) -> (n,)."""
    return along.square().mean(1).clamp_min(_LEAST).log()
