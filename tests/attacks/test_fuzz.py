"""What hypothesis finds against the parsers: `make fuzz` runs many examples, tests a few."""

import json
import os
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pushforward.cli.fit_options import literal
from pushforward.data import open_table, open_text, write_table
from pushforward.errors import DataError, ModelFileError
from pushforward.plain_text import in_markdown, printable
from pushforward.storage import strict_json
from pushforward.storage.model_folder import read_folder, write_folder
from pushforward.storage.pickle_reader import StackMachine, UnsupportedPickle

sys.path.insert(0, os.path.dirname(__file__))
from conftest import reseal

EXAMPLES = int(os.environ.get("PUSHFORWARD_FUZZ", "15"))
some = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@some
@given(st.binary() | st.text().map(str.encode) | values.map(lambda v: json.dumps(v).encode()))
def test_json(data):
    try:
        found = strict_json.loads(data)
    except ValueError:
        return
    assert strict_json.loads(strict_json.dumps(found)) == found


@some
@given(values)
def test_json_that_is_written_is_read(value):
    try:
        plain = strict_json.plain({"x": value})
    except ValueError:
        return
    data = strict_json.dumps(plain)
    assert strict_json.loads(data) == plain
    assert strict_json.written_so(plain, data)
    assert not strict_json.written_so(plain, data + b" ")


@some
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.fixed_dictionaries(
            {
                "dtype": st.sampled_from(["F32", "F64", "I64", "BOOL", "F4", "x"]),
                "shape": st.lists(st.integers(-1, 2**64), max_size=3),
                "data_offsets": st.lists(st.integers(-1, 64), min_size=2, max_size=2),
            }
        ),
        max_size=3,
    ),
    st.binary(max_size=64),
)
def test_headers_of_weights(tmp_path, header, data):
    folder = tmp_path / "model"
    if not folder.exists():
        write_folder(folder, {}, {}, "")
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    reseal(folder)
    try:
        _, tensors = read_folder(folder)
    except ModelFileError:
        return
    assert sum(tensor.nbytes for tensor in tensors.values()) <= len(data)


@some
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from("()]}tludse0N.aKq\x01h")).map(lambda codes: "".join(codes).encode())
)
def test_pickles(data):
    try:
        found = StackMachine(data).run()
    except UnsupportedPickle:
        return
    assert found is None or isinstance(found, bool | int | str | bytes | list | tuple | dict)


@some
@given(
    st.text() | st.lists(st.lists(st.text(max_size=6), max_size=4).map(",".join)).map("\n".join)
)
def test_tables_of_text(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    try:
        table = open_table(path)
        frame = table.read()
        parts = list(table.batches(2))
    except DataError:
        return
    assert sum(map(len, parts)) == len(frame)


@some
@given(st.binary(max_size=200))
def test_lines(tmp_path, data):
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    try:
        lines = open_text(path)
    except DataError:
        return
    assert all(line.strip() for line in lines)


@some
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=9),
    st.sampled_from(["csv", "tsv.gz", "parquet", "feather", "npy", "npz"]),
)
def test_numbers_come_back(tmp_path, numbers, suffix):
    table = np.array(numbers)[:, None]
    path = tmp_path / f"x.{suffix}"
    write_table(path, table)
    found = np.asarray(open_table(path).read(), dtype=float)
    assert np.array_equal(found, table)


@some
@given(st.text())
def test_texts(text):
    literal(text)
    for shown in (printable(text), in_markdown(text)):
        assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs") for one in shown)
    assert "\n" not in in_markdown(text)


@pytest.mark.parametrize(
    "text", ["(" * 500, "9" * 5000, "-" * 100_000, "(" * 100_000, "{" * 99, "'", "\0", "[1]*9"]
)
def test_literals(text):
    assert isinstance(literal(text), str | int)
