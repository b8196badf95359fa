"""What `benchmarks.gpu_run` measures, a stage a process.

    python -m benchmarks.gpu_stages STAGE --seconds 300

What is found is written as it is found. A stage that is interrupted is "unfinished" and takes up
its run when it is started again.
"""

import argparse
import importlib
import json
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, ROOT, provenance, scrub, shared, write_text

DEVICE_TESTS = ROOT / "tests" / "device"
if pretend := os.environ.get("PRETEND_CUDA"):  # a dry run on the pretend device of the tests
    sys.path.insert(0, pretend)
    importlib.import_module("pretend_cuda").install()

import numpy as np  # noqa: E402
import torch  # noqa: E402

import pushforward  # noqa: E402
from benchmarks.gpu_data import artefact, images_of  # noqa: E402
from benchmarks.gpu_times import times  # noqa: E402
from pushforward.metrics import fid  # noqa: E402
from pushforward.metrics.features import extract, find_features  # noqa: E402
from pushforward.refinement import PUBLISHED, dgflow  # noqa: E402

SEED = 0


class Context:
    """Where a stage computes, how long, and where it keeps what it finds."""

    def __init__(self, name: str, given: argparse.Namespace) -> None:
        self.name, self.device, self.tiny = name, given.device, given.tiny
        self.end = time.monotonic() + given.seconds
        self.results: Path = given.results
        self.runs = given.results / "runs"
        self.runs.mkdir(parents=True, exist_ok=True)
        self.began, self.path = time.monotonic(), given.results / f"{name}.json"
        before = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.spent, self.found = before.get("seconds", 0.0), before.get("found", {})

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.end - time.monotonic()

    def keep(self, status: str = "unfinished", **found: Any) -> None:
        """Write what was found so far."""
        self.found |= found
        record = {
            "stage": self.name,
            "status": status,
            "seed": SEED,
            "seconds": round(self.spent + time.monotonic() - self.began, 1),
            "run": provenance("benchmarks.gpu_stages"),
            "found": self.found,
        }
        write_text(self.path, json.dumps(record, indent=1, default=float) + "\n")

    def say(self, text: str) -> None:
        """Print a line with the time."""
        print(f"[{time.monotonic() - self.began:5.0f} s] {self.name}: {text}", flush=True)


def check(context: Context, group: str) -> None:
    """Tiny models of a group of families against the processor, by the tests of the device."""
    torch.backends.cudnn.allow_tf32 = False  # losses are compared, which it would round
    sys.path.insert(0, str(DEVICE_TESTS))
    exercise, families = (importlib.import_module(name) for name in ("exercise", "families"))
    tasks = importlib.import_module("tasks").TASKS
    names = [*tasks] if group == "tasks" else families.GROUPS[group]
    if context.tiny:
        names = names[:1]
    for name in names:
        record = exercise.exercised(name, context.runs, device=context.device)
        failed = {action: scrub(text)[-600:] for action, text in record.failed.items()}
        context.keep(**{name: {"failed": failed, "measured": record.measured}})
        context.say(f"{name}: {'FAILED ' + ', '.join(failed) if failed else record.measured}")


def exactness(context: Context) -> None:
    """A deep Glow that the device trained: scores, latents and images beside the processor's."""
    X, _ = images_of("cifar10", "train", context.tiny)
    size = {"depth": 1, "width": 4, "steps": 2} if context.tiny else {"depth": 16, "steps": 60}
    model = pushforward.Glow(device=context.device, batch_size=16, random_state=SEED, **size)
    model.fit(X[:2000])
    other = pushforward.load(model.save(context.runs / "exact"), device="cpu")
    few = X[:32]
    here, there = model.encode(few), other.encode(few)
    scale = np.log(2) * few[0].size
    context.keep(
        diagnose=model.diagnose(few, n_samples=32),
        latents_differ=np.abs(here - there).max(),
        bits_differ=np.abs(model.score_samples(few) - other.score_samples(few)).max() / scale,
        pixels_differ=int((model.decode(here) != few).sum()),
        samples_differ=int((model.sample(16, 0) != other.sample(16, 0)).sum()),
    )


def distance(context: Context, real: np.ndarray, made: np.ndarray) -> float:
    """Fréchet distance of as many images each, by the features of the CIFAR ResNet-20."""
    net = find_features("pixels")
    if not context.tiny:
        weights = shared("data", "cifar_resnet")
        net = find_features("cifar_resnet20", weights=weights, device=context.device)
    parts = (extract(net, x.transpose(0, 3, 1, 2).copy()) for x in (real[: len(made)], made))
    return fid(*parts, interval=False).value


def _gan(context: Context, model: Any) -> None:
    """Train a GAN of CIFAR-10, or go on; then its samples, and DGflow as published."""
    X, _ = images_of("cifar10", "train", context.tiny)
    model.fit(X, folder=context.runs / context.name, report=lambda text, share: None)
    n = 32 if context.tiny else 5000
    made = model.sample(n, random_state=1)
    context.keep(history=model.history_[-5:], best=model.best_, stopped=model.stopped_)
    artefact(context, "samples", made)
    model.save(context.runs / f"{context.name}_model")
    context.keep(distance=distance(context, X, made))
    context.say(f"{model.stopped_}, distance {context.found['distance']:.2f}")
    can = model.capabilities()
    if can.critic is None or can.latent_space is None:
        return
    latents, critic = can.latent_space, can.critic
    z = latents.prior.sample(n, torch.Generator().manual_seed(1))
    began = time.monotonic()
    moved = dgflow(
        z,
        lambda u: critic(latents.decode(u)),
        **PUBLISHED["cifar10"],
        generator=torch.Generator().manual_seed(2),
    )
    refined = model.decode(moved.cpu())
    context.keep(dgflow_seconds=time.monotonic() - began)
    artefact(context, "dgflow", refined)
    context.keep(dgflow_distance=distance(context, X, refined))
    context.say(f"DGflow: {context.found['dgflow_distance']:.2f}")
    if context.left > (10 if context.tiny else 120):
        T, _ = images_of("cifar10", "test", context.tiny)
        minutes = 0.02 if context.tiny else 1.0
        refined = pushforward.refine(model, T, minutes=minutes, seed=SEED)
        context.keep(refined=str(refined.report_)[:1500])


