"""Which device a name means, what holds on it, and how a model comes from one to another."""

import numpy as np
import pytest
import torch

import pushforward
from pushforward import devices
from pushforward.errors import ParameterError
from pushforward.storage.model_folder import read_model, write_folder
from pushforward.validation import Device

SMALL = {"width": 2, "latent": 3, "batch_size": 8, "steps": 2, "random_state": 0}


@pytest.fixture
def two_gpus(monkeypatch):
    """A machine with two GPUs, as far as their names go; returns those that were set."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    return chosen


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("name", [None, "auto"])
def test_what_is_not_said_is_the_processor_without_a_gpu(no_gpu, name):
    assert devices.find_device(name) == torch.device("cpu")


@pytest.mark.parametrize("name", [None, "auto", "gpu", "cuda"])
def test_what_is_not_said_is_a_gpu_where_there_is_one(two_gpus, name):
    assert devices.find_device(name) == torch.device("cuda")
    assert two_gpus == []


@pytest.mark.parametrize("name", ["gpu", "cuda", "cuda:0"])
def test_a_gpu_that_is_not_there_is_refused_with_what_to_do(no_gpu, name):
    with pytest.raises(ParameterError, match=r"Leave device out .* install its driver"):
        devices.find_device(name)
    X = np.zeros((20, 8, 8), np.uint8)
    with pytest.raises(ParameterError, match=f"device is '{name}'.*finds no GPU"):
        pushforward.DCGAN(**SMALL, device=name).fit(X)


@pytest.mark.parametrize("name", ["cuda:2", "graphics", 1.5, "meta", 2**63])
def test_a_device_that_there_is_not_is_refused(two_gpus, name):
    with pytest.raises(ParameterError, match="'cuda:0', 'cuda:1'"):
        devices.find_device(name)
    assert not Device().fits(name)


def test_each_process_of_torchrun_has_a_gpu_of_its_own(two_gpus, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.find_device("cuda") == torch.device("cuda:1")
    assert two_gpus == [torch.device("cuda:1")]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ParameterError, match="start 2 with --nproc-per-node"):
        devices.find_device()


def test_a_sliced_model_takes_a_gpu_by_itself_and_a_table_does_not(two_gpus):
    assert pushforward.SIG()._device() == torch.device("cuda")
    assert pushforward.SIG(goal="likelihood")._device() == torch.device("cuda")
    for model in (pushforward.GIS, pushforward.AutoDensity, pushforward.TableSIG):
        assert model()._layer_device() == torch.device("cpu")
        assert model(device="auto")._layer_device() == torch.device("cuda")


def test_nothing_exact_is_rounded_and_the_settings_of_the_user_come_back():
    cudnn, before = torch.backends.cudnn, torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        cudnn.benchmark, cudnn.allow_tf32 = True, True
        with devices.inference():
            assert cudnn.enabled
            assert cudnn.benchmark
            assert not cudnn.allow_tf32
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.is_grad_enabled()
        assert (cudnn.benchmark, cudnn.allow_tf32) == (True, True)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)
        cudnn.benchmark = False


@pytest.fixture
def of_a_gpu(tmp_path):
    """The folder of a GAN, as if a machine with GPUs had written it."""
    X = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    model = pushforward.DCGAN(**SMALL, device="cpu").fit(X)
    config, tensors, _ = read_model(model.save(tmp_path / "here"))
    config["parameters"]["device"] = "cuda:3"
    return write_folder(tmp_path / "there", config, tensors, "a card"), model.sample(3, 0)


def test_a_model_of_a_gpu_loads_where_there_is_none(no_gpu, of_a_gpu):
    folder, samples = of_a_gpu
    model = pushforward.load(folder)
    assert model.device is None
    assert (model.sample(3, 0) == samples).all()
    assert read_model(folder)[0]["parameters"]["device"] == "cuda:3"
    assert pushforward.load(folder, device="cpu").device == "cpu"


def test_a_model_is_not_loaded_to_a_device_that_there_is_not(no_gpu, of_a_gpu):
    with pytest.raises(ParameterError, match="finds no GPU"):
        pushforward.load(of_a_gpu[0], device="cuda")


def test_a_processor_takes_what_its_caches_hold_and_a_gpu_more():
    processor, gpu = (devices.sizes_of(torch.device(name)) for name in ("cpu", "cuda"))
    assert [processor.rows_of(n) for n in (1, 784, 10**6)] == [64, 64, 64]
    assert [gpu.rows_of(n) for n in (1, 784, 3072, 10**6)] == [1024, 1024, 1024, 64]
    for size in ("moved", "block", "piece"):
        assert getattr(gpu, size) >= 16 * getattr(processor, size)


def test_a_generator_of_a_device_follows_the_one_it_comes_from():
    first, second = (torch.Generator().manual_seed(seed) for seed in (0, 0))
    assert devices.generator_on(torch.device("cpu"), first) is first
    drawn = torch.randint(2**62, (1,), generator=second)
    assert torch.randint(2**62, (1,), generator=first) == drawn
