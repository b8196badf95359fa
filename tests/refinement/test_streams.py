"""What random numbers are for."""

from pushforward.refinement.streams import Stream
from pushforward.training import generator_of


def test_uses_of_one_seed_share_no_random_numbers():
    seeds = {generator_of(3, stream).initial_seed() for stream in Stream}
    assert len(seeds) == len(list(Stream)) == len(Stream.__members__)  # a second name is no member


def test_the_numbers_are_those_that_a_seed_has_repeated_before():
    assert {stream.name: int(stream) for stream in Stream} == {
        "RATIO_WEIGHTS": 0, "RATIO_HELD_OUT": 1, "TEST": 10, "START": 11, "FINAL": 12,
        "LIKELIHOOD": 13, "DISPLACEMENT": 14, "MARGINS": 15, "RATIO": 20, "CALIBRATION": 21,
        "SEARCH_START": 30, "SEARCH_NOISE": 31, "CONSTANTS": 40, "LIPSCHITZ": 41, "THINNING": 50,
        "COMPARISON": 60, "OVER_OPTIMISATION": 70, "PAIRS": 80, "SCALE": 81,
        "MISSING_CELLS": 90,
    }  # fmt: skip
