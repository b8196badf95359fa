"""Carries uint8 images to the numbers an image model sees and back, with the log-determinant."""

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError, ModelFileError, ParameterError
from ...validation import Instance, Integer, Number, OneOf, check
from .augment import flip_and_shift
from .image_sources import LAYOUTS, ImageSource
from .in_memory import as_images
from .noise import content_noise

__all__ = ["Pixels"]


_FLAG = Instance(bool, description="True or False")
_RULES = {
    "layout": OneOf(*LAYOUTS),
    "bits": Integer(1, 8),
    "low": Number(-math.inf),
    "high": Number(-math.inf),
    "logit": Number(1e-7, 0.25, ends="[]") | None,
    "shift": Number(0, 1, ends="[]"),
    "flip": _FLAG,
    "dequantise": _FLAG,
}


@dataclasses.dataclass(frozen=True)
class Pixels:
    """Knows what pixels are; nothing else in an image model does.

    This is the :class:`~pushforward.data.Codec` of images.

    A byte p is reduced to its leading bits, k = floor(p / 2^(8-bits)), and dequantised: u uniform
    on (0, 1) makes v = (k + u) / 2^bits continuous on (0, 1). The model sees
    x = low + (high - low) v, or with ``logit`` the unbounded x = logit(alpha + (1 - 2 alpha) v).

    The density of v on the cell of k integrates to the probability of k, so by Jensen's inequality
    E_u[log p(x) + log_det] is at most the log-probability of the discrete image (Theis, van den
    Oord and Bethge, "A note on the evaluation of generative models", 2016, eq. 11). Reduction and
    shifts are those of Kingma and Dhariwal, "Glow", 2018; the logit is that of Dinh,
    Sohl-Dickstein and Bengio, "Density estimation using Real NVP", 2017, section 4.1.

    Attributes:
        shape: (C, H, W) of every image.
        layout: axes of the user's arrays, "nhw", "nhwc" or "nchw".
        bits: leading bits of a byte that the model sees, 1 to 8.
        low, high: the interval the model sees; not used with logit.
        logit: None, or alpha from 1e-7 to 0.25, the distance of the bytes from the ends of (0, 1);
            RealNVP's is 0.05.
        shift: largest random shift as a share of the side, 0 to 1; what it uncovers is filled
            with the edge.
        flip: whether half of the images are mirrored, left to right.
        dequantise: whether there is noise; without it x is always the middle of the cell.

    Raises:
        ParameterError: naming the value that cannot be used.

    >>> pixels = Pixels((1, 2, 2), "nhw")
    >>> images = np.array([[[[0, 255], [128, 7]]]], np.uint8)
    >>> x, log_det = pixels.encode(images, torch.Generator().manual_seed(0))
    >>> pixels.decode(x).tolist(), round(log_det.item(), 3)
    ([[[0, 255], [128, 7]]], -22.181)
    """

    shape: tuple[int, int, int]
    layout: str
    bits: int = 8
    low: float = -0.5
    high: float = 0.5
    logit: float | None = None
    shift: float = 0.0
    flip: bool = False
    dequantise: bool = True

    def __post_init__(self) -> None:
        check(_RULES, vars(self))
        shape = tuple(self.shape)
        sides = len(shape) == 3 and all(type(side) is int and side > 0 for side in shape)
        _expect(sides, "shape", self.shape, "three whole numbers (C, H, W)")
        _expect(
            math.prod(shape) <= _MOST_VALUES, "shape", shape, f"{_MOST_VALUES:,} values at most"
        )
        object.__setattr__(self, "shape", shape)
        fits = self.layout != "nhw" or shape[0] == 1
        _expect(fits, "layout", self.layout, f"an axis for the {shape[0]} channels")
        _expect(self.low < self.high, "high", self.high, f"more than low, {self.low}")
        if self._noise_bits < 8:
            raise ParameterError(
                f"low is {self.low} and high {self.high}, so far from 0 that float32 cannot hold "
                "dequantised pixels between them. Expected an interval about 0, such as (-1, 1)."
            )

    @property
    def n_values(self) -> int:
        """Number D = C H W of values of an image."""
        return math.prod(self.shape)

    @property
    def kind(self) -> str:
        """What the data are: "images"."""
        return "images"

    @property
    def event_shape(self) -> tuple[int, int, int]:
        """Shape of what models see of an image: (C, H, W)."""
        return self.shape

    # Images as users give them

    def open(self, X: Any, pixel_range: Any = None) -> ImageSource:
        """Images as users give them, in any container and layout, as a source of (n, C, H, W).

        Args:
            X: what :func:`~pushforward.data.as_images` takes.
            pixel_range: the values (low, high) of black and white of an X that is no bytes.

        Raises:
            DataError: for what are no images, and for images of another shape.
        """
        c, h, w = self.shape
        axes = {"nhw": (h, w), "nhwc": (h, w, c), "nchw": (c, h, w)}[self.layout]
        array = isinstance(X, (np.ndarray, Tensor))
        layout = self.layout if array and tuple(X.shape[1:]) == axes else None
        images, _ = as_images(X, layout, pixel_range=pixel_range)
        if images.shape != self.shape:
            raise DataError(
                f"The images have shape {images.shape} (channels, height, width). Expected "
                f"{self.shape}, as in fit."
            )
        return images

    def take(self, X: ImageSource, rows: np.ndarray) -> np.ndarray:
        """The images of a source where the boolean mask (n,) is set: uint8 (n, C, H, W)."""
        return np.ascontiguousarray(X[np.flatnonzero(rows)])

    # To the model

    def encode(
        self,
        images: Any,
        draw: int | torch.Generator | None = 0,
        *,
        augment: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Map images to what the model sees.

        Args:
            images: uint8 array or tensor of shape (n, C, H, W), or a source of such images.
            draw: source of the noise. A number gives noise that depends on nothing but the image
                and that number; a generator gives random noise, and shifts and flips, and the
                result is on its device. None gives the middle of each cell.
            augment: whether images are shifted and flipped, as in training.

        Returns:
            ``(x, log_det)``: float32 of shape (n, C, H, W) and float64 of shape (n,), such that
            log p(x) + log_det, in nats, is in expectation over the noise at most the
            log-probability of the discrete image.

        Raises:
            DataError: for other dtypes and shapes.
            ParameterError: for ``augment`` without a generator.
        """
        bytes_ = self._checked(images)
        generator = draw if isinstance(draw, torch.Generator) else None
        if augment and (self.flip or self.shift):
            if generator is None:
                raise ParameterError("augment needs a generator: shifts and flips are random.")
            most = [int(self.shift * side) for side in self.shape[1:]]
            bytes_ = flip_and_shift(bytes_, most[0], most[1], self.flip, generator)
        device = "cpu" if generator is None else generator.device
        cells = torch.from_numpy(bytes_).to(device)
        if self.bits < 8:
            cells = cells >> (8 - self.bits)
        low, width = self._affine
        draw = draw if self.dequantise else None
        step = width if draw is None else width / 2**self._noise_bits
        x = torch.empty(cells.shape, dtype=torch.float32, device=device)
        torch.mul(cells, width, out=x).add_(low + step / 2)
        if draw is not None:
            if isinstance(draw, torch.Generator):
                noise = self._noise(cells.shape, draw)
            else:
                noise = torch.from_numpy(content_noise(bytes_, draw, 2**self._noise_bits))
            x.add_(noise, alpha=step)
        constant = self.n_values * math.log(width)
        log_det = torch.full((len(x),), constant, dtype=torch.float64, device=device)
        if self.logit is not None:
            log_s = x.log()
            log_rest = x.neg_().log1p_()
            for part in (log_s, log_rest):  # d logit(s) / ds = 1 / (s (1 - s))
                log_det -= part.flatten(1).sum(1, dtype=torch.float64)
            x = log_s.sub_(log_rest)
        return x, log_det

    @property
    def _affine(self) -> tuple[float, float]:
        """Return low end and width of a cell, before the logit."""
        low, high = (self.low, self.high) if self.logit is None else (self.logit, 1 - self.logit)
        return low, (high - low) / 2**self.bits

    @property
    def _noise_bits(self) -> int:
        """Return r such that the middles of 2^r parts of a cell stay inside it in float32.

        The margin at either end of a cell is then four units in the last place of the largest x;
        the roundings of :meth:`encode` add up to at most three.
        """
        low, width = self._affine
        high = low + width * 2**self.bits
        unit = np.spacing(np.float32(max(abs(low), abs(high), high - low)))
        return min(math.floor(math.log2(width / float(unit))) - 3, 15)

    def _noise(self, shape: torch.Size, generator: torch.Generator) -> Tensor:
        """Draw whole numbers below 2^r, int16; a draw of 63 bits gives four of them."""
        draws = torch.empty(-(-shape.numel() // 4), dtype=torch.int64, device=generator.device)
        parts = draws.random_(generator=generator).view(torch.int16)[: shape.numel()]
        return parts.bitwise_and_(2**self._noise_bits - 1).view(shape)

    @property
    def _batch_shape(self) -> str:
        return f"(n, {', '.join(map(str, self.shape))})"

    def _checked(self, images: Any) -> np.ndarray:
        if isinstance(images, Tensor):
            images = images.detach().cpu().numpy()
        elif isinstance(images, ImageSource) and not isinstance(images, np.ndarray):
            images = images[:]
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
            kind = images.dtype if isinstance(images, np.ndarray) else type(images).__name__
            raise DataError(f"The images are {kind}. Expected a uint8 array: see as_images.")
        if images.ndim != 4 or images.shape[1:] != self.shape:
            raise DataError(
                f"The images have shape {images.shape}. Expected {self._batch_shape}, as the "
                "model was fitted on."
            )
        return np.require(images, requirements=["C", "W"])

    # Back to the user

    def decode(self, x: Any) -> np.ndarray:
        """Map what a model made to images in the user's layout, uint8.

        A value becomes the byte of the cell it falls in; values beyond the interval become 0 or
        255. With ``bits`` below 8 the cells' bytes are spread evenly from 0 to 255, so that white
        stays white, and each has the leading bits of its cell.

        Args:
            x: float tensor of shape (n, C, H, W), of any dtype and device.

        Raises:
            DataError: for another shape, and for NaN or infinite values.
        """
        x = torch.as_tensor(x).detach()
        if x.ndim != 4 or tuple(x.shape[1:]) != self.shape:
            raise DataError(f"x has shape {tuple(x.shape)}. Expected {self._batch_shape}.")
        bad = torch.logical_not(torch.isfinite(x)).flatten(1).any(1)
        if bad.any():
            raise DataError(
                f"{int(bad.sum())} of {len(x)} images have NaN or infinite values. Expected "
                "finite numbers: the model that made them diverged. Sample at a lower "
                "temperature, or train it again with a lower learning rate."
            )
        x = x.double()
        if self.logit is not None:
            x = x.sigmoid()
        low, width = self._affine
        cells = x.sub(low).div_(width).floor_().clamp_(0, 2**self.bits - 1)
        spread = cells if self.bits == 8 else cells.mul_(255 / (2**self.bits - 1)).round_()
        images = spread.to(torch.uint8).cpu().numpy()
        if self.layout == "nhw":
            return images[:, 0]
        return np.ascontiguousarray(
            images.transpose(0, 2, 3, 1) if self.layout == "nhwc" else images
        )

    def quantise(self, x: Tensor) -> Tensor:
        """What a model made, moved to the middles of the cells it falls in.

        Args:
            x: float tensor of shape (n, C, H, W).
        """
        share = x if self.logit is None else x.sigmoid()
        low, width = self._affine
        cells = share.sub(low).div_(width).floor_().clamp_(0, 2**self.bits - 1)
        middle = cells.mul_(width).add_(low + width / 2)
        return middle if self.logit is None else middle.logit()

    # To a file

    def to_config(self) -> dict[str, Any]:
        """Return all fields as JSON values; :meth:`from_config` reads them exactly."""
        return dataclasses.asdict(self) | {"shape": list(self.shape)}

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> "Pixels":
        """Build the pixels that :meth:`to_config` described.

        Raises:
            ModelFileError: for an unknown, missing or wrong entry.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise ModelFileError(
                f"The description of the pixels is {values!r}. Expected the entries "
                f"{sorted(names)}: the folder was altered or is from another version."
            )
        if not isinstance(values["shape"], list):
            raise ModelFileError(f"The shape of the pixels is {values['shape']!r}, not a list.")
        try:
            return cls(**{**values, "shape": tuple(values["shape"])})
        except ParameterError as error:
            raise ModelFileError(
                f"The description of the pixels is wrong: {error} The model folder was altered: "
                "fit the model again or fetch a fresh copy."
            ) from error


_MOST_VALUES = 2**28  # of an image: a gigabyte as float32


def _expect(fine: bool, name: str, value: Any, expected: str) -> None:
    if not fine:
        raise ParameterError(f"{name} is {value!r}. Expected {expected}.")
