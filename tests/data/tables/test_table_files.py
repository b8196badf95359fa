"""Tables in files: whole, in batches, damaged; and writing that leaves no half file."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from pushforward.data import TableWriter, open_data, open_table, write_table
from pushforward.errors import DataError, ParameterError

TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
ARROW = (".parquet", ".feather", ".arrow")


def frame(n=100):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n) * 1e-7,
            "n": rng.integers(0, 9, n),
            "s": rng.choice(["a", 'b,"', "c\td"], n),
            "b": rng.random(n) < 0.5,
        }
    )


@pytest.mark.parametrize("suffix", TEXT + ARROW)
def test_frames_are_written_in_batches_and_read_back(tmp_path, suffix):
    path, X = tmp_path / f"X{suffix}", frame()
    with TableWriter(path) as writer:
        for start in (0, 40, 80):
            writer.write(X[start : start + 40])
    table = open_table(path)
    assert table.columns == list(X)
    assert table.n_rows == (None if suffix in TEXT else 100)
    assert table.note is None
    pd.testing.assert_frame_equal(table.read(), X, check_exact=True)
    batches = list(table.batches(30))
    assert max(map(len, batches)) <= 30
    assert all(batch.dtypes.equals(X.dtypes) for batch in batches)
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), X, check_exact=True)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", TEXT + ARROW)
def test_polars_frames_are_written_too(tmp_path, suffix):
    write_table(tmp_path / f"X{suffix}", pl.from_pandas(frame()))
    pd.testing.assert_frame_equal(open_table(tmp_path / f"X{suffix}").read(), frame())


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("dtype", ["f4", "u1", "bool"])
def test_arrays_are_streamed(tmp_path, suffix, dtype):
    path = tmp_path / f"X{suffix}"
    X = (np.random.default_rng(0).random((50, 3)) * 3).astype(dtype)
    with TableWriter(path) as writer:
        for part in np.array_split(np.asfortranarray(X), 4):
            writer.write(part)
    table = open_table(path)
    assert (table.n_rows, table.columns) == (50, [0, 1, 2])
    for got in (table.read(), np.concatenate(list(table.batches(7)))):
        assert got.dtype == X.dtype
        np.testing.assert_array_equal(got, X)
        assert got.flags.writeable
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(path), X)
    else:
        np.testing.assert_array_equal(np.load(path)["X"], X)


def test_tensors_images_and_numeric_frames_as_arrays(tmp_path):
    write_table(tmp_path / "t.npy", torch.arange(6.0).reshape(3, 2))
    assert open_table(tmp_path / "t.npy").read().tolist() == [[0, 1], [2, 3], [4, 5]]
    write_table(tmp_path / "i.npz", np.zeros((4, 3, 8, 8), np.uint8))
    table = open_table(tmp_path / "i.npz")
    assert (table.read().shape, table.columns) == ((4, 3, 8, 8), [])
    write_table(tmp_path / "f.npy", frame()[["x", "n"]])
    assert open_table(tmp_path / "f.npy").read().dtype == np.float64


def test_arrays_in_formats_with_names(tmp_path):
    for suffix in (".csv", ".parquet"):
        write_table(tmp_path / f"X{suffix}", np.eye(2))
        assert open_table(tmp_path / f"X{suffix}").columns == ["column_0", "column_1"]


def test_dtypes_of_a_csv_are_those_of_all_its_rows(tmp_path):
    path = tmp_path / "X.csv"
    rows = [f"{k},{k},True,,{k}" for k in range(50)] + ["0.5,word,False,,", "1,2,,,3"]
    path.write_text("number,text,flag,empty,gaps\n" + "\n".join(rows) + "\n")
    table = open_table(path)
    batches = list(table.batches(10))
    assert all(batch.dtypes.equals(batches[0].dtypes) for batch in batches)
    found = batches[0].dtypes.astype(str).tolist()
    assert found == ["float64", "str", "boolean", "float64", "float64"]
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), table.read())


def test_nulls_of_whole_numbers_keep_their_dtype_in_every_batch(tmp_path):
    n = pd.array([*range(50), None], dtype="Int64")
    for suffix in (".parquet", ".feather"):
        pl.DataFrame({"n": [*range(50), None], "b": [None] + [True] * 50}).pipe(
            lambda X, suffix=suffix: write_table(tmp_path / f"X{suffix}", X)
        )
        table = open_table(tmp_path / f"X{suffix}")
        for X in (table.read(), *table.batches(10)):
            assert X.dtypes.astype(str).tolist() == ["Int64", "boolean"]
        assert table.read()["n"].array.equals(n)


def test_folder_of_parquet_parts(tmp_path):
    X = frame()
    for part in (2, 0, 1):
        write_table(tmp_path / f"part-{part}.parquet", X[part * 30 : part * 30 + 30])
    table = open_table(tmp_path)
    assert table.n_rows == 90
    pd.testing.assert_frame_equal(table.read(), X[:90])
    assert sum(map(len, table.batches(20))) == 90
    write_table(tmp_path / "part-3.parquet", X[["x"]])
    with pytest.raises(DataError, match=r"part-3\.parquet has other columns"):
        open_table(tmp_path)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("none.csv", None, "does not exist"),
        ("x.doc", b"1", r"no known ending. Expected one of \.csv, \.csv\.gz, \.tsv"),
        ("x.csv", b"", "empty file"),
        ("x.csv", b"\n\n", "no lines"),
        ("x.csv", b"a\n1,2,3\n", "more cells in a line"),
        ("x.csv", b"a,b\n1,2\n1,2,3\n", "3 in line 3, and the columns are 2"),
        ("x.csv", b'a,b\n1,"2\n3,4\n', "all quotes closed"),
        ("x.csv", "na\u00efve,b\n1,2\n".encode() + b"1,2\n" * 99999 + b"\xff,2\n", "as utf-8"),
        ("x.csv.gz", b"not gzip", "cannot be read"),
        ("x.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 9999, mtime=0)[:-20], "cannot be read"),
        ("x.parquet", b"not parquet at all", "cannot be read"),
        ("x.feather", b"not feather at all", "cannot be read"),
        ("x.npy", b"not an array", "cannot be read"),
        ("x.npz", b"not an archive", "cannot be read"),
        ("folder/readme.txt", b"no parts", "no parquet files"),
    ],
)
def test_unusable_files(tmp_path, name, content, text):
    path = tmp_path / name
    if content is not None:
        write(path, content)
    with pytest.raises(DataError, match=text):
        open_table(path.parent if "/" in name else path).read()


def test_truncated_files(tmp_path):
    for suffix in (".npy", ".npz", ".parquet", ".feather"):
        path = tmp_path / f"X{suffix}"
        write_table(path, np.ones((500, 3)) if suffix[1] == "n" else frame(500))
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(DataError, match="cannot be read"):
            open_table(path).read()


def test_pickles_are_never_read(tmp_path):
    np.save(tmp_path / "X.npy", np.array([{"a": 1}], dtype=object))
    np.savez(tmp_path / "X.npz", X=np.array([{"a": 1}], dtype=object))
    for path in tmp_path.iterdir():
        with pytest.raises(DataError, match="cannot be read"):
            open_table(path)


def test_which_array_of_an_npz(tmp_path):
    np.savez(tmp_path / "one.npz", data=np.eye(2))
    assert open_table(tmp_path / "one.npz").n_rows == 2
    np.savez(tmp_path / "X.npz", X=np.eye(3), y=np.zeros(3))
    assert open_table(tmp_path / "X.npz").n_rows == 3
    np.savez(tmp_path / "two.npz", a=np.eye(2), b=np.eye(2))
    with pytest.raises(DataError, match=r"holds the arrays \['a', 'b'\]"):
        open_table(tmp_path / "two.npz")


def test_pyarrow_missing(tmp_path, monkeypatch):
    path = tmp_path / "X.parquet"
    write_table(path, frame())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r'pip install "pushforward\[files\]"'):
        open_table(path)


def test_batches_of_no_rows(tmp_path):
    write_table(tmp_path / "X.csv", frame())
    with pytest.raises(ParameterError, match="at least 1"):
        open_table(tmp_path / "X.csv").batches(0)


# Writing


@pytest.mark.parametrize("suffix", TEXT + ARROW + (".npy", ".npz"))
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    path = tmp_path / f"X{suffix}"
    write_table(path, np.eye(3))
    before = path.read_bytes()

    def fail():
        with TableWriter(path) as writer:
            writer.write(np.ones((5, 3)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match="exists already"):
        write_table(path, np.eye(3), overwrite=False)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_batches_have_to_fit_together(tmp_path, suffix):
    path = tmp_path / f"X{suffix}"

    def write_both():
        with TableWriter(path) as writer:
            writer.write(np.eye(3))
            writer.write(np.eye(2))

    with pytest.raises(DataError, match="Expected those of the first batch"):
        write_both()
    assert not list(tmp_path.iterdir())


def test_a_batch_that_failed_spoils_the_file_even_if_its_error_was_caught(tmp_path):
    def write_one():
        with TableWriter(tmp_path / "X.csv") as writer:
            writer.write(np.eye(3))
            with pytest.raises(DataError):
                writer.write(np.zeros((2, 2, 2)))

    with pytest.raises(DataError, match="none that failed"):
        write_one()
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".feather", ".npy", ".npz"])
def test_a_full_disk_is_reported(tmp_path, monkeypatch, suffix):
    real = open

    def full(path, mode):
        real(path, mode).close()
        return real("/dev/full", "wb", buffering=0)

    monkeypatch.setattr("pushforward.data.tables.table_writer.open", full, raising=False)
    with pytest.raises(DataError, match="cannot be written"):
        write_table(tmp_path / f"X{suffix}", np.ones((9, 2)))
    assert not list(tmp_path.iterdir())


def test_unusable_targets(tmp_path):
    with pytest.raises(DataError, match="no known ending"):
        write_table(tmp_path / "X.doc", np.eye(2))
    with pytest.raises(DataError, match="does not exist"):
        write_table(tmp_path / "no" / "X.csv", np.eye(2))
    with (
        pytest.raises(DataError, match="No whole table"),
        TableWriter(tmp_path / "X.csv"),
    ):
        pass
    with pytest.raises(DataError, match="write csv or parquet"):
        write_table(tmp_path / "X.npy", frame())
    with pytest.raises(DataError, match=r"Expected \(n, p\)"):
        write_table(tmp_path / "X.csv", np.zeros((2, 2, 2)))
    assert not list(tmp_path.iterdir())


def test_open_data_prefers_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_table("X.csv", frame())
    assert open_data("X.csv").columns == list(frame())
    with pytest.raises(DataError, match="does not exist"):
        open_data("Y.csv")
