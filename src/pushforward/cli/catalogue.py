"""``pushforward models`` and ``datasets``: what there is."""

from .arguments import Json
from .console import print_json, print_table
from .registry import MODELS

__all__ = ["datasets", "models"]


def models(json: Json = False) -> None:
    """List the models, and what each can do."""
    if json:
        words = {"name": "name", "class": "cls", "for": "data", "can": "can", "about": "about"}
        print_json([{w: getattr(e, field) for w, field in words.items()} for e in MODELS.values()])
        return
    heads = {"model": "left", "class": "left", "for": "left", "can": "left", "about": "left"}
    lines = [(e.name, e.cls, e.data, ", ".join(e.can), e.about) for e in MODELS.values()]
    print_table(heads, lines)


def datasets(json: Json = False) -> None:
    """List the data sets that can be asked for by name; they need no network."""
    from .. import data

    found = data.datasets()
    if json:
        words = ("name", "rows", "columns", "about", "origin")
        print_json([{word: getattr(one, word) for word in words} for one in found])
        return
    heads = {"name": "left", "rows": "right", "columns": "right", "about": "left", "from": "left"}
    print_table(heads, [(d.name, f"{d.rows:,}", str(d.columns), d.about, d.origin) for d in found])
