"""Tables larger than memory: which rows a fit holds of them."""

import threading
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from pushforward import GIS, fit
from pushforward.data import Columns, draw_rows, open_data
from pushforward.data.tables.drawn_rows import held
from pushforward.data.tables.row_sample import RowSample, priorities
from pushforward.errors import DataError, LeftOutWarning

N = 4000


def table(n=N):
    """All kinds of columns, with extremes, rare levels and gaps in single rows."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "count": rng.poisson(3, n),
            "gaps": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "day": np.datetime64("2024-01-01", "s") + rng.integers(0, 99, n) * 86400,
            "zone": pd.date_range("2024-01-01", periods=n, freq="h", tz="UTC"),
            "kind": rng.choice(["a", "b", "c"], n),
            "level": pd.Categorical(rng.choice(["x", "y"], n)),
            "yes": rng.random(n) < 0.5,
            "note": [f"note {i}" for i in range(n)],
        }
    )
    frame.loc[1234, "size"] = 1e6
    frame.loc[77, "size"] = -1e6
    frame.loc[3999 % n, "count"] = 500
    frame.loc[55, "gaps"] = None
    frame.loc[66, "day"] = pd.Timestamp("2031-05-05")
    frame.loc[88, "kind"] = "rare"
    return frame


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    frame = table()
    for i, start in enumerate(range(0, N, 900)):
        frame[start : start + 900].to_parquet(folder / f"{i}.parquet", row_group_size=250)
    return folder, open_data(folder).read()


def test_a_sample_is_uniform_and_the_same_in_every_order_of_batches():
    for n in (1, 7, 1000):
        sample = RowSample(size=50)
        for start in range(0, 1000, n):
            sample.add(start, np.arange(start, min(start + n, 1000))[:, None])
        drawn = sample.drawn()
        assert (
            drawn.numbers.tolist()
            == np.sort(np.argsort(priorities(np.arange(1000)))[:50]).tolist()
        )
        assert drawn.X[:, 0].tolist() == drawn.numbers.tolist()
    counts = np.bincount(np.argsort(priorities(np.arange(10**6)))[: 10**5] // 10**5, minlength=10)
    assert abs(counts / 1e4 - 1).max() < 0.04  # four standard deviations


def test_the_rows_that_show_ranges_are_held(parts):
    folder, frame = parts
    drawn = draw_rows(open_data(folder), 1500)
    assert not drawn.whole
    assert drawn.n_rows == N
    assert drawn.open_text == ("note",)
    expected = frame.iloc[drawn.numbers].reset_index(drop=True)
    pd.testing.assert_frame_equal(drawn.X, expected)
    assert {1234, 77, 3999, 55, 66, 88, 0} <= set(drawn.numbers)
    uniform = drawn.weight == 1
    assert uniform.sum() == 1500
    assert drawn.weight[~uniform].tolist() == [1500 / N] * (len(drawn.weight) - 1500)
    whole = Columns.learn(frame, missing="model").columns
    learned = Columns.learn(drawn.X, missing="model", sample_weight=drawn.weights()).columns
    assert learned.kinds == whole.kinds
    for own, other in zip(learned.columns, whole.columns, strict=True):
        assert (own.low, own.high) == (other.low, other.high)
        assert set(own.values) == set(other.values)
    with pytest.raises(DataError, match=r"4,?000"):
        drawn.weights(np.ones(17))
    assert drawn.weights(np.full(N, 2.0))[uniform].tolist() == [2.0] * 1500
    assert "fitted to 1,500 of 4,000 rows" in drawn.text()


def test_open_text_is_said(tmp_path):
    frame = pd.DataFrame({"x": np.arange(9000.0), "note": [f"n{i % 4500}" for i in range(9000)]})
    frame.to_parquet(tmp_path / "t.parquet")
    drawn = draw_rows(open_data(tmp_path / "t.parquet"), 100)
    assert drawn.open_text == ("note",)
    assert 1001 <= len(drawn.numbers) <= 1103  # a text of more levels is no category
    assert "note: only levels that were drawn" in drawn.text()


@pytest.mark.parametrize("suffix", ["csv", "npy", "feather"])
def test_files_of_other_kinds(tmp_path, suffix):
    frame = table()[["size", "count"]]
    path = tmp_path / f"t.{suffix}"
    if suffix == "npy":
        np.save(path, frame.to_numpy())
    else:
        getattr(frame, f"to_{suffix}")(path, **({"index": False} if suffix == "csv" else {}))
    drawn = draw_rows(open_data(path), 200)
    np.testing.assert_array_equal(np.asarray(drawn.X), frame.to_numpy()[drawn.numbers])
    assert {1234, 77, 3999} <= set(drawn.numbers)


def test_what_fits_is_read_whole(parts):
    folder, frame = parts
    drawn = draw_rows(open_data(folder))
    assert drawn.whole
    assert drawn.weight is None
    assert drawn.text() == ""
    pd.testing.assert_frame_equal(drawn.X, frame)
    assert draw_rows(open_data("iris")).whole
    assert len(draw_rows(open_data("iris"), 20).X) >= 20


class Threads:
    """Processes as threads of this one, which gather by a list and a barrier."""

    def __init__(self, rank, count, slots, barrier):
        self.rank, self.count = rank, count
        self._slots, self._barrier = slots, barrier

    def gather(self, data):
        self._slots[self.rank] = data
        self._barrier.wait(60)
        found = list(self._slots)
        self._barrier.wait(60)
        return found


@pytest.mark.parametrize("most_rows", [1500, 5000])
def test_several_processes_draw_the_rows_of_one(parts, most_rows):
    folder, _ = parts
    alone = draw_rows(open_data(folder), most_rows)
    for count in (2, 3):
        slots, barrier, found = [b""] * count, threading.Barrier(count), {}

        def work(rank, count=count, slots=slots, barrier=barrier, found=found):
            group = Threads(rank, count, slots, barrier)
            found[rank] = draw_rows(open_data(folder), most_rows, group)

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for rank in range(count):
            assert found[rank].numbers.tolist() == alone.numbers.tolist()
            pd.testing.assert_frame_equal(found[rank].X, alone.X)
            np.testing.assert_array_equal(found[rank].weights(), alone.weights())


@pytest.fixture
def few_are_held(monkeypatch):
    """Fits hold 300 rows at most."""
    monkeypatch.setattr("pushforward.data.tables.drawn_rows._ROWS", (300, 300))


def test_a_table_in_memory_is_drawn_from_as_its_file_is(tmp_path, few_are_held):
    frame = table()[["size", "count", "kind"]]
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.warns(LeftOutWarning, match="fitted to 300 of 4,000 rows"):
        own = GIS(max_layers=2, random_state=0).fit(frame, sample_weight=np.full(N, 2.5))
    with pytest.warns(LeftOutWarning, match="fitted to 300 of 4,000 rows"):
        of_file = GIS(max_layers=2, random_state=0).fit(
            open_data(tmp_path / "t.parquet"), sample_weight=np.full(N, 2.5)
        )
    assert own.drawn_from_ == of_file.drawn_from_ == N
    np.testing.assert_array_equal(own.score_samples(frame), of_file.score_samples(frame))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = GIS(max_layers=2, random_state=0).fit(draw_rows(frame, len(frame)))
    assert whole.columns_.n_rows == N


def test_every_container_is_drawn_from_in_its_own_kind(few_are_held):
    frame = table()[["size"]].assign(other=np.arange(float(N)))
    numbers = draw_rows(frame).numbers
    for X in (pl.from_pandas(frame), frame.to_numpy(), torch.from_numpy(frame.to_numpy())):
        drawn = held(X)
        assert type(drawn.X) is type(X)
        assert drawn.numbers.tolist() == numbers.tolist()
        np.testing.assert_array_equal(np.asarray(drawn.X), frame.to_numpy()[numbers])
        assert held(X[:300]) is not drawn
        assert isinstance(held(X[:300]), type(X))
    assert held(torch.zeros(1000, 2, dtype=torch.bfloat16)).X.dtype == torch.bfloat16
    assert held("a name") == "a name"
    sparse = csr_array(np.zeros((1000, 2)))
    assert held(sparse) is sparse  # refused where it is looked at
    with pytest.raises(DataError, match="csr_array is no table"):
        draw_rows(sparse)


def test_warnings_of_what_a_fit_leaves_out_name_the_line_of_its_caller(monkeypatch, rng):
    monkeypatch.setattr("pushforward.data.tables.drawn_rows._most", lambda width: 60)
    frame = pd.DataFrame(rng.normal(size=(90, 2)), columns=["a", "b"])
    with pytest.warns(LeftOutWarning, match="draw_rows") as drawn:
        GIS(max_layers=1, random_state=0).fit(frame)
    frame["rare"] = np.where(np.arange(90) < 9, 1.5, np.nan)
    with pytest.warns(LeftOutWarning, match="rare") as left_out:
        fit(frame.iloc[:50], minutes=1e-6, random_state=0, verbose=False)
    assert {one.filename for one in (*drawn, *left_out)} == {__file__}
