"""Pictures in files: decoded when asked, grey or RGB, upright, or refused by name."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pushforward.data import FileImages, open_images
from pushforward.data.images.cropping import Framing
from pushforward.errors import DataError

LOSSLESS = (".png", ".webp", ".bmp", ".ppm")


@pytest.mark.parametrize("ending", [*LOSSLESS, ".jpg", ".jpeg", ".gif", ".PNG"])
def test_every_format(tmp_path, write_picture, ending):
    rows, columns = np.mgrid[:24, :40]
    smooth = np.stack([rows * 5, columns * 3, rows + columns], -1).astype(np.uint8)
    path = write_picture(tmp_path / f"a{ending}", smooth)
    found = open_images(path)
    assert found.images.shape == (3, 24, 40)
    difference = np.abs(found.images[:][0].transpose(1, 2, 0).astype(int) - smooth)
    assert difference.max() <= (0 if ending.lower() in LOSSLESS else 40)
    assert difference.mean() < 4


def test_grey_and_mixed_sets(tmp_path, write_picture, pictures):
    grey, colour = pictures(5, 6), pictures(5, 6, 3)
    first = write_picture(tmp_path / "a.png", grey)
    second = write_picture(tmp_path / "b.png", colour)
    np.testing.assert_array_equal(FileImages([first, first])[:][:, 0], [grey, grey])
    both = FileImages([first, second])
    assert both.shape == (3, 5, 6)
    np.testing.assert_array_equal(both[:][0], [grey] * 3)
    np.testing.assert_array_equal(both[[1, 0]][0], colour.transpose(2, 0, 1))


def test_palettes_transparency_black_and_white(tmp_path, pictures):
    colour = Image.fromarray(pictures(4, 4, 3))
    colour.quantize(16).save(tmp_path / "p.png")
    colour.convert("RGBA").save(tmp_path / "a.png")
    Image.fromarray(pictures(4, 4) > 99).save(tmp_path / "1.png")
    colour.convert("CMYK").save(tmp_path / "c.jpg")
    shapes = {
        name: FileImages([tmp_path / name]).shape[0]
        for name in ("p.png", "a.png", "1.png", "c.jpg")
    }
    assert shapes == {"p.png": 3, "a.png": 3, "1.png": 1, "c.jpg": 3}
    assert set(np.unique(FileImages([tmp_path / "1.png"])[:])) == {0, 255}


def test_first_frame(tmp_path, pictures):
    frames = [Image.fromarray(image) for image in pictures(3, 6, 6)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found = FileImages([tmp_path / "a.gif"])[:][0, 0]
    np.testing.assert_array_equal(found, np.asarray(frames[0]))


def test_upright(tmp_path, pictures):
    image = Image.fromarray(pictures(4, 9))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    found = FileImages([tmp_path / "a.png"])
    assert found.shape == (1, 9, 4)
    np.testing.assert_array_equal(found[:][0, 0], np.rot90(np.asarray(image), -1))


def test_sizes_that_differ(tmp_path, write_picture, pictures):
    paths = [write_picture(tmp_path / f"{w}.png", pictures(8, w)) for w in (8, 12, 12)]
    with pytest.raises(DataError, match=r"12 x 8 \(2\), 8 x 8 \(1\).*size=SIDE.*crop=SIDE"):
        FileImages(paths)
    assert FileImages(paths, Framing(size=4)).shape == (1, 4, 4)
    np.testing.assert_array_equal(
        FileImages(paths, Framing(crop=8))[1:], FileImages(paths[1:])[:][..., 2:10]
    )


def test_a_file_that_changed_since(tmp_path, write_picture, pictures):
    paths = [write_picture(tmp_path / f"{k}.png", pictures(8, 8)) for k in range(3)]
    found = FileImages(paths)
    write_picture(paths[1], pictures(8, 9))
    with pytest.raises(DataError, match=r"1\.png has shape \(1, 8, 9\)"):
        found[:]
    paths[2].unlink()
    with pytest.raises(DataError, match=r"2\.png cannot be read"):
        found[2:]


def png(width, height, depth=8, data=b""):
    """A PNG of any head."""

    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot identify"),
        (b"GIF89a", "cannot identify"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "cannot identify"),
        (png(40_000, 40_000), "1600000000 pixels"),
        (png(10_000, 10_000), "10000 x 10000 pixels"),
        (png(2, 2, 16, bytes(10)), "more than 8 bits"),
        (png(8, 8, 8, bytes(20)), "truncated"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_refused(tmp_path, data, words):
    (tmp_path / "bad.png").write_bytes(data)
    with pytest.raises(DataError, match=rf"bad\.png cannot be read as an image: .*{words}"):
        open_images(tmp_path / "bad.png").images[:]


@pytest.mark.parametrize("cut", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".gif"])
def test_one_damaged_among_many(tmp_path, write_picture, pictures, ending, cut):
    paths = [write_picture(tmp_path / f"{k}{ending}", pictures(30, 30, 3)) for k in range(12)]
    whole = paths[7].read_bytes()
    paths[7].write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(DataError, match=rf"[/\\]7{ending} cannot be read as an image"):
        open_images(tmp_path).images[:]


def test_mutations(tmp_path, write_picture, pictures, rng):
    """Damaged pictures are decoded to the right shape or refused."""
    for ending in (".jpg", ".png", ".webp", ".gif", ".bmp", ".ppm"):
        path = write_picture(tmp_path / f"a{ending}", pictures(12, 12, 3))
        whole = np.frombuffer(path.read_bytes(), np.uint8)
        found = FileImages([path])
        for _ in range(40):
            mutant = whole.copy()
            mutant[rng.integers(len(mutant), size=3)] = rng.integers(256, size=3)
            path.write_bytes(mutant.tobytes())
            try:
                assert found[:].shape == (1, *found.shape)
            except DataError as error:
                assert path.name in str(error)  # noqa: PT017


def test_without_pillow(tmp_path, write_picture, pictures, monkeypatch):
    path = write_picture(tmp_path / "a.png", pictures(4, 4))
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(DataError, match=r"pushforward\[images\]"):
        open_images(path)
