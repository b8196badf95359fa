"""The parts of SIG that its benchmarks drive by hand."""

import torch

from pushforward.models.sliced.patch_growth import PictureGrowth
from pushforward.models.sliced.patch_layers import LayerSettings
from pushforward.models.sliced.sample_store import Points, Store, blocks_of
from pushforward.models.sliced.sig_settings import PRESETS
from pushforward.training.processes import Processes

DEVICE = torch.device("cpu")


def growth(data, samples, *, held_out=None, knots=None):
    """Samples (m, D) on their way to data (n, D), both float32, as preset "fast" moves them."""
    fast = PRESETS["fast"]
    making = LayerSettings(knots or fast["knots"], fast["search_rows"], fast["search_steps"])
    held = None if held_out is None else torch.from_numpy(held_out).T.contiguous()
    return PictureGrowth(_points(data), _points(samples), held, making, Processes())


def _points(x):
    columns = torch.from_numpy(x).T
    blocks = blocks_of([len(x)], x.shape[1], labelled=False)
    return Points(
        x.shape[1],
        blocks,
        lambda number, block: columns[:, block.start : block.stop].contiguous(),
        Store(DEVICE),
    )
