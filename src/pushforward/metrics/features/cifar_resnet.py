"""The ResNets of CIFAR-10 as features: a classifier in place of Inception for 32x32 colour images.

He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition* (2016), section 4.2, with
shortcuts of option A: where a stage begins, every second pixel, and channels of zeros beside it.
"""

import os
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ModelFileError
from .networks import NetworkFeatures, folded, in_colour
from .resize import RESIZERS, resize
from .weights import WeightsFile, find_weights

__all__ = ["CIFAR_RESNET_FILES", "CifarResNet", "CifarResNetFeatures"]

_ORIGIN = "weights of akamaster/pytorch_resnet_cifar10 as safetensors"
CIFAR_RESNET_FILES = {
    20: WeightsFile(
        "resnet20_cifar10.safetensors",
        "849ed3b514cf6918d7298996d98c7a6e881ed17642c655098aaf572285ee4908",
        _ORIGIN,
    ),
    56: WeightsFile(
        "resnet56_cifar10.safetensors",
        "e398304786cc6caa6ec0eb4ae0629cdcd148e63ff979669d051042efd4c77e01",
        _ORIGIN,
    ),
}
_WIDTHS = (16, 32, 64)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = 1 if inputs == outputs else 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))
        if self.stride == 2:
            beside = x.shape[1] // 2
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, beside, beside))
        return F.relu(x + y)


class CifarResNet(nn.Module):
    """The network: (n, 3, 32, 32), standardised, to features (n, 64).

    Batch normalisations are folded into the convolutions before them.

    Args:
        depth: layers, 6 blocks + 2.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1)
        for stage, (inputs, outputs) in enumerate(
            zip((16, *_WIDTHS), _WIDTHS, strict=False), start=1
        ):
            chain = [_Residual(outputs if i else inputs, outputs) for i in range(blocks)]
            self.add_module(f"layer{stage}", nn.Sequential(*chain))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        for stage in (1, 2, 3):
            x = self.get_submodule(f"layer{stage}")(x)
        return x.mean(dim=(2, 3))

    def logits(self, features: Tensor) -> Tensor:
        return self.linear(features)

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor], depth: int) -> "CifarResNet":
        """Build the network from the published tensors.

        Raises:
            ModelFileError: A tensor is missing or of another shape.
        """
        with torch.device("meta"):
            network = cls(depth)
        try:
            state = {f"linear.{part}": weights[f"linear.{part}"] for part in ("weight", "bias")}
            for name, module in network.named_modules():
                if isinstance(module, nn.Conv2d):
                    layer = folded(weights, name, name.replace("conv", "bn"), 1e-5)
                    state |= {f"{name}.{part}": tensor for part, tensor in layer.items()}
            network.load_state_dict(state, assign=True)
            surplus = weights.keys() - set(_published_names(network))
            if surplus:
                raise KeyError(f"{len(surplus)} tensors too many, as {min(surplus)}")
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(
                f"These are not the weights of a CIFAR ResNet-{depth}: {str(error)[:300]}. "
                f"Expected the tensors of {CIFAR_RESNET_FILES[depth].name}."
            ) from error
        return network


def _published_names(network: nn.Module) -> list[str]:
    names = ["linear.weight", "linear.bias"]
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            norm = name.replace("conv", "bn")
            parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            names += [f"{name}.weight", *(f"{norm}.{part}" for part in parts)]
    return names


class CifarResNetFeatures(NetworkFeatures):
    """Pooled features (n, 64) and the ten classes of a ResNet trained on CIFAR-10.

    Images of other sizes are resized to 32x32, antialiased. Scores made with it always go under
    its own name: they do not compare with Inception's.

    Args:
        depth: 20 (91.7 % right on the test images) or 56 (93.4 %).
        weights: file, or folder that has it; None looks in the folder that the
            environment variable ``PUSHFORWARD_DATA`` names. Nothing is downloaded.
        device: where it runs; a GPU where there is one.

    Raises:
        ParameterError: No weights are found.
        ModelFileError: The file is not one of such weights.
    """

    def __init__(
        self,
        depth: int = 20,
        weights: str | os.PathLike | None = None,
        *,
        device: str | torch.device | None = None,
    ) -> None:
        known = (CIFAR_RESNET_FILES[depth],)
        tensors, sha256, published = find_weights(known, "cifar_resnet", weights)
        name = f"cifar10-resnet{depth}"
        super().__init__(
            CifarResNet.from_weights(tensors, depth),
            name=name if published else f"{name} ({sha256[:12]})",
            preprocessing=f"32x32 {RESIZERS['antialiased']}; grey repeated in 3 channels; "
            "standardised by ImageNet's channel means and deviations",
            dimension=64,
            digest=sha256,
            device=device,
        )
        self._mean = torch.tensor(_MEAN, device=self.device)[:, None, None]
        self._deviation = torch.tensor(_DEVIATION, device=self.device)[:, None, None]

    def prepare(self, images: Tensor) -> Tensor:
        resized = in_colour(resize(images.float(), 32)) / 255
        return (resized - self._mean) / self._deviation
