"""What is held is bounded, and known by handles that nobody can guess."""

import numpy as np
import pytest

from pushforward.studio.fields import RequestError
from pushforward.studio.handles import Direction, Handles, HeldImage


def image(n_bytes=64):
    return HeldImage("glow", np.zeros((1, 1, n_bytes), np.uint8))


def test_a_handle_gives_its_object_and_no_other_kind():
    handles, held = Handles(), image()
    handle = handles.keep(held)
    assert handles.get(handle, HeldImage) is held
    for wrong, kind in ((handle, Direction), ("", HeldImage), (handle + "a", HeldImage)):
        with pytest.raises(RequestError, match="no longer held") as refused:
            handles.get(wrong, kind)
        assert refused.value.status == 404


def test_the_ones_not_asked_for_longest_go_first():
    handles = Handles(most=2)
    first, second = handles.keep(image()), handles.keep(image())
    handles.get(first, HeldImage)
    third = handles.keep(image())
    assert handles.get(first, HeldImage)
    assert handles.get(third, HeldImage)
    with pytest.raises(RequestError):
        handles.get(second, HeldImage)


def test_latents_count_in_what_may_be_held():
    handles = Handles(most_bytes=1000)
    held = image(100)
    kept = handles.keep(held)
    handles.add_latent(held, None, np.zeros(200, np.float32))
    more = handles.keep(image(200))
    assert handles.get(more, HeldImage)
    with pytest.raises(RequestError):
        handles.get(kept, HeldImage)
    for _ in range(50):  # what was counted once is taken off once
        handles.keep(image(400))
    assert len(handles) == 2
