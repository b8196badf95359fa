"""The models: who moves by what, where they come to rest, what they can and cannot do."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import pushforward
from pushforward.errors import (
    DataError,
    ModelFileError,
    NotFittedError,
    ParameterError,
    UnsupportedError,
)
from pushforward.models.image_generator import MODELS_WITH
from pushforward.networks import Autoencoder
from pushforward.training import Stream, TensorSource
from pushforward.training.optimiser_step import OptimiserStep
from pushforward.training.processes import Processes

MODELS = {
    "dcgan": lambda **more: pushforward.DCGAN(**more),
    "sn-dcgan": lambda **more: pushforward.DCGAN(loss="hinge", norm="spectral", **more),
    "r3gan": lambda **more: pushforward.DCGAN(loss="relativistic", architecture="r3gan", **more),
    "wgan": lambda **more: pushforward.WGAN(**more),
    "wgan-gp": lambda **more: pushforward.WGANGP(**more),
    "mmd-gan": lambda **more: pushforward.MMDGAN(**more),
    "age": lambda **more: pushforward.AGE(code_weight=2.0, **more),
    "began": lambda **more: pushforward.BEGAN(**more),
    "ebgan": lambda **more: pushforward.EBGAN(**more),
    "dfm": lambda **more: pushforward.DFM(features=32, **more),
    "vae-gan": lambda **more: pushforward.VAEGAN(**more),
    "alpha-gan": lambda **more: pushforward.AlphaGAN(**more),
    "alpha-gan joint": lambda **more: pushforward.AlphaGAN(joint=True, **more),
    "vae": lambda **more: pushforward.VAE(**more),
}
SMALL = {"width": 2, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0}

every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)


@pytest.fixture(scope="module")
def fitted(images):
    return {name: make(**SMALL, steps=2).fit(images) for name, make in MODELS.items()}


def moves_of(model, x):
    """The phases of a fitted model as the loop moves them, and a batch for each move."""
    moves = OptimiserStep(model.networks_, model._phases(), Processes())
    return moves, Stream(TensorSource(x), batch_size=8, seed=1)


def flat(values):
    return torch.cat([v.flatten() for v in values])


@every_model
def test_each_phase_moves_its_own_networks_by_its_own_gradient(name, fitted):
    model = fitted[name]
    moves, stream = moves_of(model, torch.rand(16, 1, 16, 16) * 2 - 1)
    taken = []
    for index, phase in enumerate(moves.phases):
        for network in model.networks_.values():
            network.train().requires_grad_(True)
        own = [p for n in phase.networks for p in model.networks_[n].parameters()]
        buffers = [b.clone() for n in model.networks_.values() for b in n.buffers()]
        terms = phase.loss(stream.batch(0))
        expected = torch.autograd.grad(torch.stack([*terms.values()]).sum(), own)
        for old, net_buffer in zip(
            buffers, [b for n in model.networks_.values() for b in n.buffers()], strict=True
        ):
            net_buffer.data.copy_(old)  # spectral norm's vectors are a step further on

        found: dict = {}
        moves.optimisers[index].step = lambda own=own, found=found, model=model: found.update(
            own=[p.grad.clone() for p in own],
            others=[
                p.grad
                for n, network in model.networks_.items()
                for p in network.parameters()
                if not any(p is q for q in own)
            ],
        )
        moves.move(index, stream.batch(0), step=0, draw=0, share=0.0)
        torch.testing.assert_close(flat(found["own"]), flat(expected), rtol=1e-4, atol=1e-6)
        assert flat(found["own"]).abs().sum() > 0
        assert all(gradient is None for gradient in found["others"])
        taken += phase.networks
    assert sorted(taken) == sorted(model.networks_)
    for network in model.networks_.values():
        network.eval()


def test_the_encoder_follows_the_critic_only_when_joint(fitted):
    model = fitted["alpha-gan"]
    batch = Stream(TensorSource(torch.rand(8, 1, 16, 16)), 8, seed=0).batch(0)
    for network in model.networks_.values():
        network.requires_grad_(True)
    encoder = list(model.networks_["encoder"].parameters())
    critic = list(model.networks_["critic"].parameters())
    alone = sum(model._encoder_loss(batch).values())
    assert torch.autograd.grad(alone, critic, allow_unused=True) == (None,) * len(critic)
    (slope, *_) = torch.autograd.grad(model._joint_loss(batch)["back"], encoder)
    assert slope.abs().sum() > 0


def test_the_players_of_alpha_gan_lose_minus_the_logit(fitted):
    model, x = fitted["alpha-gan"], torch.rand(8, 1, 16, 16)
    stream = Stream(TensorSource(x), 8, seed=0)
    with torch.no_grad():
        batch = stream.batch(0)
        code = model.networks_["encoder"](batch.x)
        back = model.networks_["generator"](code)
        said = model._encoder_loss(batch)
        assert said["code"] == -model.networks_["code_critic"](code).mean()
        assert said["difference"] == 10 * (back - batch.x).abs().mean()
        batch, again = stream.batch(0), stream.batch(0)
        said = model._generator_loss(batch)
        sample = model.networks_["generator"](again.normal(3))
        critic = model.networks_["critic"]
        assert said["back"] == -critic(back).mean()
        assert said["sample"] == -critic(sample).mean()


def test_the_critics_of_alpha_gan_at_rest(fitted):
    # critics that cannot tell have the constants of the paper: 4 log 2 and 2 log 2
    model = fitted["alpha-gan"]
    batch = Stream(TensorSource(torch.rand(8, 1, 16, 16)), 8, seed=0).batch(0)
    kept = dict(model.networks_)
    model.networks_ |= {"critic": Silent(), "code_critic": Silent()}
    image, code = model._critic_loss(batch), model._code_critic_loss(batch)
    model.networks_ = kept
    for terms, rest in ((image, 4 * math.log(2)), (code, 2 * math.log(2))):
        loss = sum(v.item() for k, v in terms.items() if k not in ("accuracy", "of_rest"))
        assert loss == pytest.approx(rest, rel=1e-6)
        assert terms["of_rest"].item() == pytest.approx(1, rel=1e-6)


class Silent(nn.Module):
    def forward(self, x):
        return torch.zeros(len(x))


# What they can do


@every_model
def test_saved_models_are_the_same(name, fitted, images, tmp_path):
    model = fitted[name]
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.sample(5, random_state=3) == model.sample(5, random_state=3)).all()
    for way in ("encode", "critic", "elbo", "reconstruct"):
        if hasattr(model, way):
            assert (getattr(again, way)(images[:5]) == getattr(model, way)(images[:5])).all()
    assert "@" in again.cite()


@every_model
def test_samples_are_what_the_codes_of_the_prior_decode_to(name, fitted):
    model = fitted[name]
    codes = model.prior(5, random_state=2)
    assert codes.shape == (5, 3)
    assert (model.decode(codes) == model.sample(5, random_state=2)).all()
    with pytest.raises(ParameterError, match="n_samples"):
        model.prior(0)


@every_model
def test_a_resumed_run_is_the_same_run(name, images, tmp_path):
    make = MODELS[name]
    straight = make(**SMALL, steps=2).fit(images)
    make(**SMALL, steps=1).fit(images, folder=tmp_path / "run")
    resumed = make(**SMALL, steps=2).fit(images, folder=tmp_path / "run")
    last = [
        {k: v for k, v in m.history_[-1].items() if k != "seconds"} for m in (straight, resumed)
    ]
    assert last[0] == last[1]
    for key, value in straight._tensors().items():
        assert torch.equal(value, resumed._tensors()[key]), key


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3), (3, 48, 64)])
def test_layouts_and_sizes(shape):
    X = np.random.default_rng(0).integers(0, 256, (24, *shape), dtype=np.uint8)
    model = pushforward.AlphaGAN(**SMALL, steps=1).fit(X)
    assert model.sample(2).shape == model.reconstruct(X[:2]).shape == (2, *shape)
    assert model.sample(2).dtype == np.uint8


@pytest.mark.parametrize("name", ["alpha-gan", "vae", "vae-gan", "age"])
def test_there_and_back(name, fitted, images):
    model = fitted[name]
    codes = model.encode(images)
    assert codes.shape == (40, 3)
    np.testing.assert_allclose(model.encode(images[:7]), codes[:7], atol=1e-5)
    assert (model.decode(codes) == model.reconstruct(images)).all()
    way = model.interpolate(images[:2], images[2:4], steps=5)
    assert way.shape == (5, 2, 16, 16)
    assert (way[0] == model.reconstruct(images[:2])).all()
    report = model.latent_report(images)
    assert set(report) == {"mean", "deviation", "correlation", "frechet"}


def test_the_latent_report_of_codes_that_are_the_prior(fitted, images, monkeypatch):
    model = fitted["alpha-gan"]
    codes = np.random.default_rng(0).normal(size=(20_000, 3))
    monkeypatch.setattr(model, "encode", lambda X: codes)
    assert model.latent_report(images) == pytest.approx(
        {"mean": 0, "deviation": 1, "correlation": 0, "frechet": 0}, abs=0.03
    )
    codes = codes * 2 + 1
    monkeypatch.setattr(model, "encode", lambda X: codes)
    assert model.latent_report(images) == pytest.approx(
        {"mean": 1, "deviation": 2, "correlation": 0, "frechet": 2}, abs=0.08
    )


@every_model
def test_what_a_model_cannot_names_those_that_can(name, fitted):
    model = fitted[name]
    for way, able in MODELS_WITH.items():
        assert hasattr(model, way) == (type(model).__name__ in able)
        if not hasattr(model, way):
            with pytest.raises(UnsupportedError, match=able[0]):
                getattr(model, way)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = model.nonsense


def test_the_bound_of_a_vae_by_hand(images):
    # a generator that ignores its code has a likelihood in closed form; an encoder that says
    # the prior makes every bound equal to it
    class Grey(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = nn.Parameter(torch.zeros(1))

        def forward(self, z):
            return self.level.expand(len(z), 1, 16, 16)

    class Prior(nn.Module):
        def __init__(self):
            super().__init__()
            self.none = nn.Parameter(torch.zeros(6))

        def forward(self, x):
            return self.none.expand(len(x), 6) * 0

    networks = {"generator": Grey(), "encoder": Prior()}
    model = pushforward.VAE(**SMALL, steps=1, networks=networks, scale=0.5).fit(images)
    level = model.networks_["generator"].level.item()
    x, log_det = model.pixels_.encode(images[:, None], 0)
    exact = (-(x - level).abs() / 0.5).flatten(1).double().sum(1) + log_det
    np.testing.assert_allclose(model.elbo(images), exact, rtol=1e-5)
    assert (model.elbo(images, n_draws=8) == model.elbo(images, n_draws=8)).all()


# Networks of one's own


class Plain(nn.Module):
    """A generator of 4 x 4 grey images, or with ``out`` numbers a network of them."""

    def __init__(self, inputs, out, image=False):
        super().__init__()
        self.image = image
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, out)
        )

    def forward(self, x):
        x = self.layers(x)
        return torch.tanh(x).unflatten(1, (1, 4, 4)) if self.image else x


def plain_networks(kind, latent=2):
    moments = kind in (pushforward.VAE, pushforward.VAEGAN)
    made = {
        "generator": Plain(latent, 16, image=True),
        "critic": Plain(16, 8 if kind is pushforward.MMDGAN else 1),
        "denoiser": Plain(32, 32),
        "code_critic": Plain(latent, 1),
        "encoder": Plain(16, 2 * latent if moments else latent),
    }
    if kind in (pushforward.BEGAN, pushforward.EBGAN):
        made["critic"] = Autoencoder(Plain(16, 8), Plain(8, 16, image=True))
    return {name: made[name] for name in kind._parts}


@every_model
def test_samples_approach_the_data(name):
    # grey pictures of one level each, which is N(100, 25^2)
    rng = np.random.default_rng(0)
    levels = rng.normal(100, 25, (1000, 1, 1)).clip(0, 255)
    X = np.broadcast_to(levels, (1000, 4, 4)).astype(np.uint8)
    kind = type(MODELS[name]())
    latent = 8 if name == "age" else 2  # the moments of two coordinates say little
    slow = name in ("wgan-gp", "age")
    steps = {"learning_rate": 2e-3 if slow else 3e-3, "steps": 300 if slow else 110}
    model = MODELS[name](
        networks=plain_networks(kind, latent),
        **{**SMALL, "latent": latent, "batch_size": 64},
        **steps,
    ).fit(X)
    made = model.sample(1000, random_state=0).astype(float)
    level = made.mean((1, 2))
    assert level.mean() == pytest.approx(100, abs=15)
    if name != "began":  # its critic redraws every grey level: nothing asks for variety here
        assert 10 < level.std() < 40
    if hasattr(model, "elbo"):  # more samples, a tighter bound
        assert model.elbo(X, n_draws=30).mean() > model.elbo(X).mean()
    if hasattr(model, "encode"):
        assert np.abs(model.reconstruct(X[:200]).astype(float) - X[:200]).mean() < 20


def test_networks_of_ones_own_are_saved_without_their_code(images, tmp_path):
    X = images[:, :4, :4]
    own = plain_networks(pushforward.DCGAN)
    settings = {**SMALL, "latent": 2}
    model = pushforward.DCGAN(networks=own, steps=2, **settings).fit(X)
    folder = model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="restore"):
        pushforward.load(folder)
    again = pushforward.DCGAN(networks=plain_networks(pushforward.DCGAN), **settings)
    assert (again.restore(folder).sample(4, 0) == model.sample(4, 0)).all()
    with pytest.raises(ModelFileError, match="DCGAN"):
        pushforward.WGANGP(networks=own).restore(folder)
    other = {"generator": Plain(2, 16, image=True), "critic": Plain(16, 2)}
    with pytest.raises(ModelFileError, match="fit"):
        pushforward.DCGAN(networks=other, **settings).restore(folder)


@pytest.mark.parametrize("name", ["DCGAN", "WGAN", "WGANGP", "AlphaGAN"])
def test_a_model_from_before_its_critic_had_a_hidden_layer(images, tmp_path, name):
    cls = getattr(pushforward, name)
    model = cls(**SMALL, steps=1, hidden=0).fit(images)
    del model.settings_["hidden"]
    again = pushforward.load(model.save(tmp_path / "model"))
    assert (again.critic(images) == model.critic(images)).all()
    deeper = cls(**SMALL, steps=1, hidden=16).fit(images)
    assert deeper.networks_["critic"](torch.zeros(2, 1, 16, 16)).shape == (2,)
    layers = [
        sum(isinstance(m, nn.Linear) for m in one.networks_["critic"].modules())
        for one in (again, deeper)
    ]
    assert layers == [1, 2]


class Pair(Plain):
    def forward(self, x):
        made = super().forward(x)
        return made, made


class Map(nn.Module):
    """A generator as the paper on DCGAN has it, of codes (n, latent, 1, 1)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ConvTranspose2d(2, 1, 4)

    def forward(self, z):
        if z.ndim != 4:
            raise RuntimeError("Expected 4D input to conv_transpose2d")
        return torch.tanh(self.layers(z))


