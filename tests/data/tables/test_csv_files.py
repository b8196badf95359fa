"""Tables in files of text: as people write them, and never shifted."""

import gzip
import itertools
import os

import numpy as np
import pandas as pd
import pytest

import pushforward
from pushforward.data import open_data, open_table
from pushforward.errors import DataError, ParameterError


@pytest.fixture
def opened(tmp_path):
    """Write a file and open it."""
    number = itertools.count()

    def write(content, name="x.csv", **said):
        path = tmp_path / str(next(number)) / name
        path.parent.mkdir()
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return open_data(path, **said)

    return write


def rows(table):
    """Cells as lists, missing ones as None; batches have to give the same."""
    X = table.read()
    for size in (1, 2, 1000):
        batches = list(table.batches(size))
        assert all(batch.dtypes.equals(X.dtypes) for batch in batches)
        pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), X)
    return X.astype(object).where(X.notna(), None).to_numpy().tolist()


# A row is never shifted


def test_a_cell_too_many_is_an_error_that_names_the_line(opened):
    table = opened("a,b\n1,2,3\n4,5,6\n")
    with pytest.raises(DataError, match="3 in line 2, and the columns are 2"):
        table.read()
    with pytest.raises(DataError, match="3 in line 2"):
        next(table.batches(1))
    with pytest.raises(DataError, match="3 in line 2"):
        _ = table.note
    for content in ("a,b\n1,2,\n4,5\n", "a,b\n1,2\n4,5,\n", "a b\nr1 1 2\nr2 3 4\n"):
        with pytest.raises(DataError, match=r"3 in line [23], and the columns are 2"):
            opened(content).read()
    far = "a,b\n" + '"x\ny",2\n' * 50_000 + "1,2,3\n"
    with pytest.raises(DataError, match="3 in line 100002"):
        opened(far).read()


@pytest.mark.parametrize("header", ["a,b", "a,b,"])
def test_a_separator_at_the_end_of_every_line_is_an_empty_column(opened, header):
    table = opened(f"{header}\n1,2,\n4,5,\n")
    assert table.columns == ["a", "b"]
    assert rows(table) == [[1, 2], [4, 5]]
    assert "every line ends in a separator" in table.note
    with pytest.raises(DataError, match="3 in line 1502"):
        opened(f"{header}\n" + "1,2,\n" * 1500 + "1,2,3\n").read()


def test_several_empty_columns_at_the_end(opened):
    table = opened("a,b,,,\n1,2,,,\n4,,,,\n")
    assert table.columns == ["a", "b"]
    assert rows(table) == [[1, 2], [4, None]]
    assert "every line ends in 3 separators" in table.note
    assert opened("a,b,,\n1,2,,3\n").columns == ["a", "b", "Unnamed: 2", "Unnamed: 3"]


def test_trailing_separators_without_a_header(opened):
    assert rows(opened("1,2,\n4,5,\n")) == [[1, 2], [4, 5]]
    assert rows(opened("a,b\n1,2, \n4,5, \n")) == [[1, 2], [4, 5]]


def test_records_that_end_early_have_missing_cells_and_are_told_of(opened):
    table = opened("a,b,c\n1,2\n4,5,6\n7\n")
    assert rows(table) == [[1, 2, None], [4, 5, 6], [7, None, None]]
    assert "2 records end before the last column (first in line 2)" in table.note


# How a file is written


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x|y\na, b|3\nc|4\n", [["a, b", 3], ["c", 4]]),
        ("x;y\n1;a, b\n2;c\n", [[1, "a, b"], [2, "c"]]),
        ("x\ty\n1\ta b\n2\tc, d\n", [[1, "a b"], [2, "c, d"]]),
        ("x y z\n1   2.5 a\n 3 4  b\n", [[1, 2.5, "a"], [3, 4, "b"]]),
        ('"x a" y\n"r 1" 2\n"r 2" 3\n', [["r 1", 2], ["r 2", 3]]),
        ("x, y\na, 1\nb, 2\n", [["a", 1], ["b", 2]]),
        ('"x", "y"\n"a, b",   1\n"c",  2\n', [["a, b", 1], ["c", 2]]),
        ('x,y\n"a ""b"", c",1\nd,2\n', [['a "b", c', 1], ["d", 2]]),
        ('x,y\n"a \\"b\\", c",1\nd,2\n', [['a "b", c', 1], ["d", 2]]),
        ("x,y\n'a, b',1\n'c',2\n", [["a, b", 1], ["c", 2]]),
        ("'x'\t'y'\n1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("x,y\nit's,1\no'er,2\n", [["it's", 1], ["o'er", 2]]),
        ("x\nJohn Smith\nMary Jones\n", [["John Smith"], ["Mary Jones"]]),
        ("x,y\r1,2\r3,4\r", [[1, 2], [3, 4]]),
        ('x,y\n1,"a\nb"\n\n2,c\n\n', [[1, "a\nb"], [2, "c"]]),
    ],
)
def test_cells_are_found(opened, content, expected):
    table = opened(content)
    assert table.columns in (["x"], ["x", "y"], ["x", "y", "z"], ["x a", "y"])
    assert rows(table) == expected


