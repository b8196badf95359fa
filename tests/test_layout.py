"""The layout: packages stand on floors, and import only downwards and never in a circle."""

import ast
from functools import cache
from pathlib import Path

import pytest

import pushforward

ROOT = Path(pushforward.__file__).parent
FLOORS = {
    0: (
        "wording",
        "errors",
        "_not_fitted",
        "_lazy",
        "_version",
        "validation",
        "deprecation",
        "devices",
        "citations",
        "plain_text",
        "data",
        "storage",
    ),
    1: ("networks", "training", "transport"),
    2: ("estimators",),
    3: ("models",),
    4: ("metrics",),
    5: ("refinement",),
    6: ("report",),
    7: ("cli", "studio", "demo", "__main__"),
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}


def modules():
    """Every module of the library by its dotted name, without that of the library."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts not in (("__init__",), ("_not_fitted",)):  # the latter is a part of errors
            yield path, parts


@cache
def parsed(path):
    """The syntax tree of a module."""
    return ast.parse(path.read_text())


def imported(path, parts):
    """Parts of the names of the modules that a module imports, wherever in it."""
    package = parts[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            base += tuple(node.module.split(".")) if node.module else ()
            yield from ([base] if base else [(alias.name,) for alias in node.names])
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pushforward."):
            yield tuple(node.module.split(".")[1:])


@pytest.mark.parametrize("name", sorted({parts[0] for _, parts in modules()}))
def test_a_package_has_a_floor_and_imports_nothing_from_above_it(name):
    upwards = [
        f"{'.'.join(parts)} imports {'.'.join(target)}"
        for path, parts in modules()
        if parts[0] == name
        for target in imported(path, parts)
        if FLOOR[target[0]] > FLOOR[name]
    ]
    assert not upwards


def test_no_two_packages_import_each_other():
    needs = {}
    for path, parts in modules():
        own = parts[:2] if parts[0] in ("models", "data") and len(parts) > 2 else parts[:1]
        for target in imported(path, parts):
            other = target[: len(own)] if target[0] == own[0] else target[:1]
            if other != own and other != own[: len(other)]:
                needs.setdefault(own, set()).add(other)
    circles = [(a, b) for a, others in needs.items() for b in others if a in needs.get(b, ())]
    assert not circles


def defined(tree):
    """Names that a module defines: functions, classes, attributes and class members."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(
            node.target, (ast.Name, ast.Attribute)
        ):
            yield node.target.id if isinstance(node.target, ast.Name) else node.target.attr
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def is_private(name):
    """Whether a name begins with one underscore; those with two are Python's own."""
    return name.startswith("_") and not name.startswith("__")


#: Members of named tuples, which begin with an underscore so that they are no fields.
NAMED_TUPLE = ("_asdict", "_fields", "_replace")


def private_uses(path):
    """What a module uses of others that begins with an underscore, as texts.

    An object's own members are reached by ``self``, ``cls``, ``super()`` or the name of a base
    class; other objects' may be where the module itself defines members of that name.
    """
    tree = parsed(path)
    own = set(defined(tree))
    bases = {
        base.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            local = node.level or (node.module or "").startswith("pushforward")
            for alias in node.names:
                if local and is_private(alias.name) and alias.name != "_version":
                    yield f"line {node.lineno}: from {node.module} import {alias.name}"
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            owner = node.value
            inherited = isinstance(owner, ast.Name) and owner.id in {"self", "cls", *bases}
            above = isinstance(owner, ast.Call) and ast.unparse(owner.func) == "super"
            known = node.attr in own or node.attr in NAMED_TUPLE
            if not (inherited or above or known):
                yield f"line {node.lineno}: {ast.unparse(node)}"


def test_private_members_stay_in_their_module_and_their_family_of_classes():
    found = [f"{'.'.join(parts)} {use}" for path, parts in modules() for use in private_uses(path)]
    assert not found


def test_the_search_for_private_members_finds_them(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "from .other import _hidden\n"
        "class A(B):\n"
        "    def f(self, x):\n"
        "        self._own, x._own, B._above(self), super()._above()\n"
        "        return x._foreign\n"
        "    def _own(self): pass\n"
    )
    assert list(private_uses(path)) == [
        "line 1: from other import _hidden",
        "line 5: x._foreign",
    ]


def test_every_module_says_in_a_sentence_what_it_is():
    for path, parts in modules():
        text = ast.get_docstring(parsed(path))
        assert text, parts
        first = text.split("\n\n")[0]
        assert first.rstrip().endswith((".", ":", "?")), (parts, first)


def test_no_function_is_long():
    """Sixty lines without signature and docstring."""
    long = set()
    for path, parts in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and body[-1].end_lineno - body[0].lineno >= 60:
                    long.add((".".join(parts), node.name))
    assert not long


def test_a_warning_names_a_line_of_the_user():
    """However deep in this package it is said; what has an old name says so where that stands."""
    other = []
    for path, parts in modules():
        if parts != ("deprecation",) and "warnings.warn(" in path.read_text():
            calls = [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
            for call in calls:
                levels = [ast.unparse(w.value) for w in call.keywords if w.arg == "stacklevel"]
                warns = ast.unparse(call.func) == "warnings.warn"
                if warns and levels != ["stacklevel_of_caller()"]:
                    other.append(f"{'.'.join(parts)}, line {call.lineno}")
    assert other == []


def test_attributes_are_hardly_ever_asked_for_by_name():
    """What a model can do is asked of its capabilities; forty places are for what others made."""
    calls = [
        f"{'.'.join(parts)}, line {call.lineno}"
        for path, parts in modules()
        for call in ast.walk(parsed(path))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("hasattr", "getattr")
    ]
    assert 0 < len(calls) < 40, calls
