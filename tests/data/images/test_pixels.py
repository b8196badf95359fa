"""Pixels go to the model and back without loss, and their log-determinant is that of the map."""

import json
import math

import numpy as np
import pytest
import torch

from pushforward.data import Pixels
from pushforward.errors import DataError, ModelFileError, ParameterError

SHAPES = [(1, 8, 8), (3, 5, 7), (5, 1, 3), (4, 6, 6)]
OPTIONS = [
    {},
    {"low": -1.0, "high": 1.0},
    {"low": 0.0, "high": 256.0},
    {"logit": 0.05},
    {"logit": 1e-6},
    {"logit": 0.25},
    {"dequantise": False},
]


def every_byte(shape, repeats=8):
    """Images with every byte, in random places."""
    rng = np.random.default_rng(1)
    count = -(-256 * repeats // math.prod(shape))
    values = np.arange(count * math.prod(shape)) % 256
    return rng.permutation(values).astype(np.uint8).reshape(count, *shape)


def reduced(images, bits):
    """The leading bits of bytes, spread evenly from black to white."""
    return np.rint((images >> (8 - bits)) * (255 / (2**bits - 1))).astype(np.uint8)


@pytest.mark.parametrize("bits", range(1, 9))
def test_black_and_white_stay(bits):
    pixels = Pixels((1, 1, 2), "nhw", bits=bits)
    x, _ = pixels.encode(np.array([[[[0, 255]]]], np.uint8), None)
    assert pixels.decode(x).tolist() == [[[0, 255]]]
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(reduced(every, bits) >> (8 - bits), every >> (8 - bits))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("bits", range(1, 9))
def test_every_pixel_comes_back(options, bits, generator):
    for shape in SHAPES:
        pixels = Pixels(shape, "nchw", bits=bits, **options)
        images = every_byte(shape)
        for draw in (generator, None, 0):
            x, log_det = pixels.encode(images, draw)
            assert (x.dtype, x.shape) == (torch.float32, images.shape)
            assert (log_det.dtype, log_det.shape) == (torch.float64, (len(images),))
            np.testing.assert_array_equal(pixels.decode(x), reduced(images, bits))


def test_every_pixel_comes_back_from_any_interval(generator):
    rng = np.random.default_rng(0)
    images = every_byte((1, 64, 64), repeats=200)
    for _ in range(60):
        low = float(rng.normal() * 3)
        try:
            pixels = Pixels((1, 64, 64), "nchw", low=low, high=low + float(np.exp(rng.normal())))
        except ParameterError as error:
            assert "so far from 0" in str(error)  # noqa: PT017
            continue
        x, _ = pixels.encode(images, generator)
        np.testing.assert_array_equal(pixels.decode(x), images)
        assert x.min() >= pixels.low
        assert x.max() <= pixels.high


@pytest.mark.parametrize("options", [o for o in OPTIONS if o != {"dequantise": False}], ids=str)
def test_noise_is_uniform_in_its_cell(options, generator):
    shape = (1, 64, 64)
    pixels = Pixels(shape, "nchw", **options)
    images = every_byte(shape, repeats=1000)
    x = pixels.encode(images, generator)[0].double()
    if pixels.logit is None:
        v = (x - pixels.low) / (pixels.high - pixels.low)
    else:
        v = (x.sigmoid() - pixels.logit) / (1 - 2 * pixels.logit)
    u = (v * 256 - torch.from_numpy(images)).flatten().numpy()
    assert 0 < u.min() < u.max() < 1
    assert u.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * u.size))
    assert u.var() == pytest.approx(1 / 12, rel=0.02)
    counts = np.histogram(u, bins=50, range=(0, 1))[0]
    assert ((counts - u.size / 50) ** 2 / (u.size / 50)).sum() < 95  # chi-square(49) at 1e-4
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 5 / np.sqrt(u.size)
    middle = pixels.encode(images[:1], None)[0].double()
    exact = (images[:1] + 0.5) / 256
    expected = pixels.low + (pixels.high - pixels.low) * exact
    if pixels.logit is not None:
        expected = np.log(s := pixels.logit + (1 - 2 * pixels.logit) * exact) - np.log1p(-s)
    np.testing.assert_allclose(middle, expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("bits", [1, 5, 8])
@pytest.mark.parametrize("options", OPTIONS[:6], ids=str)
def test_log_det_is_that_of_the_map(options, bits, generator):
    """log_det = log |dx / dv| - D log 2^bits: by automatic differentiation of the map."""
    pixels = Pixels((2, 3, 3), "nchw", bits=bits, **options)
    images = every_byte((2, 3, 3))
    x, log_det = pixels.encode(images, generator)
    if pixels.logit is None:
        v = ((x.double() - pixels.low) / (pixels.high - pixels.low)).requires_grad_()
        again = pixels.low + (pixels.high - pixels.low) * v
    else:
        alpha = pixels.logit
        v = ((x.double().sigmoid() - alpha) / (1 - 2 * alpha)).requires_grad_()
        again = torch.logit(alpha + (1 - 2 * alpha) * v)
    slope = torch.autograd.grad(again.sum(), v)[0]
    expected = slope.log().flatten(1).sum(1) - pixels.n_values * bits * math.log(2)
    torch.testing.assert_close(log_det, expected, rtol=2e-6, atol=1e-5)


def test_log_det_as_realnvp_prints_it(generator):
    """softplus(y) + softplus(-y) - softplus(-log(.9 / .1)), summed; glow.md 1.6."""
    pixels = Pixels((3, 4, 4), "nhwc", logit=0.05)
    y, log_det = pixels.encode(every_byte((3, 4, 4)), generator)
    softplus = torch.nn.functional.softplus
    y = y.double()
    each = softplus(y) + softplus(-y) - softplus(torch.tensor(-math.log(0.9 / 0.1)).double())
    expected = each.flatten(1).sum(1) - 48 * math.log(256)
    torch.testing.assert_close(log_det, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"logit": 0.05}, {"low": -1.0, "high": 1.0}], ids=str)
