"""The four configurations of NICE that were published, as data.

From the files of the authors' released code for Dinh, Krueger & Bengio, *NICE: Non-linear
Independent Components Estimation* (2015).
"""

from typing import Any

__all__ = ["NICE_EPOCHS", "NICE_PUBLISHED"]

NICE_PUBLISHED: dict[str, dict[str, Any]] = {
    "mnist": {
        "network": {"couplings": (5, 5, 5, 5), "width": 1000, "prior": "logistic", "tile": True},
        "interval": (0.0, 1.0),
        "batch_size": 200,
        "learning_rate": 1e-3,
        "last_rate": 1e-4,
    },
    "tfd": {
        "network": {
            "couplings": (3, 3, 2, 2, 1, 1, 1, 1),
            "width": 2000,
            "prior": "logistic",
            "tile": True,
        },
        "interval": (0.0, 1.0),
        "batch_size": 128,
        "learning_rate": 1e-3,
        "last_rate": 1e-4,
    },
    "svhn": {
        "network": {"couplings": (3, 3, 3, 3), "width": 2000, "prior": "normal", "tile": False},
        "interval": (0.0, 1.0),
        "batch_size": 200,
        "learning_rate": 1e-3,
        "last_rate": 1e-4,
    },
    "cifar10": {
        "network": {
            "couplings": (1, 1, 3, 3, 2, 2, 1, 1),
            "width": 2400,
            "prior": "normal",
            "tile": False,
        },
        "interval": (-1.0, 1.0),
        "batch_size": 200,
        "learning_rate": 2e-4,
        "last_rate": 1e-5,
    },
}
"""By name of the set: arguments of
:class:`~pushforward.models.flows.nice_network.NICENetwork`, the interval pixels are scaled
to, and what differs in training."""

NICE_EPOCHS = 1500