def test_a_tsv_file_may_hold_commas_between_cells(opened):
    table = opened("x,y\n1,2\n", "x.tsv")
    assert rows(table) == [[1, 2]]
    assert "separated by ','" in table.note
    assert opened("x\ty\n1\t2,500\n", "x.tsv").note is None


def test_dots_beside_decimal_commas_separate_thousands(opened):
    text = "people;area;price\n6.304;47,7;1.234,50\n225;3,1;7,25\n1.051.021;8,0;12.000,00\n"
    table = opened(text)
    assert [row[:2] for row in rows(table)] == [[6304, 47.7], [225, 3.1], [1051021, 8.0]]
    assert "dots in the column 'people' separate thousands" in table.note
    given = opened("a;b\n6.304;x\n225;y\n", decimal=",")
    assert [row[0] for row in rows(given)] == [6304, 225]
    # alone they are decimals, and what is no group of three is no number here
    assert [row[0] for row in rows(opened("a;b\n6.304;x\n225;y\n"))] == [6.304, 225]
    odd = opened("a;b\n6.30;1,5\n225;2,5\n", decimal=",")
    assert [row[0] for row in rows(odd)] == ["6.30", "225"]
    gaps = opened("a;b\n6.304;1,5\n;2,5\n0,5;3,5\n")
    assert rows(gaps)[0][0] == 6304
    assert rows(gaps)[2][0] == 0.5


