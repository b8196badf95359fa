"""Images: opened from files, folders and known sets, and carried to what a model sees."""

from .color_mnist import color_mnist
from .datasets import IMAGE_SETS, KnownImages, image_sets
from .digests import digest_of
from .grey import RecolouredImages
from .grid import need_pillow, write_grid, write_picture
from .image_files import FileImages
from .image_sources import ArrayImages, ImageSet, ImageSource
from .in_memory import as_image_set, as_images, holds_images
from .labels import labels_by_name, numbered, places_of, refuse_gaps
from .opening import open_images
from .pixels import Pixels

__all__ = [
    "IMAGE_SETS",
    "ArrayImages",
    "FileImages",
    "ImageSet",
    "ImageSource",
    "KnownImages",
    "Pixels",
    "RecolouredImages",
    "as_image_set",
    "as_images",
    "color_mnist",
    "digest_of",
    "holds_images",
    "image_sets",
    "labels_by_name",
    "need_pillow",
    "numbered",
    "open_images",
    "places_of",
    "refuse_gaps",
    "write_grid",
    "write_picture",
]
