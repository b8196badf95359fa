"""The reader of CIFAR's Python batches reads what was published, and runs nothing at all."""

import io
import os
import pickle
import random
import struct
import time

import numpy as np
import pytest

from pushforward.data.images.python_batches import read_batch
from pushforward.errors import DataError


def python_2(content):
    """Spell a batch as Python 2's cPickle did (protocol 2), as in the published files."""
    out, memo = io.BytesIO(), iter(range(256))

    def text(value):
        data = value.encode()
        short = len(data) < 256
        return (b"U" + bytes([len(data)]) if short else b"T" + struct.pack("<i", len(data))) + data

    def number(value):
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)

    def array(value):
        make = b"cnumpy.core.multiarray\n_reconstruct\nq" + bytes([next(memo)])
        make += b"cnumpy\nndarray\nq" + bytes([next(memo)]) + b"K\0\x85U\x01b\x87R"
        state = b"(K\x01" + b"".join(map(number, value.shape)) + b"\x86"
        state += (
            b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        )
        data = value.tobytes()
        state += b"K\0tb\x89T" + struct.pack("<i", len(data)) + data
        return make + state + b"tb"

    out.write(b"\x80\x02}q\x00(")
    for key, value in content.items():
        out.write(text(key) + b"q" + bytes([next(memo)]))
        if isinstance(value, str):
            out.write(text(value))
        elif isinstance(value, np.ndarray):
            out.write(array(value))
        else:
            spell = text if isinstance(value[0], str) else number
            out.write(b"](" + b"".join(map(spell, value)) + b"e")
    out.write(b"u.")
    return out.getvalue()


@pytest.fixture
def batch(pictures):
    return {
        "batch_label": "training batch 1 of 5",
        "labels": [3, 9, 0, 1],
        "data": pictures(4, 3072),
        "filenames": [f"tabby_{k}.png" for k in range(4)],
    }


class Held:
    """A file held in memory: thousands of them are read here."""

    def __init__(self, data):
        self.read_bytes = lambda: data
        self.stat = lambda: os.stat_result((0,) * 6 + (len(data),) + (0,) * 3)

    def __str__(self):
        return "data_batch_1"


def read(data):
    return read_batch(Held(data))


def spellings(batch):
    yield "python 2", python_2(batch)
    for protocol in (2, 3, 4):
        yield f"protocol {protocol}", pickle.dumps(batch, protocol)


def test_the_spelling_is_right(batch):
    found = pickle.loads(python_2(batch), encoding="latin1")  # noqa: S301 (our own bytes)
    np.testing.assert_array_equal(found["data"], batch["data"])
    assert found["labels"] == batch["labels"]


def test_what_was_published(batch):
    for _, data in spellings(batch):
        found = read(data)
        np.testing.assert_array_equal(found["data"], batch["data"])
        assert found["labels"] == [3, 9, 0, 1]
        assert list(found) == list(batch)


def test_protocol_0():
    """The published list of the names of classes is one."""
    text = (
        b"(dp1\nS'num_cases_per_batch'\np2\nI10000\nsS'label_names'\np3\n(lp4\nS'airplane'\np5\na"
    )
    found = read(text + b"S'automobile'\np6\nasS'num_vis'\np7\nI3072\ns.")
    assert found["label_names"] == [b"airplane", b"automobile"]
    assert found["num_cases_per_batch"] == 10_000


def test_arrays_by_columns(pictures):
    data = np.asfortranarray(pictures(4, 3072))
    np.testing.assert_array_equal(read(pickle.dumps({"data": data}, 4))["data"], data)


