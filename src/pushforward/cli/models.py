"""``pushforward models`` and ``datasets``: what there is."""

from typing import Any

from .arguments import Json
from .console import print_json, print_table
from .registry import MODELS

__all__ = ["datasets", "models"]


def models(json: Json = False) -> None:
    """List the models, and what each can do."""
    if json:
        print_json(
            [
                {"name": e.name, "class": e.cls, "for": e.data, "can": e.can, "about": e.about}
                for e in MODELS.values()
            ]
        )
        return
    heads = {"model": "left", "class": "left", "for": "left", "can": "left", "about": "left"}
    lines = [(e.name, e.cls, e.data, ", ".join(e.can), e.about) for e in MODELS.values()]
    print_table(heads, lines)


def datasets(json: Json = False) -> None:
    """List the data sets that can be asked for by name; none is downloaded.

    Tables need no files. Sets of images are looked for in the folder that PUSHFORWARD_DATA names,
    or in the user's cache.
    """
    from .. import data

    tables, images = data.datasets(), data.image_sets()
    if json:
        print_json([*map(_of_table, tables), *map(_of_images, images)])
        return
    heads = {"table": "left", "rows": "right", "columns": "right", "about": "left", "from": "left"}
    print_table(
        heads,
        [(one.name, f"{one.rows:,}", str(one.columns), one.about, one.origin) for one in tables],
    )
    print()
    heads = {"images": "left", "here": "left", "size": "left"}
    heads |= {"splits": "left", "about": "left", "from": "left"}
    print_table(heads, [_line(one) for one in images])


def _of_table(one: Any) -> dict[str, Any]:
    return {
        "kind": "table",
        "name": one.name,
        "about": one.about,
        "origin": one.origin,
        "rows": one.rows,
        "columns": one.columns,
    }


def _of_images(one: Any) -> dict[str, Any]:
    return {
        "kind": "images",
        "name": one.name,
        "about": one.about,
        "origin": one.origin,
        "shape": one.shape,
        "splits": one.splits,
        "available": one.available(),
    }


def _line(one: Any) -> tuple[str, ...]:
    splits = ", ".join(f"{split} {n:,}" for split, n in one.splits.items())
    here = "yes" if one.available() else "no"
    return one.name, here, " x ".join(map(str, one.shape)), splits, one.about, one.origin
