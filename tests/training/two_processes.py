"""Trains under torchrun; the first process writes its weights. Not a test itself."""

import sys

import torch
from safetensors.torch import save_file
from torch import nn

from pushforward.training import Loop, Optimiser, Phase, TensorSource


def trained(device="cpu"):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    networks = {
        "g": nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3)),
        "d": nn.Linear(3, 1),
    }

    def of_g(batch):
        return {"play": -networks["d"](networks["g"](batch.normal(3))).mean()}

    def of_d(batch):
        fake = networks["g"](batch.normal(3))
        gap = networks["d"](fake).mean() - networks["d"](batch.x).mean()
        return {"gap": gap, "size": 0.1 * networks["d"](batch.x).square().mean()}

    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
    phases = [
        Phase("d", ("d",), of_d, Optimiser("adam", 1e-2), repeats=2),
        Phase("g", ("g",), of_g, Optimiser("adam", 1e-2, clip=1.0)),
    ]
    loop = Loop(networks, phases, TensorSource(x), batch_size=7, ema=0.9)
    loop.run(steps=15)
    return loop


if __name__ == "__main__":
    loop = trained()
    if loop.processes.first:
        tensors = {
            f"{n}.{k}": v for n, m in loop.networks.items() for k, v in m.state_dict().items()
        }
        save_file(tensors, sys.argv[1])
    assert loop.processes.count == int(sys.argv[2])
