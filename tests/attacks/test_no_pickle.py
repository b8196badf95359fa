"""No file of the package can unpickle, or run code made of text; read from the syntax tree."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "pushforward"
MODULES = {"pickle", "_pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
MODULES |= {"jsonpickle", "pickletools", "runpy", "code"}
CALLS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    "torch.load",
    "torch.save",
    "torch.serialization.load",
    "torch.jit.load",
    "torch.hub.load",
    "torch.package.PackageImporter",
    "pandas.read_pickle",
    "numpy.lib.format.read_array",
    "yaml.load",
    "yaml.unsafe_load",
}
PICKLING_METHODS = {"to_pickle", "read_pickle", "load_state_dict_from_url"}


def offences(text):
    """Lines of a module's text that could unpickle or run what a file says."""
    tree = ast.parse(text)
    names = {}  # what a local name stands for: np -> numpy
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
                if MODULES & set(alias.name.split(".")):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module or ''}.{alias.name}"
                names[alias.asname or alias.name] = whole
                if MODULES & set(whole.split(".")) or whole in LOADERS:
                    yield node.lineno, whole

    def meaning(node):
        if isinstance(node, ast.Attribute):
            return f"{meaning(node.value)}.{node.attr}"
        return names.get(node.id, node.id) if isinstance(node, ast.Name) else "?"

    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and meaning(node) in CALLS | {
            f"builtins.{c}" for c in CALLS
        }:
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            whole = meaning(node)
            builtin = whole.startswith("builtins.") and node.attr in CALLS
            if builtin or whole in LOADERS or node.attr in PICKLING_METHODS:
                yield node.lineno, whole
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                value = getattr(keyword.value, "value", None)
                if keyword.arg == "allow_pickle" and value is not False:
                    yield node.lineno, "allow_pickle"
                if keyword.arg == "weights_only":
                    yield node.lineno, "weights_only"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.name)
def test_no_way_to_run_a_file(path):
    assert list(offences(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import os, dill",
        "def f():\n    import joblib",
        "from sklearn.externals import joblib",
        "import cloudpickle.cloudpickle",
        "import torch\ntorch.load('f', weights_only=True)",
        "import torch as t\nload = t.load",
        "from torch import load",
        "from torch import load as quiet",
        "import torch\ntorch.save({}, 'f')",
        "import numpy as np\nnp.load('f', allow_pickle=True)",
        "import numpy as np\nnp.load('f', allow_pickle=flag)",
        "eval('1')",
        "exec('1')",
        "f = eval",
        "import builtins\nbuiltins.exec('1')",
        "from builtins import eval as e\ne('1')",
        "import pandas as pd\npd.read_pickle('f')",
        "frame.to_pickle('f')",
        "__import__('os')",
    ],
)
def test_the_test_finds(text):
    assert list(offences(text))


@pytest.mark.parametrize(
    "text",
    [
        "network.eval()",
        "import numpy as np\nnp.load('f', allow_pickle=False)",
        "import numpy as np\nnp.load('f')",
        "import re\nre.compile('a')",
        "import torch\ntorch.compile(f)",
        "'import pickle; eval(1)'",
        "from pushforward import load",
    ],
)
def test_the_test_lets_be(text):
    assert not list(offences(text))
