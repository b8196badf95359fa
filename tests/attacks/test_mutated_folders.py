"""Folders whose sums were mended: each gives a model that works or a typed error, at no cost.

``PUSHFORWARD_MUTATIONS=20000`` runs the full scale; the default is a small share of it. Deeper:
``python tests/attacks/mutated_folders.py --count 20000 --seed 1``.
"""

import json
import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch
from torch import nn

import pushforward
from pushforward.errors import ModelFileError, ParameterError
from pushforward.storage.model_folder import MOST_TENSORS, read_folder, write_folder
from pushforward.storage.weights import built_to_fit, load_weights

sys.path.insert(0, os.path.dirname(__file__))
from mutated_folders import GOLDEN, MIB, ROOM, answer, attack, golden_folders, write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")

COUNT = int(os.environ.get("PUSHFORWARD_MUTATIONS", "130"))


@pytest.fixture(autouse=True, scope="module")
def _imported():
    """What is imported by the first load costs memory once, and is no cost of a folder."""
    for folder in golden_folders():
        pushforward.load(folder)


@pytest.fixture
def forged(tmp_path):
    """A golden folder with its ``model`` and its tensors changed by functions, sums mended."""

    def forge(name, change=None, change_tensors=None):
        folder = tmp_path / "forged"
        folder.mkdir()
        (folder / "README.md").write_bytes((GOLDEN / name / "README.md").read_bytes())
        document = json.loads((GOLDEN / name / "config.json").read_bytes())
        tensors = safetensors.torch.load_file(GOLDEN / name / "model.safetensors")
        if change:
            change(document["model"])
        if change_tensors:
            change_tensors(tensors)
        write(folder, document, safetensors.torch.save(tensors))
        return folder

    return forge


def set_to(*path, value):
    def change(model):
        for step in path[:-1]:
            model = model[step]
        model[path[-1]] = value

    return change


SIZES = [10**7, 2**31, 2**63, 2**64, 10**300, 0, -1, 1.5, "x", None, [2], {}, True]
SETTINGS = [
    *[("dcgan", name) for name in ("latent", "width")],
    *[("character_gan", name) for name in ("latent", "width", "blocks", "length", "characters")],
    *[("glow", name) for name in ("levels", "depth", "width")],
    *[("realnvp", name) for name in ("width", "blocks")],
    *[("table_gan", name) for name in ("latent", "width")],
]


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_sizes_that_the_weights_do_not_fill(forged, name, setting, tmp_path):
    known = json.loads((GOLDEN / name / "config.json").read_bytes())["model"]["settings"]
    assert setting in known
    for value in SIZES:
        folder = forged(name, set_to("settings", setting, value=value))
        found = answer(folder, name)
        assert found.word in ("refused", "works"), (value, found)
        assert value in (True, None) or found.word == "refused", value
        assert answer.last[1] < ROOM
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


@pytest.mark.parametrize("couplings", [10**10, 10**6])
def test_couplings_of_a_table(forged, couplings):
    """A list of 10 to the 10 couplings would be 80 GB before the first of them is built."""
    # the folder was written by an earlier version, whose settings are its parameters
    folder = forged("table_flow", set_to("parameters", "couplings", value=couplings))
    found = answer(folder, "table_flow")
    assert found.word == "refused"
    assert answer.last[1] < ROOM


