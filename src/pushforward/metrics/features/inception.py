"""Inception-v3 as FID knows it: the network of 2015-12-05, not the one of later papers.

Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, *Rethinking the Inception Architecture for Computer
Vision* (2015); features for the Fréchet distance by Heusel, Ramsauer, Unterthiner, Nessler and
Hochreiter, *GANs Trained by a Two Time-Scale Update Rule* (2017). Two things set this graph
apart: average pools that do not count the padding, and a max pool in the last block.
"""

import os
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ModelFileError, UnsupportedError
from .networks import NetworkFeatures, folded, in_colour
from .resize import RESIZERS, resize, resize_matrix
from .weights import WeightsFile, find_weights

__all__ = ["INCEPTION_FILES", "Inception", "InceptionFeatures"]

INCEPTION_FILES = (
    WeightsFile(
        "pt_inception-2015-12-05-6726825d.pth",
        "6726825d",
        "the file of the pytorch-fid project, with the final layer",
    ),
    WeightsFile(
        "pt_inception-2015-12-05-nofc.safetensors",
        "3a9de063f807ffff146eaef6705ea91c08ccdd61e18d9c0a10e10320d4542e7e",
        "the same weights as safetensors, without the final layer",
    ),
)
_SIDE = 299
_NORM_EPSILON = 0.001
_MEAN = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
_MAX = nn.MaxPool2d(3, 1, 1)
_HALVE = nn.MaxPool2d(3, 2)


