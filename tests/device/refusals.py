"""Prints with which words the pretend device refuses what a GPU refuses. Not a test itself."""

import pretend_cuda

pretend_cuda.install()

import json  # noqa: E402

import torch  # noqa: E402

here, there = torch.ones(2, 3), torch.ones(2, 3, device="cuda")
ATTEMPTS = {
    "two devices": lambda: here + there,
    "generator": lambda: there.normal_(generator=torch.Generator().manual_seed(0)),
    "index": lambda: here[torch.tensor([0], device="cuda")],
    "weights": lambda: torch.nn.functional.conv2d(there[None, None], here[None, None]),
}
WORDS = (
    "at least two devices",
    "by a generator of the CPU",
    "indices should be either on cpu",
    "of tensors of two devices",
)


def refusal(attempt):
    try:
        attempt()
    except RuntimeError as error:
        return next((words for words in WORDS if words in str(error)), str(error))
    return "nothing"


print(json.dumps({name: refusal(attempt) for name, attempt in ATTEMPTS.items()}))
