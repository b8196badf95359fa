"""Published settings by name."""

from types import SimpleNamespace

import pytest

from pushforward.errors import ParameterError
from pushforward.refinement.presets import resolved

ROWS = SimpleNamespace(kind="rows", model=None, codec=None, critic=None)
LARGE = SimpleNamespace(
    kind="images", model=None, codec=SimpleNamespace(event_shape=(3, 64, 64)), critic=None
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("auto", None, {}, ROWS), ("auto", {})),
        (("mh", None, {"length": 3}, ROWS), ("mh", {"length": 3})),
        (("auto", "paper", {}, ROWS), ("dgflow", {"preset": "cifar10"})),
        (("auto", "paper", {}, LARGE), ("dgflow", {"preset": "stl10_corrected"})),
        (("dgflow", "stl10", {"steps": 3}, ROWS), ("dgflow", {"preset": "stl10", "steps": 3})),
        (("drs", "paper", {}, ROWS), ("drs", {"percentile": 95.0})),
        (("drs", "paper", {}, LARGE), ("drs", {"percentile": 80.0})),
        (("mh", "paper", {"length": 3}, ROWS), ("mh", {"length": 3})),
    ],
)
def test_a_preset_stands_for_method_and_settings_which_the_user_may_change(given, expected):
    assert resolved(*given) == expected


@pytest.mark.parametrize(
    ("method", "preset", "text"),
    [("mh", "cifar10", "of DGflow"), ("ddls", "paper", "no published settings")],
)
def test_presets_that_a_method_does_not_have_are_refused(method, preset, text):
    with pytest.raises(ParameterError, match=text):
        resolved(method, preset, {}, ROWS)
