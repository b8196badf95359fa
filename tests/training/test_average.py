"""Moving averages: warmed up, buffers included, undone after use."""

import torch
from torch import nn

from pushforward.training import Average


def test_the_average_follows_its_formula_and_covers_buffers():
    net = nn.BatchNorm1d(2)
    average = Average({"n": net}, decay=0.5)
    expected = {k: v.clone() for k, v in net.state_dict().items()}
    for t in range(30):
        with torch.no_grad():
            net.weight.fill_(t)
            net.running_mean.fill_(-t)
            net.num_batches_tracked += 1
        average.update()
        d = min(0.5, (1 + t) / (10 + t))
        for key in ("weight", "running_mean"):
            expected[key] = d * expected[key] + (1 - d) * net.state_dict()[key]
    torch.testing.assert_close(average.state["n.weight"], expected["weight"])
    torch.testing.assert_close(average.state["n.running_mean"], expected["running_mean"])
    assert average.state["n.num_batches_tracked"] == 30


def test_the_first_updates_forget_the_beginning():
    net = nn.Linear(1, 1, bias=False)
    average = Average({"n": net}, decay=0.999)
    with torch.no_grad():
        net.weight.fill_(5.0)
    for _ in range(20):
        average.update()
    assert abs(average.state["n.weight"].item() - 5.0) < 0.02


def test_own_weights_come_back_even_after_an_error():
    net = nn.Linear(2, 2)
    average = Average({"n": net}, decay=0.9)
    with torch.no_grad():
        net.weight.fill_(3.0)
    try:
        with average.applied():
            assert not (net.weight == 3).any()
            raise RuntimeError
    except RuntimeError:
        pass
    assert (net.weight == 3).all()
