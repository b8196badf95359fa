"""What the data are: tables and images, carried between the user's world and the model's."""

from .columns import Columns, Learned
from .datasets import DATASETS, Dataset, datasets, load_dataset, mixture, open_data, two_moons
from .files import open_table
from .images import (
    IMAGE_SETS,
    ArrayImages,
    FileImages,
    ImageSet,
    ImageSource,
    KnownImages,
    Pixels,
    as_images,
    color_mnist,
    image_sets,
    open_images,
)
from .table import Table
from .writing import TableWriter, write_table

__all__ = [
    "DATASETS",
    "IMAGE_SETS",
    "ArrayImages",
    "Columns",
    "Dataset",
    "FileImages",
    "ImageSet",
    "ImageSource",
    "KnownImages",
    "Learned",
    "Pixels",
    "Table",
    "TableWriter",
    "as_images",
    "color_mnist",
    "datasets",
    "image_sets",
    "load_dataset",
    "mixture",
    "open_data",
    "open_images",
    "open_table",
    "two_moons",
    "write_table",
]