def _sized(context: Context, steps: int, **settings: Any) -> dict[str, Any]:
    """Settings of a run, in a dry run those of a tiny one."""
    more = {"steps": steps, "device": context.device, "random_state": SEED, **settings}
    tiny = {"steps": 2, "width": 2, "batch_size": 8, "latent": 4}
    return {**more, **tiny} if context.tiny else more


def sn_dcgan(context: Context) -> None:
    """SN-DCGAN of CIFAR-10 (Miyato et al. 2018), one step of the critic a step."""
    settings = {"architecture": "sn-dcgan", "norm": "spectral", "loss": "hinge", "flip": True}
    settings |= {"learning_rate": 2e-4, "latent": 128, "ema": 0.999, "batch_size": 64}
    _gan(context, pushforward.DCGAN(**_sized(context, 60_000, **settings)))


def wgan_gp(context: Context) -> None:
    """WGAN-GP of CIFAR-10 (Gulrajani et al. 2017), 40,000 of 200,000 steps."""
    _gan(context, pushforward.WGANGP(preset="paper", **_sized(context, 40_000)))


def alpha_gan(context: Context) -> None:
    """alpha-GAN of CIFAR-10 (Rosca et al. 2017)."""
    _gan(context, pushforward.AlphaGAN(preset="paper", **_sized(context, 30_000)))


def glow(context: Context) -> None:
    """Glow of CIFAR-10 at its published size: the curve of bits over the first passes."""
    X, _ = images_of("cifar10", "train", context.tiny)
    T, _ = images_of("cifar10", "test", context.tiny)
    size = {"steps": 2000, "warm_up": 500, "ema": 0.999}
    if context.tiny:
        size = {"steps": 2, "warm_up": 1, "width": 4, "depth": 1, "batch_size": 8}
    model = pushforward.Glow(
        preset="paper", gate_floor=0.0, device=context.device, random_state=SEED, **size
    )
    model.fit(X, folder=context.runs / "glow", report=lambda text, share: None)
    context.keep(history=model.history_, best=model.best_, settings=model.settings_)
    few = T[: 16 if context.tiny else 2000]
    context.keep(
        bits_test=model.bits_per_dim(few), diagnose=model.diagnose(few[:64], n_samples=64)
    )
    artefact(context, "samples", model.sample(16 if context.tiny else 256, random_state=0))
    context.say(f"{context.found['bits_test']:.4f} bits per dimension")


def _sig(context: Context, name: str) -> None:
    """SIG of grey images, the full schedule; layers are kept, and a later call goes on."""
    X, _ = images_of(name, "train", context.tiny)
    settings = {"preset": "paper", "samples": 3, "search_rows": 16_384, "search_steps": 60}
    if context.tiny:
        settings = {"layers": 1, "knots": 16, "samples": 1, "search_steps": 3}
    model = pushforward.SIG(device=context.device, random_state=SEED, **settings)
    said = [0.0]

    def report(text: str, share: float) -> None:
        if time.monotonic() - said[0] > 15:
            said[0] = time.monotonic()
            context.say(f"{share:.0%} {text}")

    model.fit(X, folder=context.runs / context.name, report=report)
    context.keep(history=model.history_, layers=len(model.networks_["flow"].layers))
    began = time.monotonic()
    made = model.sample(32 if context.tiny else 10_000, random_state=0)
    context.keep(sampling_seconds=time.monotonic() - began, samples=len(made))
    artefact(context, "samples", made)
    began = time.monotonic()
    scores = model.score_samples(X[: 16 if context.tiny else 1000])
    context.keep(scoring_seconds=time.monotonic() - began, mean_score=float(scores.mean()))
    model.save(context.runs / f"{context.name}_model")


def sig_mnist(context: Context) -> None:
    """SIG of MNIST (Dai & Seljak 2021)."""
    _sig(context, "mnist")


def sig_fashion(context: Context) -> None:
    """SIG of Fashion-MNIST."""
    _sig(context, "fashion_mnist")


STAGES = {
    work.__name__: work
    for work in (exactness, times, sn_dcgan, wgan_gp, alpha_gan, glow, sig_mnist, sig_fashion)
}


def run(name: str, given: argparse.Namespace) -> str:
    """Run a stage; returns whether it is "done", "unfinished" or has "failed"."""
    context = Context(name, given)
    context.keep()
    try:
        if name.startswith("check_"):
            check(context, name.removeprefix("check_"))
        else:
            STAGES[name](context)
        context.keep("done")
        return "done"
    except KeyboardInterrupt:
        context.keep()
        return "unfinished"
    except Exception:
        context.keep("failed", failure=scrub(traceback.format_exc())[-2000:])
        context.say(traceback.format_exc())
        return "failed"


def main() -> None:
    """Run stages one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="+")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS / "gpu")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for name in given.stages:
        print(f"{name}: {run(name, given)}", flush=True)


if __name__ == "__main__":
    main()