def test_decimal_commas(opened):
    table = opened("x;y;z\n1,5;2;a\n-2,25e3;3;b\n")
    assert rows(table) == [[1.5, 2, "a"], [-2250.0, 3, "b"]]
    assert "decimal commas" in table.note
    assert "separated by ';'" in table.note
    assert rows(opened("x;y\n1.5;2,3\n2.5;4\n3.5;a\n")) == [[1.5, "2,3"], [2.5, "4"], [3.5, "a"]]
    assert rows(opened('x,y\n"1,5",2\n"3,25",4\n', decimal=",")) == [[1.5, 2], [3.25, 4]]
    assert rows(opened("x;y\n1,5;2\n", decimal=".")) == [["1,5", 2]]
    assert rows(opened("x;y\n1,500;2\n12,000;3\n")) == [["1,500", 2], ["12,000", 3]]
    assert rows(opened("x;y\n0,500;2\n12,000;3\n")) == [[0.5, 2], [12, 3]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_unicode_is_recognised(opened, encoding):
    table = opened("naïve,b\nJosé,1\nŁódź,2\n".encode(encoding))
    assert table.columns == ["naïve", "b"]
    assert rows(table) == [["José", 1], ["Łódź", 2]]
    assert table.note is None or encoding == "utf-16-le"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_other_encodings_are_western_european(opened, encoding):
    more = "\x81" if encoding == "latin-1" else "€"
    content = f"naïve,b\nJosé{more},1\n"
    table = opened(content.encode(encoding))
    assert rows(table) == [[f"José{more}", 1]]
    assert f"is not UTF-8 and was read as {encoding}" in table.note
    late = opened(("a,b\n" + "x,1\n" * 99_999 + "José,2\n").encode(encoding))
    assert late.read()["a"].iloc[-1] == "José"
    assert "is not UTF-8" in late.note


def test_an_encoding_that_is_said(opened):
    content = "a,b\nŁódź,1\n"
    assert rows(opened(content.encode("cp1250"), encoding="cp1250")) == [["Łódź", 1]]
    with pytest.raises(DataError, match="cannot be read as utf-16"):
        opened(content[:-1].encode(), encoding="utf-16")


@pytest.mark.parametrize(
    ("above", "told"),
    [
        ("# made by x\n# in 2020\n", "2 lines above the table"),
        ("% made by x\n", "the line above the table was left out: '% made by x'"),
        ("Title of the table\n\nSource: me\n", "3 lines above the table"),
        ("Title,,\n,,\n", "2 lines above the table"),
    ],
)
def test_lines_above_the_names_are_left_out_and_told_of(opened, above, told):
    table = opened(f"{above}a,b,c\n1,2,x\n3,4,y\n")
    assert table.columns == ["a", "b", "c"]
    assert rows(table) == [[1, 2, "x"], [3, 4, "y"]]
    assert told in table.note


def test_odd_white_space_is_no_end_of_a_table(opened):
    assert opened("\n\na,b\n1,2\n").note is None
    assert rows(opened("\n\na,b\n1,2\n")) == [[1, 2]]
    assert rows(opened("a\nx\n\x85\ny\n")) == [["x"], [None], ["y"]]
    assert opened("\n\x85\n").read().shape == (0, 1)
    with pytest.raises(DataError, match="4 in line 2"):
        opened('a b c\n1 "x y" \x85 z\n2 3 4\n', separator="whitespace").read()


def test_names_in_a_comment(opened):
    table = opened("# by x\n# a,b\n1,2\n3,4\n")
    assert table.columns == ["a", "b"]
    assert rows(table) == [[1, 2], [3, 4]]
    assert opened("#,Name\n1,x\n2,y\n").columns == ["#", "Name"]


# Names


@pytest.mark.parametrize(
    "content",
    [
        "1,2.5\n3,4.5\n",
        "5.1,3.5,setosa\n4.9,3.0,setosa\n7.0,3.2,versicolor\n",
        "39, State-gov, 77516, ?\n50, Private, 83311, x\n40, Private, 1, y\n",
        "p,x,s\ne,x,y\np,x,s\ne,b,s\np,x,s\n",
        "2020-01-01,a\n2020-01-02,b\n2020-01-03,c\n",
        "1990,1.5\n1991,2.5\n1992,3.5\n",
        "x,2000\ny,300\nz,450\n",
        "1\n2\n3\n",
    ],
)
def test_a_file_without_names_keeps_its_first_row(opened, content):
    table = opened(content)
    n = content.count("\n")
    width = content.split("\n")[0].count(",") + 1
    assert table.columns == [f"column_{i}" for i in range(width)]
    assert len(rows(table)) == n
    assert "read without a header" in table.note


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n",
        "a,b\nx,y\nz,w\n",
        "Country,1990,1995,2005\nA,1.5,2,3\nB,2,3.1,4\n",
        ",0,1,2\n0,1.5,2,3\n1,2,3.1,4\n",
        "0,1,2\n1.5,2,3\n2,3.1,4\n",
        "0\n1.5\n0.25\n",
        "state,2021\nAlabama,-29.59\nAlaska,-14.62\n",
        ",16.5,16.75\n71,0,1\n70,0,0\n69,1,0\n",
        "name,?\nx,1\ny,2\n",
        "sex,class\nmale,first\nfemale,second\nmale,first\nmale,third\nfemale,first\n",
    ],
)
def test_names_are_recognised(opened, content):
    table = opened(content)
    names = content.split("\n")[0].split(",")
    assert table.columns == [name or f"Unnamed: {i}" for i, name in enumerate(names)]
    assert len(rows(table)) == content.count("\n") - 1
    assert table.note is None


def test_whether_there_are_names_can_be_said(opened):
    assert opened("1,2\n3,4\n", header=True).columns == ["1", "2"]
    assert rows(opened("a,b\n1,2\n", header=False)) == [["a", "b"], ["1", "2"]]
    assert opened("a,b\n1,2\n", header=False).note is None


def test_names_that_stand_there_twice_are_changed_and_told_of(opened):
    table = opened("a,b,a,a\n1,2,3,4\n")
    assert table.columns == ["a", "b", "a.1", "a.2"]
    assert "'a.1', 'a.2'" in table.note
    assert len(set(opened("a,b,a,a.1\n1,2,3,4\n").columns)) == 4


