"""Patch layers: exact maps of whole images, made and evaluated for all patches at once."""

import math

import pytest
import torch

from pushforward.transport import patches
from pushforward.transport.kernel_splines import gaussianising_splines
from pushforward.transport.optimal_transport import (
    matching_directions,
    matching_splines,
    matching_value,
)
from pushforward.transport.patches import PatchFlow, PatchGrid, PatchLayer
from pushforward.transport.spline import Splines

SHAPES = [
    ((1, 1, 1), (1, 1), (0, 0), False),
    ((1, 5, 7), (2, 3), (4, 6), False),
    ((3, 6, 5), (3, 2), (1, 2), True),
    ((3, 4, 4), (4, 4), (0, 0), False),
]


def samples(shape, n, seed=0, dtype=torch.float32):
    """Correlated, skewed images (D, n) and normal ones."""
    generator = torch.Generator().manual_seed(seed)
    d = math.prod(shape)
    mixed = torch.randn(d, d, generator=generator) @ torch.randn(d, n, generator=generator)
    x = (mixed / d**0.5).exp()
    return x.to(dtype), torch.randn(d, n, generator=generator).to(dtype)


def layer_of(shape, patch, shift=(0, 0), apart=False, *, gaussian=False, classes=None):
    """A layer fitted to images, and they; of classes, each bends more than the one before."""
    grid = PatchGrid(shape, patch, shift, apart)
    x, z = samples(shape, 400)
    index, slices = grid.index(), min(4, grid.dimension)
    generator = torch.Generator().manual_seed(0)
    a = matching_directions(x[index], None if gaussian else z[index], slices, generator, steps=4)
    p, q = a.mT @ x[index], a.mT @ z[index]
    if gaussian:
        found = gaussianising_splines(p.flatten(0, 1), knots=12, damping=0.5)
        knots = [t.view(*p.shape[:2], 12) for t in (found.x, found.y, found.slope)]
    else:
        found = matching_splines(p, q, 12)
        knots = [found.x, found.y, found.slope]
    if classes is not None:
        bend = 0.5 ** torch.arange(classes)[:, None, None, None]
        knots = [
            knots[0].expand(classes, *p.shape[:2], 12).clone(),
            torch.lerp(knots[0], knots[1], bend),
            torch.lerp(torch.ones(()), knots[2], bend),
        ]
    return PatchLayer(grid, a, Splines(*knots, uniform=gaussian)), x


@pytest.mark.parametrize(("shape", "patch", "shift", "apart"), SHAPES)
def test_no_coordinate_is_in_two_patches(shape, patch, shift, apart):
    grid = PatchGrid(shape, patch, shift, apart)
    index = grid.index()
    assert index.shape == (grid.count, grid.dimension)
    assert len(index.unique()) == index.numel() <= math.prod(shape)
    assert 0 <= int(index.min()) <= int(index.max()) < math.prod(shape)


def test_every_pixel_is_in_a_patch_at_some_shift():
    seen = [PatchGrid((1, 5, 5), (2, 2), (s, s)).index().flatten() for s in range(5)]
    assert len(torch.cat(seen).unique()) == 25


