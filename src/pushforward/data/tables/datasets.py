"""Named data sets that need no network, and one door for files and names."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...deprecation import renamed
from ...errors import DataError, ParameterError
from ...validation import as_seed
from ...wording import did_you_mean, near_file
from ..toys import gaussian_grid, swiss_roll
from .lazy_table import Table
from .reading_options import Expected, ReadingOptions
from .table_files import SUFFIXES, TEXT, open_table

__all__ = ["DATASETS", "Dataset", "datasets", "load_dataset", "mixture", "open_data", "two_moons"]


@dataclass(frozen=True)
class Dataset:
    """A data set that can be asked for by name.

    Attributes:
        name: what to ask for.
        rows: number of rows.
        columns: number of columns.
        about: what the rows and columns are.
        origin: who made it.
        load: returns it, as a pandas frame.
    """

    name: str
    rows: int
    columns: int
    about: str
    origin: str
    load: Callable[[], Any]


@renamed(seed="random_state")
def two_moons(n: int = 1000, noise: float = 0.05, random_state: Any = 0) -> Any:
    """Draw a frame (n, 2) with columns x and y: two half circles that reach into each other.

    Args:
        n: number of rows.
        noise: standard deviation of the normal noise on both columns.
        random_state: random seed.

    >>> two_moons(4).shape
    (4, 2)
    """
    seed = as_seed(random_state)
    import pandas as pd
    from sklearn.datasets import make_moons

    points, _ = make_moons(n, noise=noise, random_state=seed)
    return pd.DataFrame(points, columns=["x", "y"])


@renamed(seed="random_state")
def mixture(n: int = 1000, random_state: Any = 0) -> Any:
    """Draw a frame (n, 4) with a column of each kind, whose density is known by construction.

    ``group`` is a, b or c with probabilities 0.5, 0.3 and 0.2. Given the group, ``x`` is normal
    with mean -3, 0 or 4 and deviation 1, ``count`` is Poisson with mean 2, 5 or 9, and ``flag``
    is true with probability 0.1, 0.5 or 0.8; the three are independent.

    >>> mixture(3).columns.tolist()
    ['x', 'count', 'group', 'flag']
    """
    seed = as_seed(random_state)
    import pandas as pd

    rng = np.random.default_rng(seed)
    group = rng.choice(3, size=n, p=[0.5, 0.3, 0.2])
    return pd.DataFrame(
        {
            "x": rng.normal(np.array([-3.0, 0.0, 4.0])[group]),
            "count": rng.poisson(np.array([2.0, 5.0, 9.0])[group]),
            "group": np.array(["a", "b", "c"], dtype=object)[group],
            "flag": rng.random(n) < np.array([0.1, 0.5, 0.8])[group],
        }
    )


def _embedded(name: str, target: str | None = None) -> Callable[[], Any]:
    """Return a loader of a set that scikit-learn carries; its classes become a category."""

    def load() -> Any:
        import pandas as pd
        from sklearn import datasets

        bunch: Any = getattr(datasets, f"load_{name}")()  # scikit-learn is imported no earlier
        frame = pd.DataFrame(bunch.data, columns=[str(column) for column in bunch.feature_names])
        if name == "digits":
            frame = frame.astype(np.int64)  # counts of dark pixels, 0 to 16, stored as floats
        if target is not None:
            classes = [str(word) for word in bunch.target_names]
            frame[target] = pd.Categorical.from_codes(bunch.target, categories=classes)
        return frame

    return load


_BUILT_IN = (
    Dataset(
        "breast_cancer", 569, 30, "measures of cell nuclei from the breast, by needle aspiration",
        "Wolberg, Street and Mangasarian 1995, UCI; scikit-learn", _embedded("breast_cancer"),
    ),
    Dataset(
        "diabetes", 442, 10, "age, sex, body and blood measures of patients, centred and scaled",
        "Efron, Hastie, Johnstone and Tibshirani 2004; scikit-learn", _embedded("diabetes"),
    ),
    Dataset(
        "digits", 1797, 64, "handwritten digits, 8 by 8 pixels, whole numbers 0 to 16",
        "Alpaydin and Kaynak 1998, UCI; scikit-learn", _embedded("digits"),
    ),
    Dataset(
        "iris", 150, 5, "sizes of sepals and petals in cm, and the species",
        "Fisher 1936; scikit-learn", _embedded("iris", "species"),
    ),
    Dataset(
        "wine", 178, 14, "chemical analysis of wines, and the cultivar",
        "Aeberhard and Forina 1991, UCI; scikit-learn", _embedded("wine", "cultivar"),
    ),
    Dataset(
        "two_moons", 1000, 2, "two half circles that reach into each other, with noise 0.05",
        "made, seed 0; scikit-learn", two_moons,
    ),
    Dataset(
        "gaussian_grid", 10_000, 2, "25 narrow normal distributions on a square, of equal shares",
        "made, seed 0", gaussian_grid,
    ),
    Dataset(
        "swiss_roll", 10_000, 2, "a spiral of one and a half turns, with noise",
        "made, seed 0", swiss_roll,
    ),
    Dataset(
        "mixture", 1000, 4, "a column of each kind, drawn from a known mixture of three groups",
        "made, seed 0", mixture,
    ),
)  # fmt: skip

DATASETS: dict[str, Dataset] = {found.name: found for found in _BUILT_IN}


def datasets() -> list[Dataset]:
    """Return the known data sets, by name.

    >>> [found.name for found in datasets()][:2]
    ['breast_cancer', 'diabetes']
    """
    return [DATASETS[name] for name in sorted(DATASETS)]


def load_dataset(name: str) -> Any:
    """Return a known data set as a pandas frame.

    Raises:
        DataError: for an unknown name, listing the known ones.

    >>> load_dataset("iris")["species"].unique().tolist()
    ['setosa', 'versicolor', 'virginica']
    """
    if name not in DATASETS:
        raise DataError(
            f"There is no data set {name!r}{did_you_mean(name, DATASETS)}. Known: {_known()}."
        )
    return DATASETS[name].load()


def open_data(
    source: str | os.PathLike,
    *,
    header: bool | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    separator: str | None = None,
    missing_values: Sequence[str] | None = None,
    like: Any = None,
) -> Table:
    """Open a file, a folder of parquet files, or a data set by its name.

    A file or folder that exists comes first; a name with the ending of a file is never taken for
    a data set. How a file of text is written is found out; what is given here is taken as given.
    ``Table.note`` says what was decided.

    Args:
        source: path or name.
        header: whether the first record of a csv, tsv or xlsx file holds names.
        encoding: of a csv or tsv file, such as "cp1252"; else UTF-8, UTF-16, or, where neither
            is, cp1252.
        decimal: the decimal mark of a csv or tsv file, "." or ",".
        separator: what is between the cells of a csv or tsv file: one character, "tab", or
            "whitespace".
        missing_values: texts that mean a missing cell in every column, in place of NA, N/A, NaN
            and NULL in columns of text: so [] keeps a category called "NA". Empty cells are
            always missing, and in columns of numbers also NA, None, ?, - and the like.
        like: a fitted model that will get the table. The options that its table was read with
            hold unless they are given anew, and columns that were text are read as text.

    Raises:
        DataError: if it is none of them, listing the known names and endings; and whatever
            :func:`open_table` raises.
        ParameterError: for a value that cannot be meant.

    >>> open_data("wine").n_rows
    178
    """
    reading = ReadingOptions(header, encoding, decimal, separator, missing_values)
    _refuse_unused(reading, source)
    expected = Expected()
    if like is not None:
        # a model has it where it was fitted to a file
        reading, expected = (
            reading.with_defaults(getattr(like, "reading_", ReadingOptions())),
            Expected.of(like),
        )
    text = os.fspath(source)
    if Path(source).exists():
        return open_table(source, reading, expected)
    if text in DATASETS:
        return Table.of(DATASETS[text].load())
    if Path(source).name.lower().endswith(SUFFIXES):
        return open_table(source, reading, expected)
    hint = did_you_mean(text, DATASETS) or near_file(source)
    raise DataError(
        f"{text!r} is no file, folder or known data set{hint}. Expected a file ending in "
        f"{', '.join(SUFFIXES)}, a folder of parquet files, or one of {_known()}."
    )


def _refuse_unused(reading: ReadingOptions, source: str | os.PathLike) -> None:
    """Refuse reading options of a table that is not in a file of text.

    Raises:
        ParameterError: naming it.
    """
    name = Path(source).name.lower()
    of_text = name.endswith(TEXT) and not Path(source).is_dir()
    used = ("header", "missing_values") if name.endswith(".xlsx") else ()
    idle = [word for word in reading.given if word not in used]
    if idle and not of_text:
        raise ParameterError(
            f"{idle[0]} is for csv and tsv files, and {os.fspath(source)} is none. Leave it out."
        )


def _known() -> str:
    return ", ".join(sorted(DATASETS))