EDITS = {
    "best is a word": ("dcgan", ("best",), "x"),
    "best without a step": ("dcgan", ("best",), {"measures": {}}),
    "measures of words": ("dcgan", ("best", "measures"), {"fid": "x"}),
    "history is a number": ("dcgan", ("history",), 1),
    "records without seconds": ("dcgan", ("history",), [{"step": 1}]),
    "a step of 1e300": ("dcgan", ("history", 0, "step"), 10**300),
    "seed of a word": ("dcgan", ("seed",), "x"),
    "seed of 2**64": ("glow", ("seed",), 2**64),
    "no classes": ("nice", ("classes",), []),
    "classes of one number": ("glow_conditional", ("classes",), [1, 1, 1]),
    "a layer between pixels": ("sig", ("layers", 0, 0, 2), 5e-324),
    "a loss that is none": ("dcgan", ("settings", "loss"), None),
    "unknown precision": ("glow", ("parameters", "precision"), "float99"),
    "unknown permutation": ("glow", ("settings", "permutation"), "float99"),
    "unknown dtype of a column": ("auto", ("columns", "columns", 0, "dtype"), "float99"),
    "unknown method": ("refined", ("parameters", "method"), "x"),
    "no rows": ("gis", ("columns", "n_rows"), "x"),
    "images of no pixels": ("vae", ("pixels", "shape"), [1, 0, 0]),
    "images without end": ("vae", ("pixels", "shape"), [1, 10**9, 10**9]),
    "images of words": ("vae", ("pixels", "shape"), ["x", 8, 8]),
    "masks without end": ("realnvp", ("pixels", "shape", 2), 10**7),
    "more pixels than a picture has": ("glow_conditional", ("pixels", "shape", 1), 10**7),
    "levels of a million": ("glow", ("settings", "levels"), 10**6),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_values(forged, edit):
    name, path, value = EDITS[edit]
    found = answer(forged(name, set_to(*path, value=value)), name)
    assert found.word == "refused", found
    assert answer.last[1] < ROOM


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("path", golden_folders(), ids=lambda path: path.name)
def test_weights_that_are_not_finite(forged, path, value):
    """Of every tensor of numbers in every golden folder."""

    def spoil(tensors):
        name = next(n for n, t in sorted(tensors.items()) if t.is_floating_point() and t.numel())
        tensors[name].view(-1)[-1] = value

    with pytest.raises(ModelFileError):
        pushforward.load(forged(path.name, None, spoil))


def test_stages_without_end(forged):
    """Each is a call within that of the next."""

    def repeat(model):
        model["kept"] *= 2000

    found = answer(forged("refined", repeat), "refined")
    assert found.word == "refused", found


def test_images_too_large_for_the_widest_layer(monkeypatch):
    """A network of convolutions fits images of any size: what it may claim has an end."""
    monkeypatch.setattr("pushforward.estimators.image_model._MOST_NUMBERS", 8 * 8 * 8 - 1)
    with pytest.raises(pushforward.ModelFileError, match="8 x 8, of which one has 512 numbers"):
        pushforward.load(GOLDEN / "glow")
    monkeypatch.setattr("pushforward.estimators.image_model._MOST_NUMBERS", 8 * 8 * 8)
    pushforward.load(GOLDEN / "glow")


@pytest.mark.parametrize("name", ["glow", "table_flow"])
def test_orders_that_are_none(forged, name):
    def shuffle(tensors):
        order = next(key for key in tensors if key.endswith("order"))
        tensors[order].view(-1)[0] = 99

    with pytest.raises(ModelFileError, match="permutation"):
        pushforward.load(forged(name, None, shuffle))


def test_mutations():
    tally = attack(COUNT)
    assert tally.faults == []
    assert sum(tally.words.values()) == COUNT
    assert {"refused", "works"} <= set(tally.words)  # the folders are neither all bad nor good


def test_too_many_tensors(tmp_path, reseal):
    one = '"%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    header = "{" + ",".join(one % k for k in range(4 * MOST_TENSORS)) + "}"
    folder = write_folder(tmp_path / "m", {}, {}, "")
    data = len(header).to_bytes(8, "little") + header.encode()
    (folder / "model.safetensors").write_bytes(data)
    reseal(folder)
    with pytest.raises(ModelFileError, match="400,000 tensors, over 100,000"):
        read_folder(folder)


def test_the_writer_keeps_the_limit_of_tensors(tmp_path, monkeypatch):
    monkeypatch.setattr("pushforward.storage.model_folder.MOST_TENSORS", 3)
    tensors = {str(k): torch.zeros(1) for k in range(4)}
    with pytest.raises(ParameterError, match="4 tensors, over 3"):
        write_folder(tmp_path / "m", {}, tensors, "")


def test_config_of_deep_lists_is_not_written_out(tmp_path, reseal):
    """Indented as it would be written, half a million lines of 200 blanks are 100 MB."""
    folder = write_folder(tmp_path / "m", {}, {}, "")
    deep = []
    for _ in range(96):
        deep = [deep]
    inner = deep
    while inner[0]:
        inner = inner[0]
    inner.extend([0] * 400_000)
    document = json.loads((folder / "config.json").read_bytes())
    document["model"] = {"x": deep}
    reseal(folder, document)
    (folder / "config.json").write_text(json.dumps(document, separators=(",", ":")))
    found = answer(folder, "")
    assert found.word == "refused"
    assert answer.last[1] < ROOM


def test_networks_of_a_folder_take_no_memory_before_they_fit():
    made = []

    def build():
        made.append(nn.Linear(10**6, 10**6))
        return {"flow": made[-1]}

    with pytest.raises(ModelFileError, match=r"\(1, 2\), and \(1000000, 1000000\)"):
        built_to_fit(build, {"flow.weight": torch.ones(1, 2), "flow.bias": torch.ones(1)})
    assert made[0].weight.is_meta
    assert len(made) == 1


def test_networks_of_many_parts_are_not_built():
    with pytest.raises(ModelFileError, match="parts"):
        built_to_fit(lambda: {"flow": nn.Sequential(*map(nn.Linear, *[[1] * 10**4] * 2))}, {})
    nn.Sequential(*(nn.Identity() for _ in range(2000)))  # nothing is counted afterwards


def test_no_compiler_is_loaded():
    """On the meta device torch computes some shapes by what loads its compiler: a second."""
    program = (
        "import sys, pushforward; "
        "[pushforward.load(folder) for folder in sys.argv[1:]]; "
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, *map(str, golden_folders())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_networks_with_parametrisations_are_built_as_outlines():
    def build():
        critic = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
        return {"critic": nn.Sequential(critic, nn.BatchNorm1d(2))}

    weights = {f"critic.{k}": v for k, v in build()["critic"].state_dict().items()}
    assert built_to_fit(build, weights)["critic"](torch.ones(4, 3)).shape == (4, 2)


def test_weights_of_another_type_are_not_copied():
    with pytest.raises(ModelFileError, match=r"torch.int64, and torch.float32"):
        load_weights(nn.Linear(1, 1, bias=False), {"weight": torch.ones(1, 1).long()})


def test_negative_variances_are_refused():
    state = nn.BatchNorm1d(2).state_dict()
    state["running_var"][0] = -1
    with pytest.raises(ModelFileError, match="variance is negative"):
        load_weights(nn.BatchNorm1d(2), state)


def test_reading_holds_the_file_twice_at_most(tmp_path):
    size = 48 * MIB
    folder = write_folder(
        tmp_path / "m", {}, {"a": torch.zeros(size // 8)} | {"b": torch.zeros(size // 8)}, ""
    )
    from mutated_folders import _forget_peak, _resident

    _forget_peak()
    before = _resident("VmRSS")
    read_folder(folder)
    assert _resident("VmHWM") - before < 2 * size + ROOM