# What cells are


def test_nothing_is_lost_by_making_numbers(opened):
    table = opened(
        "zip,long,code,edge,gap,whole,flag\n"
        "08540,1234567890123456789012345,007,18446744073709551615,9007199254740993,5,TRUE\n"
        "10001,1234567890123456789012346,12,0,,,NA\n"
    )
    assert rows(table) == [
        ["08540", "1234567890123456789012345", "007", 2**64 - 1, 2**53 + 1, 5, True],
        ["10001", "1234567890123456789012346", "12", 0, None, None, None],
    ]
    found = table.read().dtypes.astype(str).tolist()
    assert found[3:] == ["uint64", "Int64", "float64", "boolean"]


def test_numbers_are_exact(opened):
    X = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-500, 500).clip(-300, 300)
    text = "x\n" + "\n".join(map(repr, X.tolist())) + "\n"
    np.testing.assert_array_equal(opened(text).read()["x"], X)


def test_texts_that_only_look_like_numbers(opened):
    text = "a,b,c,d\n1_000,nan,٣,1.5\n2_000,2,٤,x\n"
    assert rows(opened(text)) == [["1_000", None, "٣", "1.5"], ["2_000", 2, "٤", "x"]]


def test_missing_cells_of_numbers_and_of_text(opened):
    content = "n,t,blank\n1,NA, \n?,None,2\n-,?,3\n None ,-,4\n5,,5\n6,a,\n"
    table = opened(content)
    assert rows(table) == [
        [1, None, None], [None, "None", 2], [None, "?", 3], [None, "-", 4], [5, None, 5],
        [6, "a", None],
    ]  # fmt: skip
    assert "'-', '?', 'None' in the column 'n' mean a missing cell" in table.note
    assert "'NA' in the column 't' means a missing cell; missing_values=[] (--" in table.note
    kept = opened(content, missing_values=[])
    assert kept.read()["t"].iloc[:4].tolist() == ["NA", "None", "?", "-"]
    assert kept.read()["n"].tolist()[0] == 1
    assert kept.read()["n"].isna().sum() == 3
    said = opened("n,t\n-999,a\n2,?\n3,NA\n", missing_values=["-999", "?"])
    assert rows(said) == [[None, "a"], [2, None], [3, "NA"]]


def test_the_whole_file_says_what_a_column_is(opened):
    content = "a,b\n" + "1,2\n" * 70_000 + "x,NA\n"
    table = opened(content)
    X = table.read()
    assert X["a"].iloc[[0, -1]].tolist() == ["1", "x"]
    assert X["b"].dtype == float
    assert {str(batch["a"].dtype) for batch in table.batches(30_000)} == {str(X["a"].dtype)}


def test_words_for_nothing_are_text_where_no_cell_is_a_number(opened):
    table = opened("a,b\nNone,1\nUnknown,2\nmissing,3\n")
    assert rows(table) == [["None", 1], ["Unknown", 2], ["missing", 3]]
    assert table.note is None


def test_empty_columns_are_named(opened):
    table = opened("a,b,c\n1,,x\n2,NA,y\n")
    assert "the column 'b' is empty in all rows" in table.note
    assert "missing cell" not in table.note
    assert table.read()["b"].isna().all()


def test_no_rows(opened):
    table = opened("a,b\n")
    assert table.read().shape == (0, 2)
    assert list(table.batches()) == []


# Damage, and size


def test_damaged_archives(opened):
    packed = bytearray(gzip.compress(os.urandom(200_000).hex().encode()))
    packed[3000] ^= 255
    with pytest.raises(DataError, match=r"cannot be read.*write it again"):
        opened(bytes(packed), "x.csv.gz").read()
    late = bytearray(gzip.compress(b"a,b\n" + os.urandom(900_000).hex().encode() + b",1\n"))
    late[-5] ^= 255
    with pytest.raises(DataError, match="cannot be read"):
        opened(bytes(late), "x.csv.gz").read()


def test_a_file_that_changed_is_not_read_by_its_old_dtypes(opened):
    table = opened("a,b\n1,2\n")
    _ = table.note
    table.path.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(DataError, match="1 rows when they were counted, and 2 were read"):
        table.read()


