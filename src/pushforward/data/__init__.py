"""What the data are: tables, images and text, carried between the user's world and the model's."""

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .columns import Columns, Learned
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
    from .known_tables import (
        DATASETS,
        Dataset,
        datasets,
        load_dataset,
        mixture,
        open_data,
        two_moons,
    )
    from .table import Table
    from .text import Alphabet, as_lines, open_text
    from .toys import gaussian_grid, swiss_roll
    from .writing import TableWriter, write_table

__all__ = [
    "DATASETS",
    "IMAGE_SETS",
    "Alphabet",
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
    "as_lines",
    "color_mnist",
    "datasets",
    "gaussian_grid",
    "image_sets",
    "load_dataset",
    "mixture",
    "open_data",
    "open_images",
    "open_table",
    "open_text",
    "swiss_roll",
    "two_moons",
    "write_table",
]

__getattr__ = lazily(
    __name__,
    {
        "columns": ("Columns", "Learned"),
        "known_tables": (
            "DATASETS",
            "Dataset",
            "datasets",
            "load_dataset",
            "mixture",
            "open_data",
            "two_moons",
        ),
        "files": ("open_table",),
        "images": (
            "IMAGE_SETS",
            "ArrayImages",
            "FileImages",
            "ImageSet",
            "ImageSource",
            "KnownImages",
            "Pixels",
            "as_images",
            "color_mnist",
            "image_sets",
            "open_images",
        ),
        "table": ("Table",),
        "text": ("Alphabet", "as_lines", "open_text"),
        "toys": ("gaussian_grid", "swiss_roll"),
        "writing": ("TableWriter", "write_table"),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
