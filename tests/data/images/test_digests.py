"""Digests: of every pixel, however images are stored; large files are read once."""

import io
import os
import weakref

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from pushforward.data import ArrayImages, open_images
from pushforward.data.images import digest_of, digests
from pushforward.data.images.image_sources import JoinedImages


def test_every_pixel_counts(pictures):
    images = pictures(700, 4, 4)
    whole = digest_of(ArrayImages(images, "nhw"))
    for row in (1, 350, 698):  # none of 256 that are evenly spread
        other = images.copy()
        other[row, 2, 3] ^= 1
        assert digest_of(ArrayImages(other, "nhw")) != whole
    assert digest_of(ArrayImages(images[::-1], "nhw")) != whole
    assert digest_of(ArrayImages(images.reshape(700, 2, 8), "nhw")) != whole


def test_the_same_images_are_the_same(tmp_path, pictures):
    images = pictures(9, 7, 5, 3)
    whole = digest_of(ArrayImages(images, "nhwc"))
    np.save(tmp_path / "a.npy", images)
    assert digest_of(open_images(tmp_path / "a.npy").images) == whole
    assert digest_of(open_images(images / 255.0, pixel_range=(0, 1)).images) == whole
    assert digest_of(ArrayImages(images.transpose(0, 3, 1, 2), "nchw")) == whole


def test_wrapped_sources(pictures):
    images = pictures(9, 8, 8, 3)
    made = [
        open_images(images, **words).images
        for words in ({}, {"size": 4}, {"crop": 4}, {"channels": 1}, {"channels": 3})
    ]
    made.append(JoinedImages([made[0], made[0]]))
    assert len({digest_of(source) for source in made}) == len(made)
    other = images.copy()
    other[3] ^= 1
    assert digest_of(open_images(other, size=4).images) != digest_of(made[1])


def test_pictures_in_files(tmp_path, write_picture, pictures, monkeypatch):
    images = pictures(3, 4, 4)
    for home in ("a", "b"):
        for k, image in enumerate(images):
            write_picture(tmp_path / home / f"{k}.png", image)
    first = open_images(tmp_path / "a")
    monkeypatch.setattr(type(first.images), "_decode", None)  # they need not be decoded
    assert digest_of(first.images) == digest_of(open_images(tmp_path / "b").images)
    write_picture(tmp_path / "b" / "1.png", images[1] ^ 1)
    assert digest_of(first.images) != digest_of(open_images(tmp_path / "b").images)


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Every file is large; returns how often data were read."""
    monkeypatch.setattr(digests, "_LARGE", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    reads = []
    for name in ("_of_images", "_bytes"):
        read = getattr(digests, name)
        monkeypatch.setattr(digests, name, lambda x, read=read: reads.append(1) or read(x))
    return reads


def test_encoded_pictures_are_held_one_at_a_time(monkeypatch, tmp_path, pictures):
    """All of a set may be larger than memory."""
    column = []
    for image in pictures(20, 6, 5, 3):
        data = io.BytesIO()
        Image.fromarray(image).save(data, "PNG")
        column.append(data.getvalue())
    pyarrow.parquet.write_table(pyarrow.table({"image": column}), tmp_path / "a.parquet")
    source = open_images(tmp_path / "a.parquet").images
    whole, held, most = digest_of(source), weakref.WeakSet(), []
    plain = source.file

    def file(number):
        found = plain(number)
        held.add(found)
        most.append(len(held))
        return found

    monkeypatch.setattr(source, "file", file)
    assert digest_of(source) == whole
    assert len(most) == 20
    assert max(most) <= 2


def test_large_files_are_read_once(tmp_path, write_picture, pictures, cached):
    images = pictures(5, 4, 4)
    np.save(tmp_path / "a.npy", images)
    write_picture(tmp_path / "pictures" / "a.png", images[0])
    for place in ("a.npy", "pictures"):
        cached.clear()
        first = digest_of(open_images(tmp_path / place).images)
        assert digest_of(open_images(tmp_path / place).images) == first
        assert len(cached) == 1
    images[4, 0, 0] ^= 1
    kept = os.stat(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", images)
    os.utime(tmp_path / "a.npy", ns=(kept.st_atime_ns, kept.st_mtime_ns))  # time set back
    assert digest_of(open_images(tmp_path / "a.npy").images) == digest_of(
        ArrayImages(images, "nhw")
    )
    half = np.load(tmp_path / "a.npy", mmap_mode="r")[2:]  # of the same file
    assert digest_of(ArrayImages(half, "nhw")) == digest_of(ArrayImages(images[2:], "nhw"))


def test_a_damaged_cache_is_made_again(tmp_path, pictures, cached):
    np.save(tmp_path / "a.npy", pictures(5, 4, 4))
    first = digest_of(open_images(tmp_path / "a.npy").images)
    (place,) = (tmp_path / "cache" / "pushforward" / "digests").iterdir()
    for damaged in (b"", b"zz" * 32, b"\xff", first[:-2].encode()):
        place.write_bytes(damaged)
        assert digest_of(open_images(tmp_path / "a.npy").images) == first
