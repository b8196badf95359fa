"""Whatever trains has gradients, in whatever mode of torch it is called."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import pushforward
from pushforward.metrics import independent_critic
from pushforward.metrics.features import ClassifierFeatures
from pushforward.models.gans import PPGN, ppgn
from pushforward.refinement import fit_ratio, refine

MODES = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode}
SMALL = {"steps": 2, "batch_size": 8, "random_state": 0, "device": "cpu"}


@pytest.fixture(params=MODES.values(), ids=MODES)
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def digits():
    known = load_digits()
    return (known.images[:300] * 15).astype(np.uint8), known.target[:300]


ROWS = np.random.default_rng(0).normal(size=(60, 2))
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
FITS = {
    "AlphaGAN": lambda: pushforward.AlphaGAN(width=4, **SMALL).fit(IMAGES),
    "CharacterGAN": lambda: pushforward.CharacterGAN(width=4, **SMALL).fit(["ab", "ba"] * 30),
    "DCGAN": lambda: pushforward.DCGAN(width=4, **SMALL).fit(IMAGES),
    "GIS": lambda: pushforward.GIS(max_layers=2, random_state=0).fit(ROWS),
    "Glow": lambda: pushforward.Glow(levels=1, depth=1, width=4, **SMALL).fit(IMAGES),
    "SIG": lambda: pushforward.SIG(layers=1, device="cpu", random_state=0).fit(IMAGES),
    "TableFlow": lambda: pushforward.TableFlow(steps=2, random_state=0).fit(ROWS),
    "TableGAN": lambda: pushforward.TableGAN(**SMALL).fit(ROWS),
    "VAE": lambda: pushforward.VAE(width=4, **SMALL).fit(IMAGES),
}


@pytest.mark.filterwarnings("ignore:What the model writes is no text:UserWarning")
@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_every_fit_is_the_same_without_gradients_around_it(fit, mode):
    with mode():
        model = fit()
    same = [m.sample(5, random_state=0) for m in (model, fit())]
    assert np.array_equal(*map(np.asarray, same))
    if hasattr(model, "networks_"):  # and can be trained on, which tensors of that mode cannot
        assert not any(p.is_inference() for n in model.networks_.values() for p in n.parameters())


def test_measures_that_train_do(digits, mode):
    x = torch.from_numpy(ROWS).float()
    with mode():
        features = ClassifierFeatures(*digits, epochs=2, cache=False)
        critic = independent_critic(ROWS, ROWS + 1, ROWS, steps=4)
        ratio = fit_ratio(x, x + 1, steps=4)
    assert features.accuracy > 0.2
    assert critic.value == independent_critic(ROWS, ROWS + 1, ROWS, steps=4).value
    assert bool(ratio(x).isfinite().all())


def test_codes_are_moved_in_any_mode(mode, monkeypatch):
    monkeypatch.setitem(ppgn._DENOISER, "steps", 10)
    with mode():
        model = pushforward.AlphaGAN(width=4, latent=4, **SMALL).fit(IMAGES)
        sampler = PPGN(model, lambda x: x.flatten(1)[:, :3], steps=2).fit(IMAGES, random_state=0)
        made = sampler.sample(2, random_state=0, y=1)
    assert made.shape == (2, 8, 8)


def test_a_first_refinement_learns_the_classifier_it_judges_by(digits):
    X, y = digits
    model = pushforward.DCGAN(width=4, **SMALL).fit(X)
    refined = refine(model, X, y=y, method="resampling")
    assert refined.report_.before.details["classifier"] == "logistic"
