"""Refinement of models of images: the Fréchet distance before and after, never worse.

python -m benchmarks.refinement_images digits --seeds 0 1 2
python -m benchmarks.refinement_images folders MODEL... --data fashion_mnist --features classifier
python -m benchmarks.refinement_images ratios MODEL --critic-of GAN --data fashion_mnist
python -m benchmarks.refinement_images cifar wgan_gp sn_dcgan sn_resnet_gan --features inception
python -m benchmarks.refinement_images cost
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

from .common import RESULTS, provenance, run_job, save_row, shared

SAMPLES = 5000
DRAWS = 10  # of samples of the digits, as many as rows: one differs from the next by a tenth
MANY = 10_000  # samples, to which chance adds little distance


def _frechet(extractor, real, samples):
    from pushforward.metrics import fid
    from pushforward.metrics.features import extract

    return fid(extract(extractor, real), extract(extractor, samples)).value


def _judged(extractor, real, base, refined, n):
    """Distances, cost and what the report says, of a base and its refinement.

    Of the same latents, where none are thrown away: two draws of one model differ by .5.
    """
    told = refined.report_
    if told.draws == 1:
        before, after = refined.before_after(n, random_state=1)
    else:
        before, after = (model.sample(n, random_state=1) for model in (base, refined))
    return {
        "frechet_before": round(_frechet(extractor, real, before), 3),
        "frechet_after": round(_frechet(extractor, real, after), 3),
        "auc_before": round(told.before.value, 4),
        "auc_after": round(told.after.value, 4),
        "stages": [f"{s.name}{'' if s.kept else ' (left out)'}" for s in told.stages],
        "draws": round(told.draws, 2),
        "evaluations": round(told.evaluations, 1),
        "seconds": round(told.seconds, 1),
    }


class DigitsVAE:
    """Decoder of a small VAE of the 8 x 8 digits: 16 latents, rows of 64 numbers in (0, 1)."""

    latent = 16

    def __init__(self, rows, seed, steps=3000):
        import torch
        from torch import nn

        from pushforward.training import Loop, Optimiser, Phase, TensorSource

        with torch.random.fork_rng([]):
            torch.manual_seed(seed)
            self.encoder = nn.Sequential(
                nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 2 * self.latent)
            )
            self.decoder = nn.Sequential(
                nn.Linear(self.latent, 128), nn.SiLU(), nn.Linear(128, 64), nn.Sigmoid()
            )

        def loss(batch):
            mean, log_variance = self.encoder(batch.x).chunk(2, dim=1)
            z = mean + (0.5 * log_variance).exp() * batch.normal(self.latent)
            apart = (self.decoder(z) - batch.x).square().sum(1) / (2 * 0.1**2)
            divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
            return {"distortion": apart.mean(), "divergence": divergence.mean()}

        networks = {"encoder": self.encoder, "decoder": self.decoder}
        phase = Phase("vae", tuple(networks), loss, Optimiser("adam", 1e-3))
        Loop(networks, [phase], TensorSource(rows), batch_size=128, seed=seed).run(steps=steps)


def digits(seed):
    """The digits VAE, by features of the library's classifier of the training rows."""
    import numpy as np
    import torch
    from sklearn.datasets import load_digits

    from pushforward import refine
    from pushforward.metrics import fid
    from pushforward.metrics.features import find_features

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(X))
    X, y = (X[order] / 16).astype(np.float32), y[order]
    train, test = torch.from_numpy(X[:1400]), X[1400:]

    def images(x):
        levels = (np.asarray(x) * 255).round().clip(0, 255).astype(np.uint8)
        return levels.reshape(-1, 1, 8, 8)

    extractor = find_features(
        "classifier", train=images(train), y=y[:1400], random_state=seed, cache=False
    )

    seen = extractor(images(test))

    def distance(x):
        return round(fid(seen, extractor(images(x))).value, 3)

    def distances(draw):
        """Mean and standard deviation over draws of as many samples as there are rows."""
        values = [distance(draw(1000 + seed + k)) for k in range(DRAWS)]
        return round(statistics.mean(values), 3), round(statistics.stdev(values), 3)

    began = time.process_time()
    vae = DigitsVAE(train, seed)
    base = time.process_time() - began
    began = time.process_time()
    model = refine(vae.decoder, train, prior=DigitsVAE.latent, space="latent", random_state=seed)
    spent = time.process_time() - began

    few = len(train)

    def generated(number, n=few):
        draw = torch.Generator().manual_seed(number)
        with torch.no_grad():
            return vae.decoder(torch.randn(n, DigitsVAE.latent, generator=draw))

    def refined(number, n=few):
        return model.sample(n, random_state=number)

    before, _ = distances(generated)
    after, spread = distances(refined)
    paper = refine(
        vae.decoder,
        train,
        prior=DigitsVAE.latent,
        space="latent",
        random_state=seed,
        preset="paper",
    )
    return {
        "floor": distance(train),
        "frechet_before": before,
        "frechet_after": after,
        "spread_after": spread,
        "frechet_of_many": [distance(draw(seed, MANY)) for draw in (generated, refined)],
        "paper_helped": paper.report_.helped,
        "auc": [round(m.value, 4) for m in (model.report_.before, model.report_.after)],
        "stages": [f"{s.name}{'' if s.kept else ' (left out)'}" for s in model.report_.stages],
        "cpu_seconds": [round(base, 1), round(spent, 1)],
    }


