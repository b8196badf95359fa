"""What the data are: tables carried between the user's columns and the model's coordinates."""

from .columns import Columns, Learned
from .datasets import DATASETS, Dataset, datasets, load_dataset, mixture, open_data, two_moons
from .files import open_table
from .table import Table
from .writing import TableWriter, write_table

__all__ = [
    "DATASETS",
    "Columns",
    "Dataset",
    "Learned",
    "Table",
    "TableWriter",
    "datasets",
    "load_dataset",
    "mixture",
    "open_data",
    "open_table",
    "two_moons",
    "write_table",
]
