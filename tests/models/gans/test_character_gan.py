"""WGAN-GP of text: characters there and back, lines out, runs that go on."""

import warnings

import numpy as np
import pytest
import torch

import pushforward
from pushforward.data.text.ngrams import ngram_distance
from pushforward.errors import DataError, ParameterError
from pushforward.metrics import ngram_divergence as measured
from pushforward.models.gans import CharacterGAN
from pushforward.networks import CharacterCritic, CharacterGenerator

LINES = [
    "The cat sat .",
    "A dog ran off .",
    "Cats and dogs !",
    "What a long line this one is , so",
]
SMALL = {"width": 4, "blocks": 1, "latent": 3, "batch_size": 8, "device": "cpu", "random_state": 0}
NO_TEXT = "What the model writes is no text"  # after a few steps


@pytest.fixture(scope="module")
def fitted():
    with pytest.warns(UserWarning, match=NO_TEXT):
        return CharacterGAN(**SMALL, steps=3).fit(LINES * 10)


def test_lines_come_out(fitted):
    lines = fitted.sample(70, random_state=0)
    assert len(lines) == 70
    assert all(isinstance(line, str) and len(line) <= 32 for line in lines)
    assert set("".join(lines)) <= set("".join(LINES)) | {"\ufffd"}
    assert lines == fitted.sample(70, random_state=0)
    assert lines == fitted.decode(fitted.prior(70, random_state=0))
    assert lines != fitted.sample(70, random_state=1)


def test_what_is_generated_is_a_softmax_with_a_slope(fitted):
    z = torch.randn(5, 3, requires_grad=True)
    x = fitted._generate(z)
    assert x.shape == (5, *fitted._row_shape())
    torch.testing.assert_close(x.sum(2), torch.ones(5, 32))
    (slope,) = torch.autograd.grad(fitted._logit("critic", x).sum(), z)
    assert slope.abs().sum() > 0
    assert fitted._to_user(x.detach()) == fitted.decode(z.detach())


def test_the_critic_sees_the_line_it_is_given(fitted):
    said = fitted.critic(LINES)
    assert said.shape == (4,)
    assert said.dtype == np.float32
    np.testing.assert_allclose(fitted.critic(LINES[1:2]), said[1:2], rtol=1e-5)
    assert (fitted.critic(fitted.cut(LINES)) == said).all()


def test_a_saved_model_is_the_same(fitted, tmp_path):
    again = pushforward.load(fitted.save(tmp_path / "model"))
    assert again.alphabet_ == fitted.alphabet_
    assert again.sample(9, random_state=3) == fitted.sample(9, random_state=3)
    assert (again.critic(LINES) == fitted.critic(LINES)).all()
    assert "@" in again.cite()


@pytest.mark.filterwarnings(f"ignore:{NO_TEXT}:UserWarning")
def test_two_steps_and_two_are_four(tmp_path):
    constant = {**SMALL, "preset": "paper", "critic_steps": 2}
    CharacterGAN(**constant, steps=2).fit(LINES * 10, folder=tmp_path)
    samples = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert samples == ["0000001.txt", "0000002.txt"]
    resumed = CharacterGAN(**constant, steps=4).fit(LINES * 10, folder=tmp_path)
    straight = CharacterGAN(**constant, steps=4).fit(LINES * 10)
    for key, value in straight._tensors().items():
        assert torch.equal(value, resumed._tensors()[key]), key
    with pytest.raises(ParameterError, match="another folder"):
        CharacterGAN(**constant, steps=4).fit(LINES * 9, folder=tmp_path)


def test_it_learns_which_letters_there_are():
    rng = np.random.default_rng(0)
    lines = ["".join(rng.choice(list("aab"), 3)) + "xyz" for _ in range(400)]
    quick = {"width": 16, "batch_size": 32, "learning_rate": 1e-2, "critic_steps": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what it writes is text
        model = CharacterGAN(**{**SMALL, **quick}, length=6, steps=60).fit(lines)
    assert model.best_["measures"]["js_4"] < 0.5
    assert sum(line.endswith("xyz") for line in model.sample(100, random_state=0)) > 50


def test_files_are_read(tmp_path, fitted):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(LINES * 10), encoding="utf-8")
    with pytest.warns(UserWarning, match=NO_TEXT):
        model = CharacterGAN(**SMALL, steps=3).fit(path, validation=LINES)
    assert model.alphabet_ == fitted.alphabet_
    assert "js_4" in model.best_["measures"]


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"length": 0}, "length"),
        ({"characters": 0}, "characters"),
        ({"blocks": 1.5}, "blocks"),
        ({"preset": "word"}, "fast, paper"),
    ],
)
def test_wrong_settings(wrong, match):
    with pytest.raises(ParameterError, match=match):
        CharacterGAN(**{**SMALL, "steps": 1, **wrong}).fit(LINES)