@pytest.mark.parametrize(
    ("networks", "match"),
    [
        ({"generator": Pair(2, 16, image=True)}, r"returns a tuple.*\(n, 1, 4, 4\)"),
        ({"generator": Map()}, r"Unflatten\(1, \(2, 1, 1\)\)"),
        ({"generator": Plain(2, 12)}, r"shape \(12,\).*\(1, 4, 4\)"),
        ({"critic": Pair(16, 1)}, "'critic' returns a tuple"),
    ],
)
def test_networks_of_ones_own_that_do_not_fit_are_told_what_would(images, networks, match):
    networks = plain_networks(pushforward.DCGAN) | networks
    model = pushforward.DCGAN(networks=networks, steps=1, **{**SMALL, "latent": 2})
    with pytest.raises(ParameterError, match=match):
        model.fit(images[:, :4, :4])


def test_the_wrapped_network_of_codes_with_axes_fits(images):
    own = nn.Sequential(nn.Unflatten(1, (2, 1, 1)), Map())
    networks = {**plain_networks(pushforward.DCGAN), "generator": own}
    model = pushforward.DCGAN(networks=networks, steps=1, **{**SMALL, "latent": 2})
    model.fit(images[:, :4, :4])
    assert model.sample(3, 0).shape == (3, 4, 4)


