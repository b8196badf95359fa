"""Images: opened from files, folders and known sets, and carried to what a model sees."""

from .color_mnist import color_mnist
from .given import as_image_set, as_images
from .grid import write_grid, write_picture
from .image_files import FileImages
from .known import IMAGE_SETS, KnownImages, image_sets
from .labels import in_natural_order
from .opening import open_images
from .pixels import Pixels
from .sources import ArrayImages, ImageSet, ImageSource

__all__ = [
    "IMAGE_SETS",
    "ArrayImages",
    "FileImages",
    "ImageSet",
    "ImageSource",
    "KnownImages",
    "Pixels",
    "as_image_set",
    "as_images",
    "color_mnist",
    "image_sets",
    "in_natural_order",
    "open_images",
    "write_grid",
    "write_picture",
]