@pytest.mark.parametrize("bits", [2, 8])
def test_cells_have_the_probability_of_the_model(options, bits, generator):
    """A density of x, carried back by log_det, integrates to 1 over all discrete images."""
    pixels = Pixels((1, 1, 1), "nhw", bits=bits, **options)
    centre, spread = (0.3, 1.2) if pixels.logit else (0.1 * pixels.high, 0.2 * pixels.high)
    model = torch.distributions.Normal(*torch.tensor([centre, spread]).double())
    images = (np.arange(2**bits, dtype=np.uint8) << (8 - bits)).reshape(-1, 1, 1, 1)
    x, log_det = pixels.encode(images.repeat(4000, axis=0), generator)
    log_p = (model.log_prob(x.double())[:, 0, 0, 0] + log_det).reshape(len(images), 4000)
    total, bound = log_p.exp().mean(1), log_p.mean(1)
    edges = torch.linspace(0, 1, 2**bits + 1, dtype=torch.float64)
    if pixels.logit is None:
        edges = pixels.low + (pixels.high - pixels.low) * edges
    else:
        edges = torch.logit(pixels.logit + (1 - 2 * pixels.logit) * edges)
    exact = model.cdf(edges).diff()
    large = exact > 1e-6
    torch.testing.assert_close(total[large], exact[large], rtol=0.25, atol=2e-4)
    assert total.sum().item() == pytest.approx(exact.sum().item(), rel=0.01)
    assert (bound[large] <= exact[large].log() + 0.05).all()


@pytest.mark.parametrize("layout", ["nhw", "nhwc", "nchw"])
def test_decode_gives_the_layout_back(layout, generator):
    shape = (1, 4, 6) if layout == "nhw" else (3, 4, 6)
    images = every_byte(shape)
    pixels = Pixels(shape, layout)
    got = pixels.decode(pixels.encode(images, generator)[0])
    expected = {"nhw": images[:, 0], "nhwc": images.transpose(0, 2, 3, 1), "nchw": images}[layout]
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_decode_clips(dtype):
    for pixels in (Pixels((1, 1, 4), "nchw"), Pixels((1, 1, 4), "nchw", bits=3)):
        x = torch.tensor([-9.0, -0.5, 0.5, 9.0], dtype=dtype, requires_grad=True).view(1, 1, 1, 4)
        last = reduced(np.uint8(255), pixels.bits)
        assert pixels.decode(x).flatten().tolist() == [0, 0, last, last]
    x = torch.tensor([-1e4, 0.0, 1e4, 2.0], dtype=dtype).view(1, 1, 1, 4)
    assert Pixels((1, 1, 4), "nchw", logit=0.05).decode(x)[0, 0, 0, [0, 2]].tolist() == [0, 255]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_black_images(bad):
    pixels = Pixels((1, 2, 2), "nhw")
    x = torch.zeros(3, 1, 2, 2)
    x[1, 0, 1, 1] = bad
    with pytest.raises(DataError, match="1 of 3 images have NaN or infinite"):
        pixels.decode(x)


