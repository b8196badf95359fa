"""Advice is worded for who reads it: Python's calls in Python, options in the command."""

import ast
import re
from pathlib import Path

import pytest

import pushforward
from pushforward.wording import did_you_mean, near_file, nearest, setting, worded, wording

ROOT = Path(pushforward.__file__).parent
#: A call, or an argument with a value, as one writes them in Python.
PYTHON = re.compile(r"\b[A-Za-z_][\w.]*\((?!s\))[^)]*\)|(?<!--set )\b[a-z_]+=['\"\[{(\w]")
#: Where texts are read in Python alone.
OF_PYTHON = {
    "data/checks.py": "texts that scikit-learn's checks ask for",
    "data/images/in_memory.py": "of what is in memory",
    "data/images/pixel_range.py": "of arrays",
    "data/tables/sheet.py": "of lazy frames",
    "data/tables/table_files.py": "says how numpy writes a file",
    "estimators/generator_model.py": "of networks of one's own",
    "estimators/image_flow.py": "a method that the command has by that name",
    "estimators/torch_distribution.py": "of a method that the command lacks",
    "estimators/trained_model.py": "of a parameter that the command gives itself",
    "metrics/features/torch_files.py": "says how torch reads a file",
    "metrics/features/users.py": "of networks of one's own",
    "metrics/features/weights.py": "names the option itself",
    "models/flows/coupling_flow.py": "of networks",
    "models/flows/glow_network.py": "of networks",
    "models/gans/dfm.py": "of networks of one's own",
    "models/gans/ppgn.py": "of networks of one's own",
    "models/prediction/predictor.py": "of methods that the command lacks",
}
OF_PYTHON_PACKAGES = ("refinement/",)  # of generators of one's own; the command has presets


def texts(node):
    """The texts of an expression, but for what ``worded`` says in Python."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "worded":
        return
    if isinstance(node, ast.JoinedStr):
        yield "".join(v.value if isinstance(v, ast.Constant) else "{…}" for v in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def messages(tree):
    """The texts of errors and warnings of a module."""
    for node in ast.walk(tree):
        call = node.exc if isinstance(node, ast.Raise) else node
        warns = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "warn"
        if isinstance(call, ast.Call) and (warns or isinstance(node, ast.Raise)):
            yield from (text for part in call.args for text in texts(part))


def test_no_text_that_the_command_may_show_advises_python():
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name in OF_PYTHON or name.startswith(OF_PYTHON_PACKAGES):
            continue
        advice = [text for text in messages(ast.parse(path.read_text())) if PYTHON.search(text)]
        found |= {name: advice} if advice else {}
    assert found == {}


def test_the_search_finds_advice_for_python():
    tree = ast.parse(
        "raise DataError(f\"{x} is no. Give size='SIDE'.\")\n"
        "raise DataError('Call fit(X, y).')\n"
        "raise DataError(worded('fit(X)', 'pushforward fit'))\n"
        "warnings.warn('take missing=drop')\n"
    )
    assert [bool(PYTHON.search(text)) for text in messages(tree)] == [True, True, True]


def test_advice_is_worded_once_for_each():
    assert (setting("missing", "drop"), setting("minutes")) == ("missing='drop'", "minutes")
    assert worded("in Python", "in the command") == "in Python"
    with wording(lambda name, value: f"--{name}" + ("" if value is None else f" {value}")):
        assert (setting("missing", "drop"), setting("minutes")) == ("--missing drop", "--minutes")
        assert worded("in Python", "in the command") == "in the command"
    assert setting("minutes", 2) == "minutes=2"


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("Sex", ["sex", "size"], "sex"),
        ("petal_length", ["petal length (cm)", "petal width (cm)"], "petal length (cm)"),
        ("bill", ["total_bill", "tip"], "total_bill"),
        ("xyz", ["age", "income"], None),
        (3, [0, 1, 2], None),
    ],
)
def test_names_that_were_meant(name, known, meant):
    assert nearest(name, known) == meant
    assert did_you_mean(name, known) == ("" if meant is None else f" (did you mean {meant!r}?)")


def test_a_neighbour_of_a_file_that_is_not_there(tmp_path):
    (tmp_path / "people.csv").touch()
    (tmp_path / "people").mkdir()
    assert near_file(tmp_path / "poeple.csv") == f" (did you mean '{tmp_path}/people.csv'?)"
    assert near_file(tmp_path / "quux.csv") == ""
    # a folder of a kind is none without its file
    assert near_file(tmp_path / "peple", "config.json") == ""
    (tmp_path / "people" / "config.json").touch()
    assert near_file(tmp_path / "peple", "config.json") == f" (did you mean '{tmp_path}/people'?)"
    gone = tmp_path / "nowhere" / "people.csv"
    assert near_file(gone) == f" (there is no folder '{tmp_path}/nowhere')"
