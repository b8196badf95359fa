"""What random numbers are for: each use has a stream of its own, whatever the seed."""

from enum import IntEnum

__all__ = ["Stream"]


class Stream(IntEnum):
    """The number that stands after the seed in the key of a generator.

    Two uses of one seed must not share random numbers: samples that judge a stage would otherwise
    be those that chose its settings. The numbers are part of what ``random_state`` repeats, and
    never change.
    """

    RATIO_WEIGHTS = 0
    RATIO_HELD_OUT = 1
    TEST = 10
    START = 11
    FINAL = 12
    LIKELIHOOD = 13
    DISPLACEMENT = 14
    MARGINS = 15
    RATIO = 20
    CALIBRATION = 21
    SEARCH_START = 30
    SEARCH_NOISE = 31
    CONSTANTS = 40
    LIPSCHITZ = 41
    THINNING = 50
    COMPARISON = 60
    OVER_OPTIMISATION = 70
    PAIRS = 80
    SCALE = 81
    MISSING_CELLS = 90
