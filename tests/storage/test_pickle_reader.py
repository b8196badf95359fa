"""The machine that reads pickles as data: plain data come back, all else is refused, in bounds."""

import pickle
from typing import ClassVar

import pytest

from pushforward.storage.pickle_reader import StackMachine, UnsupportedPickle

PLAIN = [
    None,
    True,
    [False, 3, -3, 70_000, 2**31 - 1, 2**100, -(2**100)],
    {"a": [1, (2,), (3, 4), (5, 6, 7), (8, 9, 10, 11), ()], "b": {}},
    {b"key": b"x" * 300, "long": "é" * 300},
]


@pytest.mark.parametrize("value", PLAIN, ids=range(len(PLAIN)))
@pytest.mark.parametrize("protocol", [3, 4])
def test_plain_data_come_back(value, protocol):
    assert StackMachine(pickle.dumps(value, protocol)).run() == value


def test_what_is_shared_stays_shared():
    inner = [1]
    found = StackMachine(pickle.dumps([inner, inner], 4)).run()
    assert found[0] is found[1]


def test_programs_follow_each_other_each_with_a_memo_of_its_own():
    machine = StackMachine(pickle.dumps([1], 2) + b"RAW" + b"h\0.")
    assert machine.run() == [1]
    assert machine.take(3) == b"RAW"
    with pytest.raises(UnsupportedPickle, match="recalls 0"):
        machine.run()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"cos\nsystem\n.", "names 'os system'"),
        (b"\x8c\x02os\x8c\x06system\x93.", "names 'os system'"),
        (b"]]\x93.", "names something"),
        (b"N)R.", "makes a call"),
        (b"NNR.", "without a tuple"),
        (b"N}b.", "gives an object a state"),
        (b"NQ.", "outside"),
        (b"\x8a\x11" + b"\x01" * 17 + b".", "whole number of 17 bytes"),
        (b"I" + "٣".encode() + b"\n.", "for a whole number"),
        (b"F1.5\n.", "opcode b'F' at byte 0"),
        (b"}K\x01K\x01s.", "other keys than text"),
        (b"N(.", "empty stack"),
        (b"X\xff\xff\xff\xffab.", "cut short at byte 8"),
    ],
)
def test_all_else_is_refused_with_the_reason(program, reason):
    with pytest.raises(UnsupportedPickle, match=reason):
        StackMachine(program).run()


class Reader(StackMachine):
    names: ClassVar = {("collections", "OrderedDict"): "dict"}

    def call(self, function, arguments):
        return (function, *arguments)

    def set_state(self, target, state):
        self.given = target, state

    def outside(self, description):
        return ["outside", description]


def test_a_reader_says_what_names_calls_states_and_outside_objects_are():
    reader = Reader(b"(ccollections\nOrderedDict\nK\x01\x85RNbK\x02Ql.")
    assert reader.run() == [("dict", 1), ["outside", 2]]
    assert reader.given == (("dict", 1), None)
    with pytest.raises(UnsupportedPickle, match="names 'collections deque'"):
        Reader(b"ccollections\ndeque\n.").run()