def test_a_patch_is_a_neighbourhood_that_goes_on_round_the_edge():
    image = torch.arange(12).view(1, 3, 4)
    index = PatchGrid((1, 3, 4), (3, 2), (1, 3)).index()
    rolled = image.roll((-1, -3), (1, 2))[0]
    assert index[0].equal(rolled[:, :2].flatten())
    assert index[1].equal(rolled[:, 2:].flatten())


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize(("shape", "patch", "shift", "apart"), SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_inverse_undoes_forward(shape, patch, shift, apart, dtype, tolerance, gaussian):
    layer, _ = layer_of(shape, patch, shift, apart, gaussian=gaussian)
    x = 3 * samples(shape, 50, seed=1, dtype=dtype)[1]
    y, log_det = layer(x)
    back, same = layer.inverse(y)
    assert back.dtype == dtype
    assert torch.allclose(back, x, atol=tolerance, rtol=tolerance)
    assert torch.allclose(same.double(), log_det, atol=1e-3 if dtype == torch.float32 else 1e-8)
    assert not torch.allclose(y, x, atol=1e-2)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize(("shape", "patch", "shift", "apart"), SHAPES)
def test_log_determinant_is_that_of_the_jacobian(shape, patch, shift, apart, gaussian):
    layer, x = layer_of(shape, patch, shift, apart, gaussian=gaussian)
    flow = PatchFlow(shape, [layer, layer])
    image = x[:, :1].T.reshape(1, *shape).double()
    jacobian = torch.autograd.functional.jacobian(lambda v: flow.encode(v)[0].flatten(), image)
    d = image.numel()
    log_det = torch.linalg.slogdet(jacobian.reshape(d, d)).logabsdet
    latent = flow.encode(image)[0]
    normal = -0.5 * latent.square().sum() - 0.5 * d * math.log(2 * math.pi)
    assert flow.log_prob(image).item() == pytest.approx((normal + log_det).item(), abs=1e-6)


def test_all_patches_at_once_are_each_patch_alone():
    layer, x = layer_of((2, 6, 6), (3, 2), (2, 5))
    batched, log_det = layer(x)
    looped = x.clone()
    for patch, place in enumerate(layer.grid.index()):
        a = layer.directions[patch]
        p = a.T @ x[place]
        for k in range(a.shape[1]):
            one = matching_one(layer, patch, k).forward(p[k][None])[0][0]
            looped[place] += a[:, k : k + 1] * (one - p[k])
    assert torch.allclose(batched, looped, atol=1e-5)
    assert log_det.shape == (layer.grid.count, x.shape[1])


def matching_one(layer, patch, k):
    """The spline of one slice."""
    return layer.map(torch.float32).layer.splines.take(patch).take(slice(k, k + 1))


def test_a_search_in_a_batch_finds_what_differs_in_each_problem():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 3, 10, 800, generator=generator)
    for problem in range(3):  # along one axis each
        x[problem, problem + 1] *= 3
    a = matching_directions(x, y, 1, generator, steps=20)
    along = a[torch.arange(3), torch.arange(1, 4), 0].abs()
    assert (along > 0.95).all()
    gaussian = matching_directions(x, None, 1, generator, steps=20)
    assert (gaussian[torch.arange(3), torch.arange(1, 4), 0].abs() > 0.95).all()


def test_directions_are_orthonormal_and_better_than_the_start():
    x, y = (t.view(4, 6, -1) for t in samples((1, 4, 6), 300))
    start, best = (
        matching_directions(x, y, 3, torch.Generator().manual_seed(0), steps=steps)
        for steps in (1, 15)
    )
    assert torch.allclose(best.mT @ best, torch.eye(3).expand(4, 3, 3), atol=1e-5)
    assert (matching_value(best, x, y) > matching_value(start, x, y)).all()


def test_splines_are_transport():
    generator = torch.Generator().manual_seed(0)
    p, q = torch.randn(2, 5, 4000, generator=generator).double()
    q = 3 * q + 2
    moved, _ = matching_splines(p, q, 40).forward(p)
    error = (moved.sort().values - q.sort().values).abs().mean(1)
    assert (error < 0.05).all()


def test_half_a_step_goes_half_the_way():
    p, q = torch.randn(2, 5, 400, generator=torch.Generator().manual_seed(0)).double()
    whole, half = (matching_splines(p, 2 * q + 1, 16, step) for step in (1.0, 0.5))
    assert half.x.equal(whole.x)
    assert torch.allclose(half.y, (whole.x + whole.y) / 2)
    assert (half.y.diff() > 0.49 * half.x.diff()).all()


@pytest.mark.parametrize("constant", [0.0, 5.0])
def test_splines_rise_even_with_ties(constant):
    p = torch.full((2, 100), constant)
    splines = matching_splines(p, torch.randn(2, 100), 16)
    assert (splines.x.diff() > 0).all()
    assert (splines.y.diff() > 0).all()
    assert (splines.slope > 0).all()


def test_density_map_sums_to_the_density():
    layer, x = layer_of((3, 6, 5), (2, 2), (1, 4), True)
    flow = PatchFlow((3, 6, 5), [layer])
    images = x.T.reshape(-1, 3, 6, 5)
    assert torch.allclose(flow.density_map(images).sum((1, 2, 3)), flow.log_prob(images))


def test_empty_layers_take_the_tensors_of_others():
    layer, x = layer_of((1, 4, 4), (2, 2))
    other = PatchLayer.empty(layer.grid, 4, 12, uniform=False)
    other.load_state_dict(layer.state_dict())
    assert other(x)[0].equal(layer(x)[0])