def test_networks_of_ones_own_are_not_changed(images):
    own = plain_networks(pushforward.DCGAN)
    before = [p.clone() for n in own.values() for p in n.parameters()]
    pushforward.DCGAN(networks=own, steps=2, **{**SMALL, "latent": 2}).fit(images[:, :4, :4])
    after = [p for n in own.values() for p in n.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"preset": "best"}, "fast"),
        ({"width": 0}, "width"),
        ({"latent": 2.5}, "latent"),
        ({"batch_size": 1}, "batch norm"),
        ({"loss": "wgan"}, "hinge"),
        ({"norm": "instance"}, "spectral"),
        ({"architecture": "vgg"}, "residual"),
        ({"critic_steps": 0}, "critic_steps"),
        ({"networks": {"encoder": nn.Identity()}}, "generator, critic"),
        ({"networks": {"critic": "a"}}, "torch module"),
        ({"networks": {"critic": Plain(256, 2)}}, "one number"),
        ({"networks": {"generator": Plain(3, 16, image=True)}}, "generator"),
    ],
)
def test_wrong_settings(wrong, match, images):
    with pytest.raises(ParameterError, match=match):
        pushforward.DCGAN(**{**SMALL, "steps": 1, **wrong}).fit(images)


def test_more_wrong_settings(images):
    with pytest.raises(ParameterError, match="batch norm"):
        pushforward.WGANGP(norm="batch", **SMALL, steps=1).fit(images)
    with pytest.raises(ParameterError, match="weight"):
        pushforward.AlphaGAN(weight=-1.0, **SMALL, steps=1).fit(images)
    with pytest.raises(ParameterError, match="scale"):
        pushforward.VAE(scale=0.0, **SMALL, steps=1).fit(images)
    with pytest.raises(NotFittedError):
        pushforward.VAE().elbo(images)