class Evil:
    """Tells a reader to call something."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


HOSTILE = {
    "system": Evil(os.system, ("touch owned",)),
    "eval": Evil(eval, ("open('owned', 'w')",)),
    "getattr": Evil(getattr, ("a", "format")),
    "open": Evil(open, ("owned", "w")),
    "numpy's loader": Evil(np.load, ("owned",)),
    "a scalar": np.float64(1.0),
    "an array of floats": np.zeros(3),
    "an array of objects": np.array([{}], object),
    "a structured array": np.zeros(3, [("a", "u1")]),
    "a masked array": np.ma.array([1], dtype=np.uint8),
    "a set": {1, 2},
    "a complex number": 1j,
    "a class": Evil,
    "a bytearray": bytearray(b"1"),
}


@pytest.mark.parametrize("thing", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("protocol", range(6))
def test_nothing_else_is_built(tmp_path, monkeypatch, thing, protocol):
    monkeypatch.chdir(tmp_path)
    if isinstance(thing, type):
        data = b"\x80\x02}U\x04datacos\nsystem\ns."
    else:
        data = pickle.dumps({"data": thing}, protocol)
    with pytest.raises(DataError, match=r"data_batch_1 cannot be read"):
        read(data)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch owned'\ntR.",
        b"(S'touch owned'\nios\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0btouch owned\x85R.",
        b"\x82\x01.",
        b"Ppersistent\n.",
        b"Q.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\nK\0\x85U\x01btR.",
        b"cnumpy\ndtype\nU\x01OK\0K\x01\x87R.",
        b"cnumpy\ndtype\n.",
        b"cnumpy\nndarray\n)R.",
        b"cnumpy\nndarray\n)\x81.",
        b"c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0rot\x86R.",
        b"c_codecs\nencode\nX\x02\0\0\0\xc4\x80X\x06\0\0\0latin1\x86R.",
        b"cnumpy.core.multiarray\n_reconstruct\nR.",
        b"}K\x01b.",
        b"].",
        b".",
        b"",
        b"}",
        b"N.",
        b"(.",
        b"e.",
        b"(e.",
        b"]a.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"}](K\x01e]s.",
        b"}})s.",
        b"}K\x01K\x01a.",
        b"(K\x010000.",
        b"h\0.",
        b"j\xff\xff\xff\xff.",
        b"T\xff\xff\xff\xff.",
        b"B\xff\xff\xff\xff.",
        b"X\x01\0\0\0\xff.",
        b"I" + b"9" * 5000 + b"\n.",
        b"I1e9\n.",
        b"I\n.",
        b"S'\\x41'\n.",
        b"S'open\n.",
        b"S" + b"x" * 10_000,
        b"\x80",
        b"\x95\0\0",
        b"\x8a\xff" + b"\xff" * 255 + b".",
    ],
)
def test_programs(tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"cannot be read: it|cannot be read: "):
        read(program)
    assert not (tmp_path / "owned").exists()


ARRAY = b"}U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\x01b\x87R"
TYPE = b"cnumpy\ndtype\nU\x02u1K\0K\x01\x87R"


@pytest.mark.parametrize(
    "state",
    [
        b"(K\x01K\x05\x85" + TYPE + b"\x89U\x03abct",  # shape and bytes disagree
        b"(K\x01(J\xff\xff\xff\xffJ\xfd\xff\xff\xfft" + TYPE + b"\x89U\x03abct",
        b"(K\x01(MMMMM\0\0\0\0\0\0\0\0\0\0t" + TYPE + b"\x89Ut",
        b"(K\x01(" + b"K\x01" * 40 + b"t" + TYPE + b"\x89U\x01at",
        b"(K\x01K\x03\x85N\x89U\x03abct",
        b"(K\x01K\x03\x85" + TYPE + b"\x89]t",
        b"(K\x01NTt",
        b")",
        b"}",
    ],
)
def test_states_of_arrays(state):
    with pytest.raises(DataError, match="cannot be read"):
        read(ARRAY + state + b"bs.")


def test_an_array_without_a_state():
    assert read(ARRAY + b"s.")["data"] is None


def test_every_length(batch):
    for _, data in spellings(batch):
        cuts = {*range(300), *range(len(data) - 300, len(data) - 1), len(data) // 2}
        for cut in cuts:
            with pytest.raises(DataError):
                read(data[:cut])


def test_mutations(tmp_path, batch, monkeypatch):
    """Damaged files are read or refused, in no time, and nothing else happens."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(0)
    started = time.process_time()
    for _, data in spellings(batch | {"data": batch["data"][:, :30]}):
        for _ in range(1500):
            mutant = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                mutant[rng.randrange(len(mutant))] = rng.randrange(256)
            try:
                found = read(bytes(mutant))
            except DataError:
                continue
            assert isinstance(found, dict)
    assert time.process_time() - started < 20
    assert not list(tmp_path.iterdir())


def test_nests_that_blow_up():
    """What grows without end when walked, compared or hashed costs nothing here."""
    started = time.process_time()
    doubled = b")" + b"q\0h\0\x86" * 60  # a tuple of itself, twice, 60 times over
    for data in (
        b"}U\x01a" + doubled + b"s.",
        b"}" + doubled + b"K\x01s.",
        b"c_codecs\nencode\n" + doubled + b"R.",
        b"cnumpy\ndtype\n" + doubled + doubled + b"\x86R.",
        b"}U\x01a" + b"]q\0h\0a" + b"s.",
        b"]" * 200_000 + b"a" * 199_999 + b".",
    ):
        try:
            read(data)
        except DataError as error:
            assert len(str(error)) < 1000  # noqa: PT017
    assert time.process_time() - started < 5


def test_text_encoded_again_and_again_is_refused():
    """A short file must not fill the memory by writing the same bytes many times."""
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000
    start = b"](c_codecs\nencode\nq\0" + text + b"X\x06\0\0\0latin1\x86q\1R"
    with pytest.raises(DataError, match="more bytes than it has"):
        read(start + b"h\0h\1R" * 20_000 + b"e.")
