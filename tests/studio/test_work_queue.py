"""Of wishes in one place the newest is done; long work gives way to short work."""

import threading

import pytest

from pushforward.studio.work_queue import Outdated, WorkQueue


@pytest.fixture
def queue():
    made = WorkQueue()
    yield made
    made.close()


@pytest.fixture
def blocked(queue):
    """A queue whose thread is busy until the event is set."""
    go, begun = threading.Event(), threading.Event()

    def work():
        begun.set()
        go.wait(10)

    queue.wish("blocking", work)
    assert begun.wait(10)
    yield go
    go.set()


def test_the_newest_wish_of_a_place_wins(queue, blocked):
    done = []
    wishes = [queue.wish("slider", lambda k=k: done.append(k)) for k in range(20)]
    other = queue.wish("other window", lambda: "too")
    blocked.set()
    assert other.result(10) == "too"
    wishes[-1].result(10)
    assert done == [19]
    for wish in wishes[:-1]:
        with pytest.raises(Outdated):
            wish.result(10)


def test_a_newer_wish_keeps_the_place_in_the_queue(queue, blocked):
    order = []
    queue.wish("a", lambda: order.append("a"))
    last = queue.wish("b", lambda: order.append("b"))
    queue.wish("a", lambda: order.append("newer a"))
    blocked.set()
    last.result(10)
    assert order == ["newer a", "b"]


def test_short_work_goes_between_the_steps_of_long_work(queue):
    begun, go, order = threading.Event(), threading.Event(), []

    def long():
        for k in range(3):
            order.append(k)
            begun.set()
            go.wait(10)
            yield
        return "done"

    far = queue.wish("long", long)
    assert begun.wait(10)
    near = queue.wish("short", lambda: order.append("short"))
    go.set()
    near.result(10)
    assert far.result(10) == "done"
    assert order == [0, "short", 1, 2]


def test_long_work_is_dropped_by_a_newer_wish_and_by_one_who_left(queue):
    begun, go, steps = threading.Event(), threading.Event(), []

    def long():
        while True:
            steps.append(1)
            begun.set()
            go.wait(10)
            yield

    first = queue.wish("place", long)
    assert begun.wait(10)
    second = queue.wish("place", lambda: 2)
    with pytest.raises(Outdated):
        first.result(10)
    go.set()
    assert second.result(10) == 2
    third = queue.wish("place", long)
    queue.forget("place", third)
    count = queue.wish("count", lambda: len(steps)).result(10)
    assert queue.wish("count", lambda: len(steps)).result(10) <= count + 1


def test_one_who_left_while_it_was_done_stops_nobody_else(queue):
    begun, go = threading.Event(), threading.Event()

    def work():
        begun.set()
        go.wait(10)

    def long():
        yield from (work() for _ in range(2))

    for one in (work, long):
        begun.clear()
        go.clear()
        wish = queue.wish("a", one)
        assert begun.wait(10)
        wish.cancel()
        go.set()
        assert queue.wish("b", lambda: "alive").result(10) == "alive"
        assert queue.wish("a", lambda: "alive").result(10) == "alive"


def test_an_error_belongs_to_who_asked(queue):
    with pytest.raises(ZeroDivisionError):
        queue.wish("a", lambda: 1 / 0).result(10)

    def long():
        yield
        raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        queue.wish("a", long).result(10)
    assert queue.wish("a", lambda: 3).result(10) == 3
