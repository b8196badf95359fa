"""Where a flow of images begins: margins of pixels in front of it, a full Gaussian behind it.

With both fitted to the data, a flow whose couplings do nothing yet is a Gaussian copula: its
samples have the margins and the correlations of the data before the first step of training.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ...errors import DataError

__all__ = ["LatentGaussian", "PixelMargins", "bits_of_margins"]

_POOLED = 20.0  # images that the histogram of all pixels of a channel counts for in that of one
_LEAST = 2e-5  # share of every cell: one that was never seen can still be inverted in float32
_LOG_2PI = math.log(2 * math.pi)
_FARTHEST = 8.0  # deviations; beyond them float64 knows no probabilities next to 1


class PixelMargins(nn.Module):
    """Make every pixel standard normal by its own distribution: ``z = Phi^-1(F_j(x_j))``.

    ``F_j`` is piecewise linear, uniform within the cell of each byte, so that it is exact for
    dequantised bytes. It is the histogram of the pixel, with that of its channel for 20 more
    images and a small share for every cell.

    Args:
        shape: (C, H, W) of an image.
        low, high: the interval of ``x``; values outside count as its ends.
        cells: how many bytes there are.

    Attributes:
        masses: (C H W, cells), the probability of each cell.

    Examples:
        >>> margins = PixelMargins((1, 2, 2), 0.0, 1.0, 4)
        >>> x = torch.rand(100, 1, 2, 2, generator=torch.Generator().manual_seed(0))
        >>> margins.fit([x])
        >>> z, log_det = margins(x)
        >>> bool((margins.inverse(z) - x).abs().max() < 1e-4), log_det.shape
        (True, torch.Size([100]))
    """

    masses: Tensor

    def __init__(self, shape: Sequence[int], low: float, high: float, cells: int) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.low, self.width = low, (high - low) / cells
        self.register_buffer("masses", torch.full((math.prod(shape), cells), 1.0 / cells))

    def fit(self, batches: Iterable[Tensor]) -> None:
        """Count the bytes of images (n, C, H, W), given a batch at a time."""
        size, cells = self.masses.shape
        counts = torch.zeros(size * cells, dtype=torch.float64)
        first = torch.arange(size) * cells
        total = 0
        for x in batches:
            cell, _ = self._cells(x.flatten(1).cpu())
            counts += torch.bincount((cell + first).flatten(), minlength=size * cells)
            total += len(x)
        if not total:
            raise DataError("Pixel margins got no images. Expected one or more.")
        each = counts.view(self.shape[0], -1, cells)
        pooled = each.sum(1, keepdim=True) / each.sum((1, 2), keepdim=True)
        share = (each + _POOLED * pooled) / (total + _POOLED) + _LEAST
        self.masses.copy_((share / share.sum(-1, keepdim=True)).view(size, cells))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (n, C, H, W) to normal pixels, with the log-determinant (n,)."""
        cell, within = self._cells(x.flatten(1))
        masses, ends = self._distribution()
        pixel = torch.arange(len(masses), device=x.device)
        mass = masses[pixel, cell]
        share = ends[pixel, cell] + mass * within
        z = torch.special.ndtri(share).clamp(-_FARTHEST, _FARTHEST)
        log_det = mass.log() + 0.5 * z.square() + 0.5 * math.log(2 * math.pi)
        constant = len(masses) * math.log(self.width)
        return z.to(x.dtype).view(x.shape), (log_det.sum(1) - constant).to(x.dtype)

    def inverse(self, z: Tensor) -> Tensor:
        """Map back: (n, C, H, W)."""
        masses, ends = self._distribution()
        # not a number stays what it is: who samples counts such images
        share = torch.special.ndtr(z.flatten(1).double().clamp(-_FARTHEST, _FARTHEST))
        found = torch.searchsorted(ends[:, 1:].contiguous(), share.detach().T.contiguous()).T
        cell = found.clamp(0, masses.shape[1] - 1)
        pixel = torch.arange(len(masses), device=z.device)
        within = (share - ends[pixel, cell]) / masses[pixel, cell]
        # inside of the cell in float32 too
        x = self.low + self.width * (cell + within.clamp(2.0**-12, 1 - 2.0**-12))
        return x.to(z.dtype).view(z.shape)

    def _cells(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of the cells of values (n, D), and the places in them from 0 to 1, float64."""
        scaled = (x.double() - self.low) / self.width
        cell = scaled.detach().floor().nan_to_num(0.0).clamp(0, self.masses.shape[1] - 1)
        return cell.long(), (scaled - cell).clamp(2.0**-20, 1 - 2.0**-20)

    def _distribution(self) -> tuple[Tensor, Tensor]:
        """Probabilities (D, cells) and their sums from 0 on (D, cells + 1), float64."""
        masses = self.masses.double()
        masses = masses / masses.sum(1, keepdim=True)
        return masses, nn.functional.pad(masses.cumsum(1), (1, 0))


def bits_of_margins(x: Tensor, low: float, high: float, cells: int) -> float:
    """How many bits a value the margins of pixels say beyond normal distributions, held out.

    Every second image judges what is learned of the others: by 5 bits where most pixels of most
    images have one value, as those of digits on paper, and less than none of photographs.

    Args:
        x: (n, C, H, W) dequantised images, a few hundred.
        low, high, cells: as of :class:`PixelMargins`.

    Examples:
        >>> g = torch.Generator().manual_seed(0)
        >>> noise = torch.rand(200, 1, 4, 4, generator=g) / 256
        >>> ink = (noise < 0.1 / 256) * torch.rand(200, 1, 4, 4, generator=g)
        >>> bits_of_margins(0.99 * ink + noise, 0.0, 1.0, 256) > 1
        True
        >>> photograph = 0.5 + 0.1 * torch.randn(200, 1, 4, 4, generator=g)
        >>> bits_of_margins(photograph, 0.0, 1.0, 256) > 1
        False
    """
    learned, judged = x[::2], x[1::2]
    margins = PixelMargins(x.shape[1:], low, high, cells)
    margins.fit([learned])
    z, log_det = margins(judged)
    own = log_det - 0.5 * (z.square() + _LOG_2PI).flatten(1).sum(1)
    scale = learned.std(0, correction=0).clamp_min((high - low) / cells)
    off = (judged - learned.mean(0)) / scale
    normal = -(scale.log() + 0.5 * (off.square() + _LOG_2PI)).flatten(1).sum(1)
    return float((own - normal).mean()) / (x[0].numel() * math.log(2))


class LatentGaussian(nn.Module):
    """A linear map of all parts of a latent together: ``e = W (eps - mean)``, W lower triangular.

    Fitted, ``e`` has mean 0 and the unit matrix as its covariance, so that ``eps`` has under the
    model those of the data.

    Args:
        size: values of a latent.

    Attributes:
        mean: (size,).
        whitening: (size, size), W.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("whitening", torch.eye(size))

    def fit(self, eps: Tensor) -> None:
        """Learn mean and covariance from latents (n, size); the latter shrunk.

        Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
        2004.
        """
        from sklearn.covariance import ledoit_wolf

        eps = eps.double().cpu()
        if len(eps) < 2:
            return
        covariance, _ = ledoit_wolf(eps.numpy())
        factor = torch.linalg.cholesky(torch.from_numpy(covariance))
        unit = torch.eye(len(factor), dtype=torch.float64)
        self.mean.copy_(eps.mean(0))
        self.whitening.copy_(torch.linalg.solve_triangular(factor, unit, upper=False))

    def encode(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Map parts (n, ...), finest first."""
        flat = torch.cat([part.flatten(1) for part in parts], 1)
        return _parted((flat - self.mean) @ self.whitening.T, parts)

    def decode(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Map back."""
        flat = torch.cat([part.flatten(1) for part in parts], 1).double()
        eps = torch.linalg.solve_triangular(self.whitening.double(), flat.T, upper=False).T
        return _parted((eps + self.mean).to(parts[0].dtype), parts)

    def log_ratio(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Log density of each part, given the finer ones, less that of a standard normal: (n,)."""
        before, found = 0, []
        for eps, e in zip(parts, self.encode(parts), strict=True):
            size = math.prod(eps.shape[1:])
            diagonal = self.whitening.diagonal()[before : before + size]
            squares = eps.flatten(1).square().sum(1) - e.flatten(1).square().sum(1)
            found.append(0.5 * squares + diagonal.log().sum())
            before += size
        return found


def _parted(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    parts = flat.split([math.prod(part.shape[1:]) for part in like], 1)
    return [part.reshape(other.shape) for part, other in zip(parts, like, strict=True)]
