"""Names of packages are imported when first used, and are all there."""

import importlib

import pytest

LAZY = ("pushforward", "pushforward.models.gans", "pushforward.data")


@pytest.mark.parametrize("package", LAZY)
def test_every_name_is_there_and_listed(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)
    assert callable(importlib.import_module("pushforward.data").datasets)  # no module of that name


@pytest.mark.parametrize("package", LAZY)
def test_other_names_are_refused(package):
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018