def test_wrong_codes_and_images(fitted):
    model = fitted["alpha-gan"]
    with pytest.raises(DataError, match=r"\(n, 3\)"):
        model.decode(np.zeros((2, 5)))
    with pytest.raises(DataError, match="finite"):
        model.decode(np.full((2, 3), np.nan))
    with pytest.raises(DataError, match=r"\(1, 16, 16\)"):
        model.critic(np.zeros((2, 28, 28), np.uint8))
    with pytest.raises(ParameterError, match="temperature"):
        model.sample(2, temperature=0.7)


@pytest.mark.parametrize("preset", ["sn-dcgan", "sn-resnet", "paper"])
def test_published_presets_build(preset):
    model = pushforward.DCGAN(preset=preset)
    model.settings_, model._seed = model._resolve((3, 32, 32), 100), 0
    assert model.settings_["steps"] >= 50_000
    assert model.settings_["minutes"] is None
    with torch.device("meta"):
        networks = model._build((3, 32, 32), None)
    assert set(networks) == {"generator", "critic"}
    assert [phase.repeats for phase in model._phases()] == [model.settings_["critic_steps"], 1]


def test_the_penalty_and_the_pairs_of_a_relativistic_game(fitted):
    model, x = fitted["r3gan"], torch.rand(8, 1, 16, 16)
    assert model.settings_["norm"] == "none"
    assert "Huang" in model.cite()
    stream = Stream(TensorSource(x), 8, seed=0)
    critic = model.networks_["critic"]
    said, again = model._critic_loss(stream.batch(0)), stream.batch(0)
    with torch.no_grad():
        fake = model.networks_["generator"](again.normal(3))

    def slopes(rows):  # each by itself, which no batch norm and no neighbour enters
        rows = [row[None].requires_grad_() for row in rows]
        return torch.stack(
            [torch.autograd.grad(critic(r).sum(), r)[0].square().sum() for r in rows]
        )

    some = 2  # of 8 rows, one in four
    expected = slopes(again.x[:some]).mean() + slopes(fake[:some]).mean()
    expected *= model.settings_["penalty"] / 2
    torch.testing.assert_close(said["penalty"], expected)
    apart = critic(again.x) - critic(fake)
    torch.testing.assert_close(said["real"] + said["fake"], softplus(-apart).mean())
    said = model._generator_loss(stream.batch(0))
    torch.testing.assert_close(said["player"], softplus(apart).mean())


