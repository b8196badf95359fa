"""What the data are: tables, images and text, carried between the user's world and the model's."""

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .codec import Codec
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
    from .tables.columns import Columns, Learned
    from .tables.datasets import (
        DATASETS,
        Dataset,
        datasets,
        load_dataset,
        mixture,
        open_data,
        two_moons,
    )
    from .tables.drawn_rows import DrawnRows, draw_rows
    from .tables.lazy_table import Table
    from .tables.table_files import open_table
    from .tables.table_writer import TableWriter, write_table
    from .text.lines import Alphabet, as_lines, open_text
    from .toys import gaussian_grid, swiss_roll

__all__ = [
    "DATASETS",
    "IMAGE_SETS",
    "Alphabet",
    "ArrayImages",
    "Codec",
    "Columns",
    "Dataset",
    "DrawnRows",
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
    "draw_rows",
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
        "tables.columns": ("Columns", "Learned"),
        "tables.datasets": (
            "DATASETS",
            "Dataset",
            "datasets",
            "load_dataset",
            "mixture",
            "open_data",
            "two_moons",
        ),
        "tables.table_files": ("open_table",),
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
        "codec": ("Codec",),
        "tables.drawn_rows": ("DrawnRows", "draw_rows"),
        "tables.lazy_table": ("Table",),
        "text": ("Alphabet", "as_lines", "open_text"),
        "toys": ("gaussian_grid", "swiss_roll"),
        "tables.table_writer": ("TableWriter", "write_table"),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
