"""Gradients that are captured are those of the calls, for every family: here on a tape."""

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from pushforward.training import Loop, Optimiser, Phase, TensorSource, cuda_graphs, loop
from pushforward.training.captured import graphs_on

STEPS = 9


def of_device(name):
    """A module of the tests on a device, which are no package."""
    path = Path(__file__).parents[1] / "device" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"device_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


Tape, FAMILIES = of_device("tape").Tape, of_device("families").FAMILIES
NOT_BY_GRADIENT = ("SIG", "GIS", "AutoDensity", "TableSIG")


@pytest.fixture
def tapes(monkeypatch):
    """Loops capture on tapes, which come to be in this list."""
    made = []

    def tape():
        made.append(Tape())
        return made[-1]

    monkeypatch.setattr(loop, "graphs_on", lambda device: tape)
    return made


def trained(name):
    model, X, y = FAMILIES[name]("cpu")
    model.set_params(steps=STEPS)
    model.fit(X) if y is None else model.fit(X, y)
    records = [{k: v for k, v in row.items() if k != "seconds"} for row in model.history_]
    return records, {
        f"{part}.{key}": value
        for part, network in model.networks_.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.filterwarnings("ignore:What the model writes is no text")
@pytest.mark.parametrize("name", [n for n in FAMILIES if not n.startswith(NOT_BY_GRADIENT)])
def test_a_family_is_trained_by_graphs_as_by_calls(name, request):
    torch.set_num_threads(1)
    history, expected = trained(name)
    tapes = request.getfixturevalue("tapes")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Phase")
        records, found = trained(name)
    assert tapes
    for record, other in zip(records, history, strict=True):
        assert record == pytest.approx(other, rel=1e-4, abs=1e-6)
    assert all(tape.replays >= STEPS - 3 for tape in tapes)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-6, err_msg=key)


def run(loss, *networks, steps=12, rows=24, batch_size=8, clip=None):
    """The parameters of networks that were moved by one loss."""
    torch.manual_seed(0)
    made = {f"n{k}": network() for k, network in enumerate(networks)}
    phase = Phase("fit", tuple(made), lambda b: loss(b, *made.values()), Optimiser(clip=clip))
    data = torch.randn(rows, 4, generator=torch.Generator().manual_seed(0))
    Loop(made, [phase], TensorSource(data), batch_size=batch_size).run(steps=steps)
    return torch.cat([p.detach().flatten() for net in made.values() for p in net.parameters()])


def noisy(batch, network):
    """A loss with noise of two kinds and dropout."""
    x = batch.x + 0.1 * batch.normal(4) + 0.1 * batch.uniform(1)
    return {"square": network(x).square().mean(), "slope": network[0].weight.abs().mean()}


def network():
    return torch.nn.Sequential(
        torch.nn.Linear(4, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(8, 1),
    )


@pytest.mark.parametrize("clip", [None, 0.1])
def test_noise_dropout_moments_and_clipping_are_the_same(clip, request):
    expected = run(noisy, network, clip=clip)
    (tapes := request.getfixturevalue("tapes")).clear()
    assert torch.equal(run(noisy, network, clip=clip), expected)
    assert [tape.replays for tape in tapes] == [9]


@pytest.mark.parametrize(
    ("beside", "why"),
    [
        (lambda seen, batch: float(batch.x.mean()) and 1.0, "not permitted"),
        (lambda seen, batch: 1.0 + len(seen), "other numbers"),
        (lambda seen, batch: batch.normal(1 + len(seen)).mean() * 0 + 1, "other noise"),
    ],
)
def test_what_cannot_be_captured_goes_on_call_by_call_with_a_warning(beside, why, request):
    def made():
        seen = []

        def loss(batch, network):
            factor = beside(seen, batch)
            seen.append(1)
            return {"square": factor * network(batch.x).square().mean()}

        return loss

    plain = torch.nn.Linear
    expected = run(made(), lambda: plain(4, 1))
    request.getfixturevalue("tapes")
    with pytest.warns(UserWarning, match=f"Phase 'fit' is computed call by call.*{why}"):
        found = run(made(), lambda: plain(4, 1))
    if why != "other numbers":  # a loss that counts its calls has counted those of the capture
        torch.testing.assert_close(found, expected)


def test_a_loss_that_is_not_finite_is_told_of_as_by_calls(tapes):
    def loss(batch, network):
        return {"log": network(batch.x).sum().log()}  # of a negative number

    with (
        pytest.warns(UserWarning, match="call by call"),
        pytest.raises(Exception, match="'log' of its loss is nan"),
    ):
        run(lambda b, n: loss(b, n) | {"down": -n.weight.sum() * 0}, lambda: Sinking(), steps=60)


class Sinking(torch.nn.Linear):
    """Gives a positive number three times, then a negative one."""

    def __init__(self):
        super().__init__(4, 1)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return super().forward(x).square() * (3.5 - self.calls)


def test_graphs_are_for_gpus_and_where_they_are_asked_for():
    assert graphs_on(torch.device("cpu")) is None
    with cuda_graphs():
        assert graphs_on(torch.device("cpu")) is None
    assert graphs_on(torch.device("cuda")) is None  # not asked for
    with cuda_graphs(), cuda_graphs(False):
        assert graphs_on(torch.device("cuda")) is None