def test_wrong_lines(fitted, tmp_path):
    for wrong, match in (
        ([1, 2], "list of str"),
        ([], "no lines"),
        (tmp_path / "none.txt", "cannot be read"),
    ):
        with pytest.raises(DataError, match=match):
            CharacterGAN(**SMALL, steps=1).fit(wrong)
    with pytest.raises(DataError, match="list of str"):
        fitted.critic(3)


def test_the_distance_is_that_of_the_measures():
    rng = np.random.default_rng(0)
    a, b = (
        ["".join(rng.choice(list("abcd"), rng.integers(0, 12))) for _ in range(50)]
        for _ in range(2)
    )
    for n in (1, 4):
        assert ngram_distance(a, b, n) == pytest.approx(measured(a, b, n=n).value, abs=1e-12)


def test_weights_that_write_blank_lines_are_not_preferred(fitted, monkeypatch):
    lines = fitted.cut(LINES * 5)
    rng = np.random.default_rng(0)
    gibberish = [list(line) for line in lines]
    for line in gibberish:
        line[6:] = rng.permutation(line[6:])

    def measure(made):
        numbers = fitted.alphabet_.numbers(["".join(line) for line in made])
        monkeypatch.setattr(fitted, "_make", lambda n, generator: torch.from_numpy(numbers))
        return fitted._measures(lines)["js_4"]

    assert measure(lines) == 0
    assert measure(gibberish) < measure([line[:3] for line in lines]) <= measure([""] * 20)
    assert measure([""] * 20) == pytest.approx(1, abs=1e-12)
    assert measure(lines[:5] + [""] * 15) > measure(lines[:5] * 4) + 0.3


def test_samples_end_at_their_first_padding(fitted, monkeypatch):
    lines = fitted.cut(LINES[:3])
    numbers = fitted.alphabet_.numbers(lines)
    numbers[:, 20:] = numbers[:, :12]  # which no user sees
    monkeypatch.setattr(fitted, "_make", lambda n, generator: torch.from_numpy(numbers))
    assert fitted._measures(lines)["js_4"] == 0


class Blank(torch.nn.Module):
    """A generator of blank lines."""

    def __init__(self, symbols):
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(symbols))

    def forward(self, z):
        logits = self.shift.clone()
        logits[0] += 20
        return logits.softmax(0).expand(len(z), 32, -1)


@pytest.mark.parametrize("n", [10, 40])
def test_a_fit_that_writes_no_text_is_named(n):
    lines = (LINES * 10)[:n]
    symbols = len(set("".join(lines))) + 2
    with pytest.warns(UserWarning, match=r"no text: 100% of its lines are blank.*more minutes"):
        CharacterGAN(**SMALL, steps=1, networks={"generator": Blank(symbols)}).fit(lines)


def test_a_short_fit_is_named_and_its_latest_weights_are_kept():
    with pytest.warns(UserWarning, match=r"no text: its four-grams are 1\.00") as found:
        model = CharacterGAN(**SMALL, steps=3).fit(LINES * 10)
    assert found[0].filename == __file__
    assert model.best_["step"] == 3


def test_the_networks_are_those_published():
    # gan_language.py of Gulrajani et al.: 512 channels, 5 blocks of two convolutions of 5
    block = 2 * (512 * 512 * 5 + 512)
    make = CharacterGenerator(128, 32, 2048, 512, 5)
    judge = CharacterCritic(32, 2048, 512, 5)
    count = [sum(p.numel() for p in net.parameters()) for net in (make, judge)]
    first = 128 * 512 * 32 + 512 * 32
    assert count[0] == first + 5 * block + 512 * 2048 + 2048
    assert count[1] == 2048 * 512 + 512 + 5 * block + 512 * 32 + 1
    model = CharacterGAN(preset="paper")
    assert model._resolve()["characters"] + 2 == 2048