def _convolution(inputs: int, layer: tuple) -> nn.Conv2d:
    """Stride 1 keeps the size; stride 2 is without padding."""
    channels, kernel, stride = (*layer, 1)[:3]
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    padding = (height // 2, width // 2) if stride == 1 else 0
    return nn.Conv2d(inputs, channels, (height, width), stride, padding)


class _Block(nn.ModuleDict):
    """Branches side by side whose outputs are stacked, each a chain of layers.

    A layer is ``(channels, kernel[, stride])`` or a pool; the last may be a list of two side by
    side. Names are those of the published weights: ``branch``, or ``branch_1``, ``branch_2``,
    ... where a branch has several convolutions, the two side by side ``branch_2a, branch_2b``.
    """

    def __init__(self, inputs: int, **branches: list) -> None:
        super().__init__()
        self.chains: list[list[list[str]]] = []
        for branch, layers in branches.items():
            chain, channels = [], inputs
            several = sum(not isinstance(layer, nn.Module) for layer in layers) > 1
            for position, layer in enumerate(layers, 1):
                step = {}
                if isinstance(layer, nn.Module):
                    step[f"{branch}_before"] = layer
                else:
                    twins = isinstance(layer, list)
                    for which, one in zip("ab", layer if twins else [layer], strict=False):
                        suffix = f"_{position}" + which * twins if several else ""
                        step[branch + suffix] = _convolution(channels, one)
                    channels = (layer[0] if twins else layer)[0]
                self.update(step)
                chain.append(list(step))
            self.chains.append(chain)

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for chain in self.chains:
            y = [x]
            for step in chain:  # after a pool the ReLU changes nothing
                y = [F.relu(self[name](y[0])) for name in step]
            outputs += y
        return torch.cat(outputs, dim=1)


def _block_a(inputs: int, pooled: int) -> _Block:
    return _Block(
        inputs,
        branch1x1=[(64, 1)],
        branch5x5=[(48, 1), (64, 5)],
        branch3x3dbl=[(64, 1), (96, 3), (96, 3)],
        branch_pool=[_MEAN, (pooled, 1)],
    )


def _block_c(inner: int) -> _Block:
    along, down = (1, 7), (7, 1)
    return _Block(
        768,
        branch1x1=[(192, 1)],
        branch7x7=[(inner, 1), (inner, along), (192, down)],
        branch7x7dbl=[(inner, 1), (inner, down), (inner, along), (inner, down), (192, along)],
        branch_pool=[_MEAN, (192, 1)],
    )


def _block_e(inputs: int, pool: nn.Module) -> _Block:
    twins = [(384, (1, 3)), (384, (3, 1))]
    return _Block(
        inputs,
        branch1x1=[(320, 1)],
        branch3x3=[(384, 1), twins],
        branch3x3dbl=[(448, 1), (384, 3), twins],
        branch_pool=[pool, (192, 1)],
    )


class Inception(nn.Module):
    """The network: (n, 3, 299, 299) in [-1, 1] to features (n, 2048).

    Batch normalisations are folded into the convolutions before them.

    Args:
        classes: outputs of the final layer; 0 leaves it out, and ``logits`` with it.
    """

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = nn.Conv2d(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = nn.Conv2d(32, 32, 3)
        self.Conv2d_2b_3x3 = nn.Conv2d(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = nn.Conv2d(64, 80, 1)
        self.Conv2d_4a_3x3 = nn.Conv2d(80, 192, 3)
        self.Mixed_5b = _block_a(192, 32)
        self.Mixed_5c = _block_a(256, 64)
        self.Mixed_5d = _block_a(288, 64)
        self.Mixed_6a = _Block(
            288,
            branch3x3=[(384, 3, 2)],
            branch3x3dbl=[(64, 1), (96, 3), (96, 3, 2)],
            branch_pool=[_HALVE],
        )
        self.Mixed_6b = _block_c(128)
        self.Mixed_6c = _block_c(160)
        self.Mixed_6d = _block_c(160)
        self.Mixed_6e = _block_c(192)
        self.Mixed_7a = _Block(
            768,
            branch3x3=[(192, 1), (320, 3, 2)],
            branch7x7x3=[(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)],
            branch_pool=[_HALVE],
        )
        self.Mixed_7b = _block_e(1280, _MEAN)
        self.Mixed_7c = _block_e(2048, _MAX)
        self.fc = nn.Linear(2048, classes, bias=False) if classes else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.Conv2d_1a_3x3(x))
        x = F.relu(self.Conv2d_2a_3x3(x))
        x = _HALVE(F.relu(self.Conv2d_2b_3x3(x)))
        x = F.relu(self.Conv2d_3b_1x1(x))
        x = _HALVE(F.relu(self.Conv2d_4a_3x3(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))

    def logits(self, features: Tensor) -> Tensor:
        """Classes (n, 1008) of features; like the first Inception scores, without the bias."""
        if self.fc is None:
            raise UnsupportedError(
                "These Inception weights have no final layer: features yes (FID, KID, precision "
                "and recall), classes no (Inception Score). "
                f"{INCEPTION_FILES[0].name} ({INCEPTION_FILES[0].origin}) has it; give its path "
                "as `weights`."
            )
        return self.fc(features)

    @classmethod
    def from_weights(cls, weights: Mapping[str, Tensor]) -> "Inception":
        """Build the network from tensors with the names of pytorch-fid.

        Raises:
            ModelFileError: A tensor is missing or of another shape.
        """
        final = weights.get("fc.weight")
        with torch.device("meta"):
            network = cls(0 if final is None else len(final))
        try:
            state = {} if final is None else {"fc.weight": final}
            for name in {key.rpartition(".")[0] for key in network.state_dict()} - {"fc"}:
                layer = folded(weights, f"{name}.conv", f"{name}.bn", _NORM_EPSILON)
                state |= {f"{name}.{part}": tensor for part, tensor in layer.items()}
            network.load_state_dict(state, assign=True)
        except (KeyError, RuntimeError) as error:
            raise ModelFileError(
                f"These are not the weights of the Inception of 2015-12-05: {str(error)[:300]}. "
                f"Expected the tensors of {INCEPTION_FILES[0].name}, by their names there."
            ) from error
        return network


class InceptionFeatures(NetworkFeatures):
    """Inception-v3 pool features (n, 2048) of images of any size, grey or colour.

    Args:
        weights: file, or folder that has it; None looks in the folder that the
            environment variable ``PUSHFORWARD_DATA`` names. Nothing is downloaded.
        resizer: how images come to 299 pixels: ``antialiased`` as clean-fid, ``bilinear`` as
            pytorch-fid, ``tf1`` as the first program. Scores compare within one of them only.
        device: where it runs; a GPU where there is one.

    Raises:
        ParameterError: No weights are found, or the resizer is not known.
        ModelFileError: The file is not one of such weights.
    """

    def __init__(
        self,
        weights: str | os.PathLike | None = None,
        *,
        resizer: str = "antialiased",
        device: str | torch.device | None = None,
    ) -> None:
        resize_matrix(1, 1, resizer)  # a wrong name is refused before a large file is read
        tensors, sha256, published = find_weights(INCEPTION_FILES, "inception_fid", weights)
        self.resizer = resizer
        super().__init__(
            Inception.from_weights(tensors),
            name="inception-v3-2015-12-05" if published else f"inception-v3 ({sha256[:12]})",
            preprocessing=f"299x299 {RESIZERS[resizer]}; grey repeated in 3 channels; [-1, 1]",
            dimension=2048,
            digest=sha256,
            device=device,
        )

    def prepare(self, images: Tensor) -> Tensor:
        resized = resize(images.float(), _SIDE, self.resizer)
        return in_colour(resized / 127.5 - 1)
