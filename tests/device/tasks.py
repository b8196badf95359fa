"""Refinements and evaluations of tiny models on a device, with searches that look at little."""

from unittest import mock

import families

import pushforward
from pushforward.metrics.features.classifier import ClassifierFeatures
from pushforward.refinement import cost_estimate, density_ratio, ratio_network
from pushforward.refinement.dgflow_search import Search
from pushforward.refinement.methods import dgflow


def _search(n):
    return Search(64, (0.03,), (0.5,), (5,))


def _short_searches():
    """What keeps a refinement to a second or two."""
    settings = [(ratio_network, "_WIDTH", 4), (density_ratio, "_POOLED", 200)]
    settings += [(density_ratio, name, 20) for name in ("_STEPS", "_STEPS_THAT_WEIGH")]
    settings += [(module, "search_of", _search) for module in (dgflow, cost_estimate)]
    return [mock.patch.object(*setting) for setting in settings]


def _refined(model, X, **options):
    patches = _short_searches()
    for patch in patches:
        patch.start()
    try:
        refined = pushforward.refine(model, X, minutes=0.02, seed=0, **options)
    finally:
        for patch in patches:
            patch.stop()
    refined.sample(4, random_state=0)
    return refined


def _gan(device, n=240):
    X, y = families.images(16, n=n)
    run = {"width": 2, "latent": 3, "batch_size": 8, "steps": 2, "random_state": 0}
    return pushforward.DCGAN(device=device, **run).fit(X), X, y


def refine_images(device, folder):
    """A GAN is refined by its own critic and by networks, saved, and loaded on the processor."""
    model, X, _ = _gan(device)
    refined = _refined(model, X)
    pushforward.load(refined.save(folder / "refined"), device="cpu").sample(4, random_state=0)


def refine_labelled_images(device, folder):
    """The same with labels, by which a classifier of features is trained."""
    model, X, y = _gan(device)
    _refined(model, X, labels=y)


def refine_flow(device, folder):
    X, _ = families.images(8, n=240)
    model = pushforward.Glow(
        depth=1, width=4, steps=2, batch_size=8, random_state=0, device=device
    ).fit(X)
    _refined(model, X)


def refine_table(device, folder):
    """A GAN of a table with categories: networks, and trees for the categories."""
    X = families.mixed(400)
    run = {"width": 4, "latent": 3, "batch_size": 16, "steps": 3, "random_state": 0}
    model = pushforward.TableGAN(device=device, **run).fit(X)
    _refined(model, X)


def refine_numbers(device, folder):
    """A GAN of plain numbers, whose rows are moved as well."""
    X = families.numbers(400)
    run = {"width": 4, "latent": 3, "batch_size": 16, "steps": 3, "random_state": 0}
    _refined(pushforward.TableGAN(device=device, **run).fit(X), X)


def refine_by_another_critic(device, folder):
    """A density of the processor by the critic of a GAN that is on the device."""
    X = families.mixed(400)
    run = {"width": 4, "latent": 3, "batch_size": 16, "steps": 3, "random_state": 0}
    critic_of = pushforward.TableGAN(device=device, **run).fit(X)
    model = pushforward.GIS(max_layers=1, search_steps=3, random_state=0).fit(X)
    for ratio in ("corrected", "residual"):
        _refined(model, X, ratio=ratio, critic_of=critic_of, method="rejection")


def evaluate_images(device, folder):
    """Every measure of images, the independent critic and the features of a classifier too."""
    model, X, y = _gan(device, n=240)
    features = ClassifierFeatures(X, y, epochs=1, cache=False, device=device)
    pushforward.evaluate(model, X[:80], train=X[80:], features=features)


def evaluate_table(device, folder):
    X = families.mixed(240)
    run = {"width": 4, "latent": 3, "batch_size": 16, "steps": 2, "random_state": 0}
    model = pushforward.TableGAN(device=device, **run).fit(X[:160])
    pushforward.evaluate(model, X[160:], train=X[:160])


#: By name, what is done on a device, with a folder for files.
TASKS = {
    task.__name__.replace("_", " "): task
    for task in (
        refine_images,
        refine_labelled_images,
        refine_flow,
        refine_table,
        refine_numbers,
        refine_by_another_critic,
        evaluate_images,
        evaluate_table,
    )
}
