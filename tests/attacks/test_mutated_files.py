"""Files that are damaged, hostile or no files: data, or a DataError that names the file.

``PUSHFORWARD_MUTATIONS=20000`` runs a larger share; the default is small. Deeper:
``python tests/attacks/mutated_files.py --count 5000 --seed 1``.
"""

import gzip
import io
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest

from pushforward.data import open_images, open_table, open_text
from pushforward.data.files import LONGEST_LINE, open_bytes
from pushforward.data.images.python_batches import read_batch
from pushforward.errors import DataError

sys.path.insert(0, os.path.dirname(__file__))
from mutated_files import MIB, ROOM, attack, corpus, outcome

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

COUNT = int(os.environ.get("PUSHFORWARD_MUTATIONS", "180"))
FILES = corpus()


@pytest.fixture(autouse=True, scope="module")
def _imported(tmp_path_factory):
    """What is imported by the first reading costs memory once, and is no cost of a file."""
    home = tmp_path_factory.mktemp("whole")
    for name, data in FILES.items():
        (home / name).write_bytes(data)
        assert outcome(home / name)[0] == "read", name


def test_mutations():
    tally = attack(COUNT)
    assert tally.faults == []
    assert {"read", "refused"} == set(tally.words)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_no_regular_file(tmp_path, name, kind):
    """A named pipe that nobody writes to would be waited for, and a device never ends."""
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mknod(path, 0o140600)
    word, _, extra = outcome(path)
    assert word == "refused"
    assert extra < ROOM


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".gz")])
def test_every_cut_of_a_packed_file(tmp_path, name):
    """Where it is cut, and where a byte is another, zlib finds damage in its own words."""
    path = tmp_path / name
    data = FILES[name]
    for at in range(12, len(data), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        assert outcome(path)[0] in ("read", "refused"), at
        path.write_bytes(data[:at])
        assert outcome(path)[0] == "refused", at


def packed(data, times):
    """Gzipped copies of some bytes, one after the other."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, mtime=0) as stream:
        for _ in range(times):
            stream.write(data)
    return file.getvalue()


@pytest.mark.parametrize("name", ["table.csv.gz", "lines.txt.gz"])
def test_a_line_without_end(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(packed(b"x" * MIB, 100))
    word, _, extra = outcome(path)
    assert word == "refused"
    assert extra < 2 * LONGEST_LINE + ROOM
    with pytest.raises(DataError, match="line of more than"):
        (open_table if "table" in name else open_text)(path)


def test_lines_without_number(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(packed(b"\n" * MIB, 100))
    with pytest.raises(DataError, match="no compression"), open_bytes(path) as file:
        file.read()
    path.write_bytes(packed(b"\n" * MIB, 10))  # which is no harm
    with open_bytes(path) as file:
        assert file.read() == b"\n" * 10 * MIB


def zipped(names, data, times):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            with archive.open(name, "w", force_zip64=True) as member:
                for part in data:
                    member.write(part)
                for _ in range(times):
                    member.write(bytes(MIB))
    return file.getvalue()


@pytest.mark.parametrize("name", ["table.npz", "images.npz"])
def test_arrays_that_claim_far_more(tmp_path, name):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (100 * MIB,)}
    )
    path = tmp_path / name
    path.write_bytes(zipped(["X.npy"], [head.getvalue()], 100))
    word, _, extra = outcome(path)
    assert word == "refused"
    assert extra < ROOM


def test_a_workbook_that_claims_far_more(tmp_path):
    path = tmp_path / "table.xlsx"
    path.write_bytes(zipped(["xl/sharedStrings.xml", "xl/workbook.xml"], [], 100))
    word, _, extra = outcome(path)
    assert word == "refused"
    assert extra < ROOM


@pytest.mark.parametrize("step", [b"(", b"]", b"}", b")", b"N", b"](", b"K\x01\x85"])
def test_pickled_batches_of_many_steps(tmp_path, step):
    path = tmp_path / "data_batch_1"
    path.write_bytes(b"\x80\x02" + step * 600_000 + b".")
    with pytest.raises(DataError, match="steps"):
        read_batch(path)
    path.write_bytes(pickle.dumps({"labels": list(range(20_000))}, 2))
    assert len(read_batch(path)["labels"]) == 20_000


HEADERS = {
    "open bracket": "{'descr': ('<f8', 'fortran_order': False, 'shape': (3,), }",
    "open text": "{'descr': '<f8, 'fortran_order': False, 'shape': (3,), }",
    "no dtype": "{'descr': 3, 'fortran_order': False, 'shape': (3,), }",
    "dtype of a list": "{'descr': [3], 'fortran_order': False, 'shape': (3,), }",
    "dtype of 2**40 bytes": "{'descr': '|V1099511627776', 'fortran_order': False, 'shape': (3,)}",
    "shape of 2**64": "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551616,)}",
    "shape that overflows": f"{{'descr': '<f8', 'fortran_order': False, 'shape': {(2**40,) * 3}}}",
    "negative shape": "{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }",
    "shape of a text": "{'descr': '<f8', 'fortran_order': False, 'shape': ('a',), }",
    "deep": "(" * 5000 + ")" * 5000,
    "a call": "__import__('os').system('true')",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
}


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("name", ["table.npy", "table.npz", "stored.npz", "images.npz"])
def test_headers_of_arrays(tmp_path, name, kind):
    text = HEADERS[kind].encode()
    data = b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text + bytes(24)
    if name.endswith(".npz"):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("X.npy", data)
        data = file.getvalue()
    path = tmp_path / name
    path.write_bytes(data)
    word, _, extra = outcome(path)
    assert word == "refused"
    assert extra < ROOM


def test_the_arrays_of_a_table_that_is_no_archive(tmp_path):
    path = tmp_path / "table.npy"
    path.write_bytes(FILES["table.npz"])
    with pytest.raises(DataError, match=r"table.npy .* npz"):
        open_table(path)


NUMBERS = pyarrow.array(np.arange(20.0))


def of_days(days):
    return pyarrow.array([days] * 20, pyarrow.int32()).cast(pyarrow.date32())


def with_metadata(text):
    return pyarrow.table({"a": NUMBERS}).replace_schema_metadata({"pandas": text})


ODD = {
    "two of one name": pyarrow.Table.from_arrays([NUMBERS] * 2, names=["a", "a"]),
    "day 2**31 - 1": pyarrow.table({"a": NUMBERS, "day": of_days(2**31 - 1)}),
    "zone": pyarrow.table(
        {"a": pyarrow.array(range(20), pyarrow.timestamp("us", tz="Mars/Olympus"))}
    ),
    "metadata": with_metadata("{"),
    "metadata of a list": with_metadata("[1]"),
    "an index that is not there": with_metadata(
        json.dumps({"index_columns": ["zzz"], "columns": [], "column_indexes": []})
    ),
}


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("kind", ODD)
def test_odd_tables_of_arrow(tmp_path, suffix, kind):
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(ODD[kind], path)
    else:
        pyarrow.feather.write_feather(ODD[kind], path)
    assert outcome(path)[0] == "refused"
    told = {"two of one name": "2 columns 'a'", "zone": "zone 'Mars/Olympus'"}
    with pytest.raises(DataError, match=told.get(kind, path.name)):
        open_table(path).read()


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_gaps_of_many_columns(tmp_path, suffix):
    """Put in all at once, where each by itself moved all others: minutes for many columns."""
    columns = {f"c{k}": [1, 2, None] if k % 2 else [1.5, 2.0, 3.0] for k in range(50)}
    table = pyarrow.table({**columns, "yes": [True, None, False]})
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        pyarrow.feather.write_feather(table, path)
    frame = open_table(path).read()
    assert list(frame.columns) == table.column_names
    assert [str(frame[name].dtype) for name in ("c0", "c1", "yes")] == [
        *("float64", "Int64", "boolean")
    ]
    assert frame["c1"].tolist()[:2] == [1, 2]
    parts = list(open_table(path).batches(2))
    assert all((part.dtypes == frame.dtypes).all() for part in parts)


def test_a_packed_text_file_says_its_damage(tmp_path):
    path = tmp_path / "lines.txt.gz"
    path.write_bytes(FILES["lines.txt.gz"][:-12] + b"\0" * 12)
    with pytest.raises(DataError, match=r"lines.txt.gz cannot be read"):
        open_text(path)


def test_images_of_a_pipe_are_refused(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(DataError, match="named pipe"):
        open_images(tmp_path / "x.npy")
