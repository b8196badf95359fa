"""What carries a user's data to the numbers a model sees, and back: the protocol of all kinds."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

__all__ = ["Codec"]


@runtime_checkable
class Codec(Protocol):
    """Knows what the data are; nothing else in a model does.

    :class:`~pushforward.data.Columns` is the codec of tables, :class:`~pushforward.data.Pixels`
    that of images, :class:`~pushforward.data.Alphabet` that of text.

    Examples:
        >>> from pushforward.data import Alphabet, Codec
        >>> codec = Alphabet("ab", 3)
        >>> isinstance(codec, Codec), codec.kind, codec.event_shape
        (True, 'text', (3, 4))
        >>> z, log_det = codec.encode(["ab", "b"])
        >>> tuple(z.shape), codec.decode(z)
        ((2, 3, 4), ['ab', 'b'])
    """

    @property
    def kind(self) -> str:
        """What the data are: "table", "images" or "text"."""
        ...

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of the numbers of one row."""
        ...

    def open(self, X: Any, /) -> Any:
        """Data as users give them, as something with a length that the other methods take.

        Raises:
            DataError: for data of another kind or shape.
        """
        ...

    def take(self, X: Any, rows: np.ndarray, /) -> Any:
        """The rows of opened data where the boolean mask (n,) is set."""
        ...

    def encode(self, X: Any, draw: Any = 0, /) -> tuple[Tensor, Tensor]:
        """The numbers (n, *event_shape) of rows, and the log-determinants (n,), in nats.

        Args:
            X: rows that :meth:`open` or :meth:`take` returned.
            draw: a number: which draw of the noise that dequantises, a function of it and the row.
        """
        ...

    def decode(self, z: Tensor, /) -> Any:
        """Numbers (n, *event_shape) as rows in the user's form."""
        ...

    def quantise(self, z: Tensor, /) -> Tensor:
        """Numbers as they are once the user has them: those of the rows they decode to."""
        ...

    def to_config(self) -> dict[str, Any]:
        """All that was learned, as JSON values."""
        ...

    @classmethod
    def from_config(cls, values: dict[str, Any], /) -> "Codec":
        """The codec that :meth:`to_config` described.

        Raises:
            ModelFileError: for an entry that is unknown, missing or wrong.
        """
        ...
