"""Milliseconds of a step on a GPU: of the library, and of loops by hand on the same card."""

import copy
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

import pushforward
from benchmarks.adversarial_speed import by_hand_step
from benchmarks.gpu_data import images_of
from pushforward.estimators.phased_images import PixelSource
from pushforward.training import Loop, cuda_graphs

TINY = {"width": 2, "batch_size": 8}
LIKE_OTHERS = ("sn_dcgan", "glow_paper_float32", "realnvp")  # which a dry run leaves out


def models(device: str, tiny: bool) -> Mapping[str, Callable[[], Any]]:
    few: dict[str, Any] = {"steps": 1, "validation_fraction": 0, "device": device}
    few |= {"random_state": 0, **(TINY if tiny else {})}
    paper = {"preset": "paper", "warm_up": 1, **few, **({"depth": 1} if tiny else {})}
    spectral = {"architecture": "sn-dcgan", "norm": "spectral", "loss": "hinge"}
    return {
        "dcgan": lambda: pushforward.DCGAN(preset="paper", ema=0, **few),
        "wgan_gp": lambda: pushforward.WGANGP(preset="paper", ema=0, **few),
        "sn_dcgan": lambda: pushforward.DCGAN(**spectral, ema=0, **few),
        "alpha_gan": lambda: pushforward.AlphaGAN(preset="paper", **few),
        "vae": lambda: pushforward.VAE(**few),
        "glow_paper": lambda: pushforward.Glow(**paper),
        "glow_paper_float32": lambda: pushforward.Glow(precision="float32", **paper),
        "glow_fast": lambda: pushforward.Glow(**few),
        "realnvp": lambda: pushforward.RealNVP(**few),
    }


def milliseconds(step: Callable[[], object], seconds: float) -> float:
    """The median of blocks of a step, after a warm-up: the device is waited for between blocks."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else (lambda: None)
    for _ in range(3):
        step()
    wait()
    blocks, end = [], time.monotonic() + seconds
    while len(blocks) < 3 or time.monotonic() < end:
        began = time.perf_counter()
        for _ in range(5):
            step()
        wait()
        blocks.append(1000 * (time.perf_counter() - began) / 5)
    return statistics.median(blocks)


def copied(network: torch.nn.Module, device: str) -> torch.nn.Module:
    """A copy of a network, both on a device."""
    made = copy.deepcopy(network.cpu()).to(device)
    network.to(device)
    return made


def ours(model: Any, images: np.ndarray) -> Callable[[], object]:
    """A step of the library's loop."""
    source = PixelSource(images, np.arange(len(images)), None, model.pixels_)
    s = model.settings_
    loop = Loop(
        model.networks_, model._phases(), source, batch_size=s["batch_size"], seed=0, ema=s["ema"]
    )
    for network in model.networks_.values():
        network.train()
    return lambda: loop._take_step(0.5)


def by_graphs(step: Callable[[], object], seconds: float) -> dict[str, Any]:
    """Milliseconds of a step that captures CUDA graphs, and which phases have none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(6):  # of which the fourth captures
            step()
        found: dict[str, Any] = {"graphs_ms": milliseconds(step, seconds)}
    called = [str(w.message) for w in caught if "call by call" in str(w.message)]
    return found | ({"not_captured": called} if called else {})


def times(context: Any) -> None:
    """Steps of every model, of loops by hand for two GANs, and a layer of each stage of SIG."""
    X, _ = images_of("cifar10", "train", context.tiny)
    images = np.ascontiguousarray(X[:5000].transpose(0, 3, 1, 2))
    each = 0.05 if context.tiny else 1.5
    for name, make in models(context.device, context.tiny).items():
        if name in context.found or context.left < 10 or (context.tiny and name in LIKE_OTHERS):
            continue
        model = make().fit(X[:5000])
        by_hand = {k: copied(net, context.device) for k, net in model.networks_.items()}
        step = ours(model, images)
        with cuda_graphs():
            captured = ours(model, images)
        row = {"ours_ms": milliseconds(step, each)} | by_graphs(captured, each)
        if name in ("dcgan", "wgan_gp"):
            x = (torch.from_numpy(images).float() / 127.5 - 1).to(context.device)
            step = by_hand_step(name, by_hand, x, model.settings_)
            row["by_hand_ms"] = milliseconds(step, each)
        if context.device != "cpu" and torch.cuda.is_available():
            row["gigabytes"] = torch.cuda.max_memory_allocated() / 1e9
            torch.cuda.reset_peak_memory_stats()
        context.keep(**{name: row})
        context.say(f"{name}: {row}")
    if "sig_layers" not in context.found:
        _layers(context)


def _layers(context: Any) -> None:
    """Seconds of a layer of each stage of SIG, on MNIST."""
    M, _ = images_of("mnist", "train", context.tiny)
    settings: dict[str, Any] = {"search_rows": 16_384, "samples": 2, "search_steps": 60}
    if context.tiny:
        settings = {"knots": 16, "samples": 1, "search_steps": 3}
    began = time.monotonic()
    model = pushforward.SIG(
        preset="paper", layers=1, device=context.device, random_state=0, **settings
    ).fit(M)
    layers = len(model.networks_["flow"].layers)
    context.keep(sig_layers={"seconds": time.monotonic() - began, "layers": layers})