def test_seeds_and_batches():
    pixels = Pixels((3, 5, 5), "nchw", shift=0.3, flip=True)
    images = every_byte((3, 5, 5))

    def encode(seed):
        return pixels.encode(images, torch.Generator().manual_seed(seed), augment=True)[0]

    assert encode(1).equal(encode(1))
    assert not encode(1).equal(encode(2))
    before = torch.random.get_rng_state()
    encode(1)
    assert torch.random.get_rng_state().equal(before)


def test_noise_by_content():
    """Without a generator, a numbered draw depends on the image and the number only."""
    pixels = Pixels((1, 8, 8), "nchw")
    images = every_byte((1, 8, 8))
    x, _ = pixels.encode(images, 3)
    backwards, _ = pixels.encode(images[::-1], 3)
    assert x.equal(backwards.flip(0))
    assert not x.equal(pixels.encode(images, 4)[0])
    np.testing.assert_array_equal(pixels.decode(x), images)
    u = ((x.double() + 0.5) * 256) % 1
    assert u.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * u.numel()))
    assert u.var() == pytest.approx(1 / 12, rel=0.1)


def test_images_stay_as_they_are(generator):
    images = every_byte((1, 6, 6))
    kept = images.copy()
    images.flags.writeable = False
    pixels = Pixels((1, 6, 6), "nhw", bits=4, shift=0.5, flip=True)
    first = pixels.encode(images, generator, augment=True)[0]
    first.zero_()
    np.testing.assert_array_equal(images, kept)
    assert pixels.encode(torch.tensor(kept), None)[0].shape == (len(kept), 1, 6, 6)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 1, 4, 4)), "float64"),
        (np.zeros((2, 4, 4), np.uint8), r"\(2, 4, 4\).*\(n, 1, 4, 4\)"),
        (np.zeros((2, 1, 4, 5), np.uint8), r"\(n, 1, 4, 4\), as the model"),
        ([[1]], "list"),
        (torch.zeros(2, 1, 4, 4), "float32"),
    ],
)
def test_other_images(images, words):
    pixels = Pixels((1, 4, 4), "nhw")
    with pytest.raises(DataError, match=words):
        pixels.encode(images, None)
    with pytest.raises(DataError, match="Expected"):
        pixels.decode(torch.zeros(2, 1, 4, 5))


def test_augment_needs_a_generator():
    pixels = Pixels((1, 4, 4), "nhw", flip=True)
    with pytest.raises(ParameterError, match="generator"):
        pixels.encode(np.zeros((1, 1, 4, 4), np.uint8), None, augment=True)


@pytest.mark.parametrize(
    "options",
    [
        *({"bits": 0}, {"bits": 9}, {"bits": 2.5}, {"bits": True}),
        *({"low": 1.0}, {"low": math.nan}, {"high": math.inf}, {"high": "1"}),
        *({"low": 1000.0, "high": 1001.0},),
        *({"logit": 0.0}, {"logit": 0.5}, {"logit": True}, {"logit": math.nan}),
        *({"shift": -0.1}, {"shift": 1.5}, {"flip": 1}, {"dequantise": None}),
        *({"shape": (1, 4)}, {"shape": (0, 4, 4)}, {"shape": (1.0, 4, 4)}),
        *({"layout": "hwc"}, {"layout": "nhw", "shape": (3, 4, 4)}),
    ],
    ids=str,
)
def test_refused_parameters(options):
    fine = {"shape": (1, 4, 4), "layout": "nchw"}
    with pytest.raises(ParameterError) as caught:
        Pixels(**(fine | options))
    assert next(iter(options)) in str(caught.value)
    values = Pixels(**fine).to_config() | options
    values["shape"] = list(values["shape"])
    with pytest.raises(ModelFileError):
        Pixels.from_config(values)


@pytest.mark.parametrize("options", [*OPTIONS, {"bits": 5, "shift": 0.1, "flip": True}], ids=str)
def test_config(options):
    pixels = Pixels((3, 5, 7), "nhwc", **options)
    text = json.dumps(pixels.to_config(), allow_nan=False)
    assert Pixels.from_config(json.loads(text)) == pixels


def test_other_configs():
    values = Pixels((3, 5, 7), "nhwc").to_config()
    for wrong in (
        *(values | {"more": 1}, {k: v for k, v in values.items() if k != "bits"}, None, []),
        *(values | {"shape": "abc"}, values | {"shape": None}),
    ):
        with pytest.raises(ModelFileError):
            Pixels.from_config(wrong)
