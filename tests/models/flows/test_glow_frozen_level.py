"""Frozen levels of Glow: the same maps in any block, by any thread, in memory used again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pushforward.models.flows import glow_frozen_level
from pushforward.models.flows.glow_network import GlowNetwork


def network(coupling="affine", gate_floor=0.3):
    """A float32 network whose every parameter is random, which a new one's are not."""
    built = GlowNetwork(
        (3, 12, 8), levels=2, steps=4, width=20, coupling=coupling, gate_floor=gate_floor
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    built.initialise(images(32))
    return built


def images(n, seed=0):
    return torch.rand(n, 3, 12, 8, generator=torch.Generator().manual_seed(seed)) - 0.5


def latents(built, n, seed=0):
    return built.sample_latent(n, 1.0, torch.Generator().manual_seed(seed))


def close(one, other):
    assert (one - other).abs().max() < 1e-5 * other.abs().max()


@pytest.mark.parametrize("coupling", ["affine", "additive"])
def test_frozen_equals_unfrozen_in_blocks_of_any_size(coupling, monkeypatch):
    built = network(coupling)
    eps, x = latents(built, 7), images(7, seed=3)
    frozen = built.freeze()
    for images_at_a_time in (1, 3, 7, 100):  # 24 pixels of 20 channels in the first level
        values = 20 * 24 * images_at_a_time // torch.get_num_threads()
        monkeypatch.setattr(glow_frozen_level, "_BLOCK", values)
        close(frozen.decode(eps), built.decode(eps))
        for ours, theirs in zip(frozen.encode(x), built.encode(x), strict=True):
            close(ours, theirs)


def test_results_are_not_written_over_and_have_no_gradient():
    built = network()
    frozen = built.freeze()
    first = frozen.decode(latents(built, 2))
    kept = first.clone()
    frozen.decode(latents(built, 2, seed=1))
    assert torch.equal(first, kept)
    eps = [part.requires_grad_() for part in latents(built, 2)]
    assert torch.equal(frozen.decode(eps), first)
    assert not frozen.decode(eps).requires_grad


def test_threads_do_not_share_memory():
    built = network()
    frozen = built.freeze()
    alone = [frozen.decode(latents(built, 4, seed)) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda seed: frozen.decode(latents(built, 4, seed % 8)), range(64))
        assert all(torch.equal(x, alone[k % 8]) for k, x in enumerate(together))


def test_an_overflowing_image_leaves_no_trace_in_the_next():
    built = network(gate_floor=0.0)
    frozen = built.freeze()
    eps = latents(built, 2)
    before = frozen.decode(eps)
    assert not torch.isfinite(frozen.decode([part * 1e30 for part in eps])).all()
    assert torch.equal(frozen.decode(eps), before)
