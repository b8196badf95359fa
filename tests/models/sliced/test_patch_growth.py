"""How samples grow into images: what one layer does, and whether new latents do as well."""

from typing import Any

import pytest
import torch

import pushforward
from pushforward.models.sliced import patch_growth
from pushforward.models.sliced.patch_growth import PictureGrowth
from pushforward.models.sliced.patch_layers import LayerSettings
from pushforward.models.sliced.sample_store import Points, Store, blocks_of
from pushforward.training.processes import Processes
from pushforward.transport.patches import PatchGrid

CPU = torch.device("cpu")


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def points(x):
    d, n = x.shape
    blocks = blocks_of([n], d, labelled=False)
    return Points(d, blocks, lambda _, b: x[:, b.start : b.stop].clone(), Store(CPU))


def growth(data, samples):
    return PictureGrowth(
        points(data), points(samples), data, LayerSettings(32, 500, 10), Processes()
    )


def test_one_layer_makes_normal_images_of_noise():
    mix = normal(0, 16, 16) / 4
    data = mix @ normal(1, 16, 4000) + 0.5
    grown = growth(data, normal(2, 16, 4000))
    grid = PatchGrid((1, 4, 4), (4, 4))
    assert grown.add(grown.make(grid, 4, torch.Generator().manual_seed(0)))
    made = grown.samples.columns(torch.arange(4000))
    assert torch.allclose(made.mean(1), data.mean(1), atol=0.06)
    assert torch.allclose(made.cov(), data.cov(), atol=0.12)


def test_only_the_first_layer_goes_along_all_axes():
    data = normal(0, 16, 300)
    grown = growth(data, normal(1, 16, 300))
    grid, generator = PatchGrid((1, 4, 4), (4, 4)), torch.Generator().manual_seed(0)
    counts = []
    for _ in range(2):
        layer = grown.make(grid, 3, generator)
        counts.append(layer.slices)
        assert grown.add(layer)
    assert counts == [16, 3]


def test_more_coordinates_than_images_are_no_obstacle():
    data = normal(0, 256, 40)
    grown = growth(data, normal(1, 256, 40))
    layer = grown.make(PatchGrid((1, 16, 16), (16, 16)), 8, torch.Generator().manual_seed(0))
    a = layer.directions[0]
    assert torch.allclose(a.T @ a, torch.eye(256), atol=1e-4)
    assert grown.add(layer)


def test_each_layer_looks_at_other_images(monkeypatch):
    data = normal(0, 16, 1600)
    grown = growth(data, normal(1, 16, 400))
    grown.looked_at = 0.25
    seen = []
    fitted = patch_growth.matching_layer

    def noted(grid, looked_at, *rest, **options):
        seen.append(looked_at.columns(torch.arange(len(looked_at))))
        return fitted(grid, looked_at, *rest, **options)

    monkeypatch.setattr(patch_growth, "matching_layer", noted)
    for seed in range(2):
        grown.make(PatchGrid((1, 4, 4), (2, 2)), 2, torch.Generator().manual_seed(seed))
    assert [x.shape[1] for x in seen] == [400, 400]
    assert not seen[0].equal(seen[1])
    known = {tuple(column) for column in data.T.tolist()}
    assert all(tuple(column) in known for x in seen for column in x.T.tolist())


def test_searches_in_small_patches_are_short(monkeypatch):
    grown = growth(normal(0, 64, 900), normal(1, 64, 900))
    grown.making = LayerSettings(16, 512, 200)
    seen = []
    monkeypatch.setattr(
        patch_growth, "matching_layer", lambda *given, **options: seen.append(given[3])
    )
    grown.moved = True
    for side, slices in ((8, 4), (4, 8), (2, 4)):
        grid = PatchGrid((1, 8, 8), (side, side))
        grown.make(grid, slices, torch.Generator().manual_seed(0))
    assert [making.search_steps for making in seen] == [176, 50, 40]


@pytest.mark.parametrize("on_disk", [False, True])
def test_some_points_are_a_share_of_each_class(on_disk):
    x = torch.arange(700.0).expand(3, -1).clone()
    blocks = blocks_of([500, 200], 3, labelled=True)
    all_of_them = Points(
        3, blocks, lambda _, b: x[:, b.start : b.stop].clone(), Store(CPU, on_disk)
    )
    some = all_of_them.some(0.3, torch.Generator().manual_seed(0))
    del all_of_them  # the file is closed with the last of those that have it, and no sooner
    counts = [some.count(label) for label in (0, 1)]
    assert 150 <= counts[0] < 150 + 64
    assert 60 <= counts[1] < 60 + 64
    assert some.classes == 2
    columns = some.columns(torch.arange(len(some)))
    first = columns[0].tolist()
    assert len(set(first)) == sum(counts) == len(some)
    assert all(value < 500 for value in first[: counts[0]])
    assert all(value >= 500 for value in first[counts[0] :])
    index, a = torch.arange(3)[None], torch.ones(1, 3, 1)
    for label, part in ((0, columns[:, : counts[0]]), (1, columns[:, counts[0] :])):
        assert some.projected(a, index, label)[0, 0].equal(part.sum(0))


@pytest.fixture(scope="module")
def digits():
    return pushforward.open_images("digits").images[:1200][:, 0]


def test_new_latents_become_images_as_near_as_those_that_grew(digits):
    model = pushforward.SIG(layers=4, device="cpu", random_state=0).fit(digits[:800])
    flow: Any = model.networks_["flow"]
    held_out = digits[800:]
    x, _ = model.pixels_.encode(held_out[:, None], torch.Generator().manual_seed(0))
    (z,) = flow.sample_latent(len(x), 1.0, torch.Generator().manual_seed(1))
    fresh = growth(x.flatten(1).T, flow.decode([z]).flatten(1).T).measures()
    noise = growth(x.flatten(1).T, z.flatten(1).T).measures()
    carried = model.history_[-1]
    for name, distance in fresh.items():
        assert distance < carried[name] + 0.1 * noise[name]
    assert model.diagnose(held_out[:100], n_samples=16)["round_trip.data"] < 1