def folder(name, data, features, minutes, seed):
    """A trained model in a folder; half of the test images refine it, the others judge."""
    import pushforward
    from pushforward.data import ArrayImages
    from pushforward.metrics.features import find_features

    model = pushforward.load(name)
    train, test = (pushforward.open_images(data, split) for split in ("train", "test"))
    extractor = find_features(features, train=train.images, y=train.labels)
    refined = pushforward.refine(
        model, train, random_state=seed, minutes=minutes, features=extractor, report=_say
    )
    real = ArrayImages(test.images[: min(len(test), 2 * SAMPLES)], "nchw")
    return _judged(extractor, real, model, refined, SAMPLES)


def cifar(name, features, train_minutes, minutes, seed):
    """A model trained on 30,000 images of CIFAR-10 for so many minutes, on a GPU if there is one.

    The 10,000 test images judge it.
    """
    import torch

    import pushforward
    from pushforward.metrics.features import find_features

    from .adversarial_fashion import MODELS
    from .shared_images import load

    train, test = (load("cifar10", split) for split in ("train", "test"))
    folder = {"inception": "inception_fid"}.get(features, "cifar_resnet")
    extractor = find_features(features, weights=shared("data", folder))
    cls, parameters = MODELS[name]
    model = getattr(pushforward, cls)(**parameters, minutes=train_minutes, random_state=seed)
    model.fit(train)
    refined = pushforward.refine(
        model, train, random_state=seed, minutes=minutes, features=extractor, report=_say
    )
    return {
        "features": features,
        "train_minutes": train_minutes,
        "steps": model.history_[-1]["step"],
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        **_judged(extractor, test.images, model, refined, SAMPLES),
    }


def ratios(name, critic_of, data, features, minutes, seed):
    """The three ways to a logit where the model has no critic of its own."""
    import pushforward
    from pushforward.metrics.features import find_features

    model, other = pushforward.load(name), pushforward.load(critic_of)
    train, test = (pushforward.open_images(data, split) for split in ("train", "test"))
    extractor = find_features(features, train=train.images, y=train.labels)
    table = {}
    for ratio in ("direct", "corrected", "residual"):
        refined = pushforward.refine(
            model, train, random_state=seed, minutes=minutes, features=extractor, ratio=ratio,
            critic_of=None if ratio == "direct" else other, report=_say,
        )  # fmt: skip
        table[ratio] = _judged(extractor, test.images, model, refined, SAMPLES)
    return {"ratios": table}


def cost(seed):
    """A DGflow step over a forward and backward pass of generator and critic: medians."""
    import torch

    from pushforward.networks import find_architecture
    from pushforward.refinement import dgflow

    nets = find_architecture("conv", (3, 32, 32), 32)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        generator, critic = nets.generator(64).eval(), nets.critic("spectral").eval()
    generator.requires_grad_(False)
    critic.requires_grad_(False)
    z = torch.randn(64, 64, generator=torch.Generator().manual_seed(seed))

    def score(z):
        return critic(generator(z))

    def plain():
        point = z.clone().requires_grad_()
        score(point).sum().backward()

    def step():
        with torch.no_grad():
            dgflow(z, score, step=0.1, steps=1, noise=0.01)

    times = {"step": [], "pass": []}
    for round_ in range(32):
        for name, run in (("step", step), ("pass", plain)):
            began = time.perf_counter()
            run()
            if round_ >= 2:
                times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return {
        "step_ms": round(1e3 * medians["step"], 2),
        "pass_ms": round(1e3 * medians["pass"], 2),
        "ratio": round(medians["step"] / medians["pass"], 3),
    }


def _say(text, share):
    print(f"  [{100 * share:3.0f} %] {text}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("digits", "folders", "ratios", "cifar", "cost"))
    parser.add_argument("models", nargs="*", help="model folders; of cifar, names")
    parser.add_argument("--data", default="fashion_mnist")
    parser.add_argument("--features", default="classifier")
    parser.add_argument("--critic-of")
    parser.add_argument("--train-minutes", type=float, default=30.0)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    run = provenance("benchmarks.refinement_images")
    for seed in options.seeds:
        jobs = {"digits": (digits, [("digits", (seed,))]), "cost": (cost, [("cost", (seed,))])}
        more = (options.data, options.features, options.minutes, seed)
        jobs["folders"] = (folder, [(Path(m).name, (m, *more)) for m in options.models])
        jobs["ratios"] = (
            ratios,
            [(Path(m).name, (m, options.critic_of, *more)) for m in options.models],
        )
        of_cifar = (options.features, options.train_minutes, options.minutes, seed)
        jobs["cifar"] = (cifar, [(m, (m, *of_cifar)) for m in options.models])
        function, calls = jobs[options.what]
        for name, arguments in calls:
            row = {"what": options.what, "model": name, "seed": seed}
            row |= run_job(function, arguments, 7200)
            print(row, file=sys.stderr, flush=True)
            save_row(RESULTS / "refinement_images.json", ("what", "model", "seed"), row, run)


if __name__ == "__main__":
    main()
