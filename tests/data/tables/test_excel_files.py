"""Tables in Excel workbooks."""

import sys
from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from pushforward.data import open_data, write_table
from pushforward.errors import DataError, ParameterError

openpyxl = pytest.importorskip("openpyxl")


def book(path, **sheets):
    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, rows in sheets.items():
        sheet = made.create_sheet(title)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def test_cells_of_all_types(tmp_path):
    rows = [
        ["x", "n", "zip", "day", "time", "flag", "gap", "text"],
        [1 / 3, 3, "08540", date(2024, 2, 29), datetime(2024, 1, 1, 12, 30), True, None, "a,b"],
        [1e-300, -4, "10001", date(2024, 3, 1), datetime(2024, 1, 2), False, 7, 'c "d"\ne'],
    ]  # fmt: skip
    table = open_data(book(tmp_path / "x.xlsx", one=rows))
    X = table.read()
    assert (table.columns, table.n_rows, table.note) == (rows[0], 2, None)
    assert X["x"].tolist() == [1 / 3, 1e-300]
    assert X["n"].tolist() == [3, -4]
    assert X["zip"].tolist() == ["08540", "10001"]
    assert X["day"].tolist() == ["2024-02-29", "2024-03-01"]
    assert X["time"].tolist() == ["2024-01-01 12:30:00", "2024-01-02"]
    assert X["flag"].tolist() == [True, False]
    assert np.isnan(X["gap"].iloc[0])
    assert X["text"].tolist() == ["a,b", 'c "d"\ne']
    batches = list(table.batches(1))
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), X)


def test_titles_empty_rows_and_columns_around_the_table(tmp_path):
    rows = [
        [], [None, "Sales of the year", None, None], [None, None, None, None],
        [None, "shop", "sold", "#N/A?"], [None, "a", 1.5, 2], [], [None, "b", None, "#N/A"],
    ]  # fmt: skip
    table = open_data(book(tmp_path / "x.xlsx", first=[], second=rows, third=[["u"], [1]]))
    X = table.read()
    assert table.columns == ["shop", "sold", "#N/A?"]
    assert X.astype(object).where(X.notna(), None).to_numpy().tolist() == [
        ["a", 1.5, 2], ["b", None, None],
    ]  # fmt: skip
    assert "the sheet 'second' was read, and not 'third'" in table.note
    assert "'Sales of the year" in table.note


def test_options(tmp_path):
    path = book(tmp_path / "x.xlsx", one=[["a", 1], ["NA", 2]])
    assert open_data(path, header=False, missing_values=[]).read()["column_0"].tolist() == [
        "a",
        "NA",
    ]
    assert open_data(path, header=False).reading.given == {"header": False}
    with pytest.raises(ParameterError, match="encoding is for csv and tsv files"):
        open_data(path, encoding="cp1252")


def test_unusable_workbooks(tmp_path, monkeypatch):
    (tmp_path / "x.xlsx").write_bytes(b"not a workbook")
    with pytest.raises(DataError, match="cannot be read"):
        open_data(tmp_path / "x.xlsx")
    path = book(tmp_path / "empty.xlsx", one=[])
    with pytest.raises(DataError, match="no cells"):
        open_data(path)
    whole = book(tmp_path / "cut.xlsx", one=[["a"]] + [[i] for i in range(500)])
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read"):
        open_data(whole)
    with pytest.raises(DataError, match="no known ending"):
        write_table(tmp_path / "out.xlsx", np.eye(2))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r'pip install "pushforward\[files\]"'):
        open_data(path)
