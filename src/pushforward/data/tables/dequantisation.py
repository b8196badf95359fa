"""Dequantisation noise that is a function of a row's own content.

A score has to be the same for a row alone, in any batch and in any order, so the noise under it
is no random stream: it is a hash of the row's values, the coordinate and the number of the draw.
The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014).
"""

import numpy as np

__all__ = ["GOLDEN", "mix", "row_keys", "uniforms"]

GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
MASK = 2**64 - 1


def mix(bits: np.ndarray) -> np.ndarray:
    """Scramble uint64 values in place."""
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(MIX_1)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(MIX_2)
    bits ^= bits >> np.uint64(31)
    return bits


def _mix_int(bits: int) -> int:
    """Scramble one Python integer as ``mix`` scrambles an array."""
    bits ^= bits >> 30
    bits = bits * MIX_1 & MASK
    bits ^= bits >> 27
    bits = bits * MIX_2 & MASK
    return bits ^ bits >> 31


def row_keys(values: np.ndarray) -> np.ndarray:
    """Hash each row of float64 values (n, d) to one uint64 key; returns shape (n,)."""
    keys = np.full(len(values), GOLDEN, dtype=np.uint64)
    for column in values.T:
        keys ^= (column + 0.0).view(np.uint64)  # + 0.0 makes -0.0 the same value as 0.0
        keys += np.uint64(GOLDEN)
        mix(keys)
    return keys


def uniforms(keys: np.ndarray, coordinate: int, draw: int) -> np.ndarray:
    """Return one uniform number in [0, 1) per key, of shape (n,).

    Args:
        keys: uint64 of shape (n,), from :func:`row_keys`.
        coordinate: which coordinate of the row the number is for.
        draw: which draw it is; every draw gives fresh numbers.

    >>> keys = row_keys(np.array([[1.0], [2.0]]))
    >>> bool((uniforms(keys, 0, draw=3)[1:] == uniforms(keys[1:], 0, draw=3)).all())
    True
    """
    stream = _mix_int((_mix_int((draw + GOLDEN) & MASK) + (coordinate + 1) * GOLDEN) & MASK)
    return (mix(keys ^ np.uint64(stream)) >> np.uint64(11)) * 2.0**-53
