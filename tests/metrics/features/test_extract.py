"""Features of many images: in blocks, from the cache, by several processes, or refused."""

import tracemalloc

import numpy as np
import pytest
import torch

from pushforward.errors import DataError, ParameterError
from pushforward.metrics.features import PCAFeatures, UserFeatures, extract, find_features


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (2500, 1, 6, 5), dtype=np.uint8)


class Counting:
    """Means of channels; counts the images it was asked for."""

    name, preprocessing, precision, dimension = "counting", "none", "float32", 1
    digest = "1"

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return images.mean(axis=(2, 3), dtype=np.float64).astype(np.float32)


def test_all_images_in_order_whatever_the_batch(images):
    whole = images.reshape(2500, -1).astype(np.float32) / 255
    for batch_size in (7, 64, 5000):
        features = extract(find_features("pixels"), images, batch_size=batch_size)
        np.testing.assert_array_equal(features, whole)


@pytest.mark.parametrize("shape", [(9, 28, 28), (9, 8, 6, 3), (9, 1, 8, 6), (9, 3, 8, 6)])
def test_any_layout_of_images(rng, shape):
    x = rng.integers(0, 256, shape, dtype=np.uint8)
    assert extract(find_features("pixels"), x).shape == (9, np.prod(shape[1:]))
    assert extract(find_features("pixels"), torch.from_numpy(x)).shape == (9, np.prod(shape[1:]))


def test_the_second_time_nothing_is_computed(images, tmp_path):
    counting = Counting()
    first = extract(counting, images, cache=tmp_path)
    assert counting.seen == 2500
    np.testing.assert_array_equal(extract(counting, images, cache=tmp_path), first)
    assert counting.seen == 2500
    np.testing.assert_array_equal(extract(counting, images[:1024], cache=tmp_path), first[:1024])
    assert counting.seen == 2500  # the beginning of a set is known too


def test_the_cache_goes_by_content_and_by_extractor(images, tmp_path):
    counting = Counting()
    extract(counting, images, cache=tmp_path)
    images[2400] += 1
    changed = extract(counting, images, cache=tmp_path)
    assert counting.seen == 2500 + 452  # the block with the changed image
    np.testing.assert_array_equal(changed, extract(Counting(), images))
    for name, value in {"digest": "2", "preprocessing": "other", "name": "other"}.items():
        counting = Counting()
        setattr(counting, name, value)
        extract(counting, images, cache=tmp_path)
        assert counting.seen == 2500, name


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "folder", "shorter"])
def test_a_damaged_file_is_computed_again_not_trusted(images, tmp_path, damage):
    counting = Counting()
    first = extract(counting, images[:1000], cache=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    if damage == "bit":
        path.write_bytes(whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:])
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        extract(counting, images[:999], cache=tmp_path / "other")
        path.write_bytes(next((tmp_path / "other").iterdir()).read_bytes())
    counting.seen = 0
    if damage == "folder":
        with pytest.warns(UserWarning, match="not kept"):
            again = extract(counting, images[:1000], cache=tmp_path)
    else:
        again = extract(counting, images[:1000], cache=tmp_path)
        extract(counting, images[:1000], cache=tmp_path)  # mended
    assert counting.seen == 1000
    np.testing.assert_array_equal(again, first)


def test_memory_does_not_grow_with_the_images():
    class Endless:
        shape = (3, 64, 64)

        def __init__(self, images):
            self.images = images

        def __len__(self):
            return self.images

        def __getitem__(self, which):
            return np.zeros((len(range(*which.indices(len(self)))), *self.shape), dtype=np.uint8)

    peaks = []
    for count in (2048, 16384):
        tracemalloc.start()
        extract(Counting(), Endless(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]  # the images themselves are 8 times as many bytes


def test_progress_is_told(images):
    told = []
    extract(Counting(), images, report=lambda what, share: told.append((what, share)))
    assert "counting" in told[0][0]
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_rows_of_a_table(rng):
    rows = rng.normal(size=(2000, 7)) * [1, 1, 1, 1, 1, 1, 1000]
    np.testing.assert_array_equal(extract(find_features("pixels"), rows), rows.astype(np.float32))
    pca = find_features("pca", train=rows)
    features = extract(pca, rows)
    assert features.shape == (2000, 7)
    spread = features.std(axis=0)
    assert spread.max() < 1.2  # standardised: no column rules
    np.testing.assert_allclose(np.cov(features.T), np.diag(spread**2), atol=2e-3)


def test_principal_components_keep_the_most(images, rng):
    directions = rng.normal(size=(3, 30))
    x = rng.normal(size=(2500, 3)) * [30, 20, 10] @ directions * 0.5 + 128
    images = x.clip(0, 255).astype(np.uint8).reshape(-1, 1, 6, 5)
    pca = PCAFeatures(images, components=3)
    assert pca.explained > 0.95
    assert pca(images).shape == (2500, 3)
    np.testing.assert_allclose(pca(images).mean(axis=0), 0, atol=1e-3)
    with pytest.raises(DataError, match="30"):
        pca(images[:, :, :3])
    with pytest.raises(DataError, match="all the same"):
        PCAFeatures(images[:1].repeat(9, axis=0))


def test_a_module_is_run_as_for_evaluation_and_left_as_it_was(images):
    class Mine(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(1)
            self.drop = torch.nn.Dropout(0.5)

        def forward(self, x):
            assert x.dtype == torch.float32
            assert 0 <= x.min() <= x.max() <= 1
            return self.drop(self.norm(x))

    module = Mine()
    module.drop.eval()
    features = find_features(module)
    first = extract(features, images)
    assert features.name == "Mine"
    assert (features.dimension, first.shape) == (30, (2500, 30))
    np.testing.assert_array_equal(first, extract(features, images))
    assert (module.norm.training, module.drop.training) == (True, False)


def test_a_function_has_its_own_name_and_is_not_cached_unasked(images, tmp_path):
    def brightness(batch):
        return batch.mean(axis=(1, 2, 3))[:, None]

    mine = find_features(brightness)
    assert mine.name == "brightness"
    assert extract(mine, images, cache=tmp_path).shape == (2500, 1)
    assert not list(tmp_path.iterdir())
    extract(UserFeatures(brightness, digest="v1"), images, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert find_features(lambda x: x.reshape(len(x), -1)).name == "function"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x.mean(axis=(1, 2, 3))[:-1, None], r"shape \(63, 1\) for 64 images"),
        (lambda x: x.mean(axis=(1, 2, 3))[:, None] * np.nan, "not finite for 1024 of 1024"),
        (lambda x: np.array(["a"] * len(x)), "expected numbers"),
    ],
)
def test_useless_features_are_refused(images, function, said):
    with pytest.raises(DataError, match=said):
        extract(find_features(function), images)


