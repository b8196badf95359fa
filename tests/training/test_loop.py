"""The loop: budgets, resumption, the guard against what is not finite, the best weights."""

import json
import math
import os
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn

from pushforward.errors import DataError, ModelFileError, ParameterError, TrainingError
from pushforward.training import Loop, Optimiser, Phase, TensorSource
from pushforward.training import loop as training_loop


class Player(nn.Module):
    """A small network with everything a run has to keep: weights, batch-norm, dropout."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
            )

    def forward(self, x):
        return self.body(x)


def data(n=50):
    return TensorSource(torch.randn(n, 3, generator=torch.Generator().manual_seed(1)))


def two_players(**options):
    networks = {"g": Player(0), "d": Player(1)}

    def of_g(batch):
        fake = networks["g"](batch.normal(3))
        return {"play": -networks["d"](fake).mean(), "size": fake.square().mean()}

    def of_d(batch):
        fake = networks["g"](batch.normal(3))
        return {
            "real": (networks["d"](batch.x) - 1).square().mean(),
            "fake": networks["d"](fake).square().mean(),
        }

    phases = [
        Phase("d", ("d",), of_d, Optimiser("adam", 1e-2, {"betas": (0.5, 0.9)}), repeats=2),
        Phase("g", ("g",), of_g, Optimiser("adamax", 1e-2, warm_up=5, hidden_warm_up=True)),
    ]
    return Loop(networks, phases, data(), batch_size=16, **options)


def weights(loop):
    return {
        f"{name}.{key}": value.clone()
        for name, net in loop.networks.items()
        for key, value in net.state_dict().items()
    }


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_ten_and_ten_steps_are_twenty_bit_for_bit(tmp_path):
    whole = two_players(ema=0.9)
    whole.run(steps=20)
    two_players(ema=0.9).run(steps=10, folder=tmp_path)
    torch.rand(7)  # the caller's random state has no part in it
    again = two_players(ema=0.9)
    again.run(steps=20, folder=tmp_path)
    assert again.step == 20
    assert same(weights(whole), weights(again))


def test_a_linear_decay_goes_on_where_an_interrupted_run_stopped(tmp_path):
    def loop():
        networks = {"g": Player(0)}

        def loss(batch):
            return {"size": networks["g"](batch.x).square().mean()}

        return Loop(networks, [Phase("g", ("g",), loss, Optimiser(decay="linear"))], data())

    whole = loop()
    whole.run(steps=12)
    cut = loop()

    def stop(text, share):
        if cut.step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        cut.run(steps=12, folder=tmp_path, report=stop)
    assert cut.step == 5
    assert cut.stopped == "interrupted"
    again = loop()
    again.run(steps=12, folder=tmp_path)
    assert same(weights(whole), weights(again))
    rates = [r["g.rate"] for r in again.history]
    assert rates == sorted(rates, reverse=True)
    assert math.isclose(rates[-1], 1e-3 / 12)


def test_the_callers_random_state_and_flags_are_as_before():
    loop = two_players()
    frozen = next(loop.networks["d"].parameters())
    before = torch.get_rng_state()
    loop.run(steps=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert frozen.requires_grad
    assert not loop.networks["g"].training


def test_a_step_seeds_no_device_that_is_not_there(monkeypatch):
    """torch.manual_seed formats the stack for each: a tenth of a step of small networks."""

    def slow(seed):
        raise AssertionError("torch.manual_seed in a step")

    loop = two_players()
    monkeypatch.setattr(torch, "manual_seed", slow)
    loop.run(steps=2)
    assert loop.step == 2


def test_each_phase_moves_its_networks_by_the_gradient_of_its_own_loss_alone():
    seen = {}
    networks = {"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}
    start = {k: v.detach().clone() for k, v in networks["a"].named_parameters()}
    other = {k: v.detach().clone() for k, v in networks["b"].named_parameters()}

    def of_a(batch):
        assert not any(p.requires_grad for p in networks["b"].parameters())
        value = networks["b"](networks["a"](batch.x)).square().mean()
        seen["a"] = torch.autograd.grad(value, list(networks["a"].parameters()), retain_graph=True)
        return {"both": value}

    x = TensorSource(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)))
    loop = Loop(networks, [Phase("a", ("a",), of_a, Optimiser("sgd", 0.1))], x, batch_size=8)
    loop.run(steps=1)
    for (name, value), gradient in zip(networks["a"].named_parameters(), seen["a"], strict=True):
        torch.testing.assert_close(value, start[name] - 0.1 * gradient)
    for name, value in networks["b"].named_parameters():
        assert torch.equal(value, other[name])


@pytest.mark.parametrize("bad", ["term", "gradient"])
def test_nothing_not_finite_gets_through(tmp_path, bad):
    network = Player(0)

    def loss(batch):
        size = network(batch.x).square().mean()
        if loop.step == 3:
            wrong = torch.tensor(math.nan) if bad == "term" else (size * 0).sqrt()
            return {"size": size, "wrong": wrong}
        return {"size": size, "wrong": size * 0}

    loop = Loop({"g": network}, [Phase("g", ("g",), loss, Optimiser())], data())
    kept = []
    with pytest.raises(TrainingError, match=r"step 4, phase 'g'.*(wrong|gradient).*nan") as error:
        loop.run(steps=9, folder=tmp_path, report=lambda *_: kept.append(weights(loop)))
    assert "last good step" in str(error.value)
    assert loop.step == 3
    assert same(weights(loop), kept[-1])  # moments of batch-norm included
    assert (tmp_path / "checkpoint" / "config.json").exists()


def test_the_best_weights_are_kept_and_not_the_last():
    network = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(1.0)

    def loss(batch):
        return {"away": network.weight.sum()}  # pushes the weight from 1 down past 0

    def judge():
        return {"distance": network.weight.abs().item()}

    source = TensorSource(torch.zeros(4, 1))
    loop = Loop({"w": network}, [Phase("w", ("w",), loss, Optimiser("sgd", 0.1))], source)
    loop.run(steps=100, judge=judge)
    assert loop.best is not None
    assert loop.best["step"] == 10
    assert network.weight.abs().item() < 1e-6


def judged(values, tolerance, ema=None, steps=100, folder=None):
    """A loop whose judge says the given values in turn."""
    network = nn.Linear(1, 1, bias=False)
    phase = Phase("w", ("w",), lambda b: {"size": network.weight.square().sum()}, Optimiser())
    loop = Loop({"w": network}, [phase], TensorSource(torch.zeros(4, 1)), ema=ema)
    coming = iter(values)
    loop.run(steps=steps, judge=lambda: {"d": next(coming)}, tolerance=tolerance, folder=folder)
    return loop


def test_later_weights_within_the_tolerance_are_kept_and_collapsed_ones_are_not():
    noisy = [9.0, 5.0, 3.0, 1.0, 1.3, 1.1, 1.45, 1.2, 1.4, 1.1, 1.3, 1.2, 1.4]  # 13 marks
    assert judged(noisy, 0.0).best["step"] == 10
    assert judged(noisy, 0.5).best["step"] == 100
    collapsed = [*noisy[:8], 1.6, 4.0, math.nan, 9.0, math.inf]
    kept = judged(collapsed, 0.5).best
    assert (kept["step"], kept["value"], kept["least"]) == (50, 1.2, 1.0)
    creeping = [1.0 + 0.4 * k for k in range(13)]  # each is near the one before it, not the least
    assert judged(creeping, 0.5).best["step"] == 2


def test_the_average_is_kept_before_own_weights_that_are_not_clearly_better():
    own, averaged = [0.9] * 13, [1.0] * 13
    values = [v for pair in zip(own, averaged, strict=True) for v in pair]
    assert judged(values, 0.0, ema=0.9).best["which"] == "own"
    assert judged(values, 0.5, ema=0.9).best["which"] == "averaged"
    worse = [v for pair in zip(own, [2.0] * 13, strict=True) for v in pair]
    assert judged(worse, 0.5, ema=0.9).best["which"] == "own"


@pytest.mark.parametrize("judging", [True, False])
def test_what_follows_from_weights_is_estimated_anew_for_their_average(judging):
    network = nn.Linear(1, 1, bias=False)
    network.register_buffer("moment", torch.zeros(1))
    phase = Phase("w", ("w",), lambda b: {"size": network.weight.square().sum()}, Optimiser())
    loop = Loop({"w": network}, [phase], TensorSource(torch.zeros(4, 1)), ema=0.9)
    seen = []

    def refresh():
        assert not network.training
        network.moment.copy_(network.weight[0])

    def judge():
        seen.append((network.weight.item(), network.moment.item()))
        return {"d": -float(len(seen))}  # each look finds it better: the last average is kept

    loop.run(steps=20, judge=judge if judging else None, refresh=refresh)
    assert network.moment.item() == network.weight.item() != 0
    if judging:
        assert all(moment == 0 for _, moment in seen[::2])  # its own weights have their own
        assert all(moment == weight for weight, moment in seen[1::2])


def test_the_least_value_survives_an_interruption(tmp_path):
    # of 10 steps the marks are 1, 2, ... 10; of 20, those beyond the 10 steps taken are 12, 14 ...
    judged([1.0, *[1.4] * 9], 0.5, steps=10, folder=tmp_path)
    again = judged([1.6, 1.6, 1.6, 1.6, 1.6], 0.5, steps=20, folder=tmp_path)
    assert (again.best["step"], again.best["least"]) == (10, 1.0)


def test_the_best_weights_survive_an_interruption(tmp_path):
    def loop():
        network = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            network.weight.fill_(1.0)
        phase = Phase("w", ("w",), lambda b: {"away": network.weight.sum()}, Optimiser("sgd", 0.1))
        made = Loop({"w": network}, [phase], TensorSource(torch.zeros(4, 1)))
        return made, network, lambda: {"distance": network.weight.abs().item()}

    first, _, judge = loop()
    first.run(steps=20, folder=tmp_path, judge=judge)
    again, network, judge = loop()
    again.run(steps=40, folder=tmp_path, judge=judge)
    assert again.best["step"] == 10
    assert network.weight.abs().item() < 1e-6


def test_logs_pictures_and_csv_agree(tmp_path):
    drawn = []
    loop = two_players()
    loop.run(steps=25, folder=tmp_path, picture=drawn.append, judge=lambda: {"fid": 1.0})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines == loop.history
    assert [line["step"] for line in lines] == list(range(1, 26))
    assert lines[-1]["fid"] == 1.0
    assert {"d.real", "d.fake", "g.play", "g.size", "g.rate", "d.gradient"} <= lines[0].keys()
    head, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert len(rows) == 25
    assert head.split(",")[:2] == ["step", "seconds"]
    assert drawn[-1] == tmp_path / "samples" / "0000025.png"


def test_lines_written_after_the_last_checkpoint_go(tmp_path):
    two_players().run(steps=5, folder=tmp_path)
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"step": 6, "of": "a killed run"}\n')
    two_players().run(steps=7, folder=tmp_path)
    steps = [
        json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()
    ]
    assert steps == list(range(1, 8))


def test_a_budget_in_minutes_ends_the_run_and_counts_over_resumptions(tmp_path):
    loop = two_players()
    loop.run(minutes=0.005, folder=tmp_path)
    assert loop.step > 0
    assert loop.stopped == "the minutes of the budget are spent"
    again = two_players()
    again.run(minutes=0.005, folder=tmp_path)
    assert again.step == loop.step


def test_the_last_look_at_the_weights_is_of_the_minutes_too(tmp_path, monkeypatch):
    """By a clock of its own, on which a batch takes half a second and a look seven."""

    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    def spend(seconds):
        Clock.now += seconds

    def run():
        loop = two_players()
        batch = loop._stream.batch
        loop._stream.batch = lambda draw: (spend(0.5), batch(draw))[1]
        looked = []

        def judge():
            spend(7)
            looked.append(Clock.now)
            return {"fid": 1.0}

        loop.run(minutes=5, folder=tmp_path, judge=judge)
        return loop, looked

    monkeypatch.setattr(training_loop, "time", Clock)
    first, looked = run()
    assert Clock.now == pytest.approx(300, abs=2)
    assert looked[-1] == Clock.now  # the last weights are judged
    assert first.stopped == "the minutes of the budget are spent"
    again, _ = run()
    assert again.step == first.step
    assert Clock.now == pytest.approx(300, abs=2)


def test_another_run_in_the_folder_is_refused(tmp_path):
    two_players(identity={"width": 8}).run(steps=1, folder=tmp_path)
    with pytest.raises(ParameterError, match=r"continued: it has width 8, and this one 16\. "):
        two_players(identity={"width": 16}).run(steps=1, folder=tmp_path)
    with pytest.raises(ParameterError, match="seed"):
        two_players(identity={"width": 8}, seed=1).run(steps=1, folder=tmp_path)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    two_players().run(steps=1, folder=tmp_path)
    file = tmp_path / "checkpoint" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"The run in .* cannot be continued: .*altered"):
        two_players().run(steps=2, folder=tmp_path)


def test_what_cannot_be_trained_is_refused():
    network = {"g": nn.Linear(1, 1)}
    phase = Phase("g", ("g",), lambda b: {"x": b.x.mean()}, Optimiser())
    with pytest.raises(DataError, match="no rows"):
        Loop(network, [phase], TensorSource(torch.zeros(0, 1)))
    source = TensorSource(torch.zeros(3, 1))
    with pytest.raises(ParameterError, match="no budget"):
        Loop(network, [phase], source).run()
    lost = Phase("g", ("h",), phase.loss, Optimiser())
    with pytest.raises(ParameterError, match="'h'"):
        Loop(network, [lost], source)
    with pytest.raises(ParameterError, match="Expected one of adam"):
        Optimiser("adamm")
    with pytest.raises(ParameterError, match="momentun"):
        Loop(
            network, [Phase("g", ("g",), phase.loss, Optimiser(settings={"momentun": 1}))], source
        )


def test_bfloat16_computes_losses_under_autocast():
    seen = []
    network = nn.Linear(3, 3)

    def loss(batch):
        value = network(batch.x)
        seen.append(value.dtype)
        return {"x": value.float().square().mean()}

    loop = Loop(
        {"n": network}, [Phase("n", ("n",), loss, Optimiser())], data(), precision="bfloat16"
    )
    loop.run(steps=1)
    assert seen == [torch.bfloat16]
    assert network.weight.dtype == torch.float32


def test_runs_outside_the_main_thread():
    loop = two_players()
    thread = threading.Thread(target=loop.run, kwargs={"steps": 2})
    thread.start()
    thread.join()
    assert loop.step == 2


def test_the_gradient_is_clipped_by_its_norm():
    network = nn.Linear(1, 1, bias=False)
    start = network.weight.item()

    def loss(batch):
        return {"steep": 1000 * network.weight.sum()}

    phase = Phase("n", ("n",), loss, Optimiser("sgd", 1.0, clip=0.5))
    loop = Loop({"n": network}, [phase], TensorSource(torch.zeros(4, 1)))
    loop.run(steps=1)
    assert np.isclose(start - network.weight.item(), 0.5, atol=1e-4)
    assert np.isclose(loop.history[0]["n.gradient"], 1000)


def test_tensorboard_gets_the_records(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    loop = two_players()
    loop.run(steps=3, folder=tmp_path, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    values = [event.value for event in events.Scalars("d.real")]
    np.testing.assert_allclose(values, [r["d.real"] for r in loop.history], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("minutes", value) for value in (-1, 0, math.nan, math.inf, "5", True)),
        *(("steps", value) for value in (0, -1, 1.5, True)),
        *(("ema", value) for value in (1.5, 1, -0.1, math.nan)),
        ("batch_size", 0),
    ],
)
def test_budgets_and_sizes_that_are_none(name, value):
    network = nn.Linear(1, 1)
    phase = Phase("fit", ("net",), lambda batch: {"mean": network(batch.x).mean()}, Optimiser())
    made = {name: value} if name in ("ema", "batch_size") else {}
    with pytest.raises(ParameterError, match=f"^{name} is"):
        Loop({"net": network}, [phase], TensorSource(torch.ones(4, 1)), **made).run(
            **{"steps": 1, **({} if made else {name: value})}
        )