@pytest.mark.parametrize(
    ("given", "norm", "penalty"),
    [
        ({}, "batch", 0.0),
        ({"penalty": 0.2}, "none", 0.2),
        ({"architecture": "r3gan"}, "none", 0.05),
        ({"norm": "spectral"}, "spectral", 0.0),
    ],
)
def test_a_relativistic_game_has_a_norm_or_a_penalty(given, norm, penalty):
    settings = pushforward.DCGAN(loss="relativistic", **given)._of_preset()
    assert (settings["norm"], settings["penalty"]) == (norm, penalty)


def test_a_penalty_does_not_go_with_batch_norm(images):
    pairs = {"loss": "relativistic", "norm": "batch"}
    for wrong in ({**pairs, "penalty": 1.0}, {**pairs, "architecture": "r3gan"}, {"penalty": 1.0}):
        with pytest.raises(ParameterError, match="slope"):
            pushforward.DCGAN(**SMALL, steps=1, **wrong).fit(images)
    with pytest.raises(ParameterError, match="no place for one"):
        pushforward.DCGAN(**SMALL, steps=1, architecture="r3gan").fit(images)
    with torch.no_grad():
        pushforward.DCGAN(**SMALL, steps=1, penalty=1.0, norm="spectral").fit(images)


def test_a_collapse_is_named(fitted, images, monkeypatch):
    model = fitted["dcgan"]
    monkeypatch.setattr(model, "_most_diverse", 0.9)
    monkeypatch.setattr(model, "_make", lambda n, generator: torch.zeros(n, 1, 16, 16))
    with pytest.warns(UserWarning, match="collapsed"):
        model._measures(images[:, None], None)


def test_the_moments_of_batch_norm_are_of_the_weights_that_are_kept(all_fits):
    X = np.random.default_rng(0).integers(0, 256, (64, 16, 16), dtype=np.uint8)
    settings = {"width": 4, "steps": 60, "batch_size": 8, "ema": 0.97, "learning_rate": 0.01}
    model = pushforward.DCGAN(validation_fraction=0, random_state=0, **settings).fit(X)
    norms = [m for m in model.networks_["generator"].modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2
    for norm in norms:
        seen: list[torch.Tensor] = []
        hook = norm.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0]))
        model.sample(4096, random_state=5)
        hook.remove()
        values = torch.cat(seen).transpose(0, 1).flatten(1)
        spread = values.std(1)
        # an average of the moments along the way is off by 0.15 in the second layer
        assert float(((norm.running_mean - values.mean(1)) / spread).abs().max()) < 0.04
        assert float((norm.running_var.sqrt() / spread - 1).abs().max()) < 0.04