def test_layers_by_class_are_a_layer_for_each():
    layer, x = layer_of((1, 4, 6), (2, 3), (1, 2), classes=3)
    flow = PatchFlow((1, 4, 6), [layer, layer], torch.tensor([0.5, 0.25, 0.25]).double())
    images = x.T[:12].reshape(-1, 1, 4, 6)
    y = torch.arange(12) % 3
    (z,) = flow.encode(images, y)
    for label in range(3):
        own = Splines(*(t[label] for t in (layer.x, layer.y, layer.slope)), uniform=False)
        alone = PatchFlow((1, 4, 6), [PatchLayer(layer.grid, layer.directions, own)] * 2)
        ours = y == label
        assert torch.allclose(alone.encode(images[ours])[0], z[ours])
        assert torch.allclose(alone.log_prob(images[ours]), flow.log_prob(images, y)[ours])
        joint = flow.class_log_prob(images)[:, label]
        assert torch.allclose(joint, alone.log_prob(images) + flow.share[label].log())
    assert torch.allclose(flow.log_prob(images), flow.class_log_prob(images).logsumexp(1))
    assert torch.allclose(flow.decode([z], y), images.double(), atol=1e-9)
    assert not torch.allclose(flow.encode(images, (y + 1) % 3)[0], z)
    other = PatchLayer.empty(layer.grid, 4, 12, uniform=False, classes=3)
    other.load_state_dict(layer.state_dict())
    assert other(x, 1)[0].equal(layer(x, 1)[0])


def test_wide_directions_are_made_once_and_anew_after_others_are_loaded():
    def layer(seed):
        generator = torch.Generator().manual_seed(seed)
        a = torch.linalg.qr(torch.randn(144, 144, generator=generator)).Q[None]
        knots = torch.linspace(-3, 3, 4).expand(1, 144, 4).contiguous()
        grid = PatchGrid((1, 12, 12), (12, 12))
        return PatchLayer(grid, a, Splines(knots, knots.clone(), torch.ones(1, 144, 4), True))

    ours, other = layer(0), layer(1)
    made = [ours.map(torch.float64).layer.directions for _ in range(2)]
    assert made[0] is made[1]
    assert made[0] is ours.with_scaled_tails().map(torch.float64).layer.directions
    away = made[0].mT @ made[0] - torch.eye(144)
    assert away.abs().max() < 1e-12
    assert list(ours.state_dict()) == ["directions", "x", "y", "slope"]  # as saved
    ours.load_state_dict(other.state_dict())
    loaded = ours.map(torch.float64).layer.directions
    assert torch.equal(loaded, other.map(torch.float64).layer.directions)


def test_a_layer_is_made_ready_once_for_all_images(monkeypatch):
    """It was made ready for every 64 images, which cost more than to carry them."""
    shape, made = (1, 8, 8), []
    layers = [layer_of(shape, (4, 4), (i, 0))[0] for i in range(3)]
    ready = PatchLayer.map
    monkeypatch.setattr(PatchLayer, "map", lambda *of: made.append(of[0]) or ready(*of))
    flow, latents = PatchFlow(shape, layers), torch.randn(9000, *shape)
    images = flow.decode([latents])
    assert len(made) == 3
    again = torch.cat([flow.decode([part]) for part in latents.split(64)])
    torch.testing.assert_close(images, again, rtol=1e-5, atol=1e-5)
    whole = flow.log_prob(images[:5000])
    parts = torch.cat([flow.log_prob(part) for part in images[:5000].split(64)])
    torch.testing.assert_close(whole, parts)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("classes", [None, 2])
def test_slices_that_do_not_move_are_left_out_and_change_nothing(share, classes, monkeypatch):
    layer, _ = layer_of((1, 6, 6), (2, 3), classes=classes)
    generator = torch.Generator().manual_seed(3)
    still = torch.rand(layer.x.shape[:-1], generator=generator) >= share
    layer.y[still], layer.slope[still] = layer.x[still], 1.0
    label = None if classes is None else 1
    x, _ = samples((1, 6, 6), 50, seed=4)
    ready = layer.map(torch.float32, label)
    monkeypatch.setattr(patches, "_MOST_MOVING", -1)
    whole = layer.map(torch.float32, label)
    assert whole.layer.moving is None
    moving = ready.layer.moving
    assert moving is not None
    assert len(moving) == max(1, int((~still[label or ...]).sum()))
    for ours, all_of_them in zip(ready.forward(x), whole.forward(x), strict=True):
        assert torch.allclose(ours, all_of_them, atol=1e-5)
    for ours, all_of_them in zip(ready.inverse(x), whole.inverse(x), strict=True):
        assert torch.allclose(ours, all_of_them, atol=1e-5)
    assert torch.allclose(ready.solve(x), whole.solve(x), atol=1e-5)
    if share == 0:
        assert torch.allclose(ready.solve(x), x, atol=1e-5)