def test_very_many_columns(opened):
    names = ",".join(f"column {i}" for i in range(30_000))
    line = ",".join("7" for _ in range(30_000))
    table = opened(f"{names}\n{line}\n{line}\n")
    assert len(table.columns) == 30_000
    assert table.read().shape == (2, 30_000)


# What is said


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"separator": "ab"}, "separator is 'ab'"),
        ({"separator": "."}, None),
        ({"encoding": "klingon"}, "does not know"),
        ({"encoding": "base64"}, "does not know"),
        ({"decimal": "x"}, "decimal is 'x'"),
        ({"decimal": ",", "separator": ","}, "different marks"),
        ({"missing_values": "NA"}, "Expected a list"),
        ({"missing_values": [1]}, "Expected a list of texts"),
        ({"header": "yes"}, "header is 'yes'"),
    ],
)
def test_options_that_cannot_be_meant(opened, said, text):
    if text is None:
        opened("a.b\n1.2\n", **said)
        return
    with pytest.raises(ParameterError, match=text):
        opened("a,b\n1,2\n", **said)


def test_options_are_refused_where_they_mean_nothing(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(2))
    with pytest.raises(ParameterError, match="decimal is for csv and tsv files"):
        open_data(tmp_path / "x.npy", decimal=",")
    with pytest.raises(ParameterError, match="header is for csv and tsv files"):
        open_data("iris", header=False)


def test_what_was_said_in_the_fit_holds_for_the_model_and_after_loading(opened, tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.choice(["007", "12", "NA"], 200)
    text = "".join(
        f"{code};{x:.3f}\n" for code, x in zip(codes, rng.normal(size=200), strict=True)
    )
    table = opened("code;x\n" + text, missing_values=[], separator=";")
    model = pushforward.fit(table, random_state=0, verbose=False)
    again = pushforward.load(model.save(tmp_path / "model"))
    # without the model, this batch has a column of whole numbers and one of nothing
    new = "code;x\n12;0.5\nNA;0.25\n"
    assert opened(new).read()["code"].dtype == float
    for known in (model, again):
        assert known.reading_.given == {"separator": ";", "missing_values": []}
        batch = opened(new, like=known).read()
        assert batch["code"].tolist() == ["12", "NA"]
        assert np.isfinite(known.score_samples(batch)).all()
    said = opened(new.replace(";", "|"), like=model, separator="|")
    assert said.read()["code"].tolist() == ["12", "NA"]


def test_a_model_knows_the_names_of_its_columns(opened):
    X = pd.DataFrame({"a": [f"{k % 3}" for k in range(60)], "b": np.linspace(0, 1, 60)})
    model = pushforward.fit(X, random_state=0, verbose=False)
    assert opened("a,b\n", like=model).columns == ["a", "b"]
    assert rows(opened("b,a\n1,2\n", like=model)) == [[1, "2"]]


def test_a_row_for_a_model_of_a_file_without_names(opened):
    lines = "".join(f"{k % 7},{'ab'[k % 2]}\n" for k in range(60))
    model = pushforward.fit(opened(lines), random_state=0, verbose=False)
    assert rows(opened("3,a\n", like=model)) == [[3, "a"]]
    assert rows(opened("column_0,column_1\n3,a\n", like=model)) == [[3, "a"]]


def test_open_table_needs_no_options(tmp_path):
    (tmp_path / "x.data").write_text("1 2\n3 4\n")
    assert open_table(tmp_path / "x.data").read().to_numpy().tolist() == [[1, 2], [3, 4]]


def test_three_decimals_of_every_number_in_a_file_of_semicolons(tmp_path):
    """5,828 beside 5,548: of thousands, some would be too small for a comma."""
    r = np.random.default_rng(0)
    path = tmp_path / "f.csv"
    values = r.normal(5, 1, 60)
    path.write_text("value;x\n" + "".join(f"{v:.3f};1\n".replace(".", ",") for v in values))
    table = pushforward.open_data(path)
    assert "decimal commas" in table.note
    np.testing.assert_allclose(table.read()["value"], values.round(3))
    path.write_text("value;x\n" + "".join(f"{v:,};1\n" for v in range(900, 1100, 3)))
    assert "decimal" not in pushforward.open_data(path).note