def test_what_cannot_be_used_is_named(images):
    with pytest.raises(ParameterError, match="expected one of inception"):
        find_features("inceptoin")
    with pytest.raises(ParameterError, match="expected a torch module or a function"):
        find_features(3)
    with pytest.raises(ParameterError, match="give real data as `train`"):
        find_features("pca")
    with pytest.raises(ParameterError, match="batch_size is 0"):
        extract(find_features("pixels"), images, batch_size=0)
    with pytest.raises(DataError, match="no images"):
        extract(find_features("pixels"), np.zeros((0, 3)))
    with pytest.raises(DataError, match="first being row 1"):
        extract(find_features("pixels"), np.array([[0.0], [np.inf]]))


def extracted(folder):
    """What each of a group of processes extracts, and how it ends where one of them fails."""
    torch.distributed.init_process_group("gloo")
    rank = torch.distributed.get_rank()
    images = np.load(folder / "images.npy")
    np.save(folder / f"{rank}.npy", extract(find_features("pixels"), images))

    def fails(batch):
        if rank == 1:
            raise ValueError("my own")
        return batch.reshape(len(batch), -1)

    try:
        extract(find_features(fails), images)
    except (DataError, ValueError) as error:
        print(rank, type(error).__name__, error)
    np.save(folder / f"few{rank}.npy", extract(find_features("pixels"), images[:3]))


def test_two_processes_give_what_one_gives(images, processes, tmp_path):
    np.save(tmp_path / "images.npy", images)
    ended = processes(2, extracted, tmp_path)
    assert ended.codes == [0, 0], ended.stderr
    alone = extract(find_features("pixels"), images)
    for rank in range(2):
        np.testing.assert_array_equal(np.load(tmp_path / f"{rank}.npy"), alone)
        np.testing.assert_array_equal(np.load(tmp_path / f"few{rank}.npy"), alone[:3])
    assert "0 DataError Features failed in process 1" in ended.stdout
    assert "1 ValueError my own" in ended.stdout


def test_features_that_depend_on_the_batch_are_refused(rng):
    images = rng.integers(0, 256, (40, 1, 6, 6), dtype=np.uint8)

    def standardised(batch):
        flat = batch.reshape(len(batch), -1).astype(float)
        return (flat - flat.mean(0)) / (flat.std(0) + 1)

    def noisy(batch):
        return batch.reshape(len(batch), -1) + rng.normal(0, 100, (len(batch), 36))

    def plain(batch):
        return batch.reshape(len(batch), -1) / 3

    for function in (standardised, noisy):
        with pytest.raises(DataError, match=rf"{function.__name__} gives an image change by"):
            extract(UserFeatures(function), images)
    for rows in (1, 2, 40):
        assert extract(UserFeatures(plain), images[:rows]).shape == (rows, 36)
    assert extract(UserFeatures(plain), np.zeros((5, 1, 6, 6), np.uint8)).max() == 0


def test_a_module_of_colours_takes_grey_images(rng):
    grey = rng.integers(0, 256, (9, 1, 6, 6), dtype=np.uint8)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten())
    features = UserFeatures(module)
    assert "grey in three channels" in features.preprocessing
    got = extract(features, grey)
    np.testing.assert_array_equal(got, extract(features, grey.repeat(3, axis=1)))
    of_grey = UserFeatures(torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten()))
    assert extract(of_grey, grey).shape == (9, 64)
    with pytest.raises(DataError, match=r"1 channel\(s\), and these have 3.*channels=1"):
        extract(of_grey, grey.repeat(3, axis=1))
