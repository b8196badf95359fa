"""What moved the predictions of the first rows of a file, for ``pushforward explain``."""

from typing import Any

import numpy as np

from .console import Console, print_table
from .predict import wanted_columns

__all__ = ["explain_predictions", "print_predictions"]


def explain_predictions(
    model: Any, table: Any, rows: int, columns: int, console: Console
) -> list[dict[str, Any]]:
    """The first rows of a table, their predictions, and the columns that moved these most."""
    wanted = wanted_columns(table, model, console)
    batch = next(iter(table.batches(rows)))
    few = batch[:rows] if wanted is None else batch[wanted][:rows]
    effects, predicted = model.explain(few), model.predict(few)
    return [
        {
            "row": row,
            "predicted": value if isinstance(value, str) else _plain(value),
            "columns": [
                {"column": column, "value": cell, "effect": effect}
                for column, cell, effect in effects.loc[
                    effects["row"] == row, ["column", "value", "effect"]
                ].itertuples(index=False)
            ][:columns],
        }
        for row, value in enumerate(predicted)
    ]


def print_predictions(explanations: list[dict[str, Any]]) -> None:
    """The same as a table."""
    heads = {"row": "right", "predicted": "right", "column": "left", "value": "right"}
    heads |= {"effect": "right"}
    lines = []
    for one in explanations:
        first = (str(one["row"]), _short(one["predicted"]))
        for entry in one["columns"]:
            effect = f"{entry['effect']:+.3g}"
            lines.append((*first, str(entry["column"]), _short(entry["value"]), effect))
            first = ("", "")
    print_table(heads, lines)


def _plain(value: Any) -> Any:
    """A number as Python's own; anything else, such as a date, as text."""
    return float(value) if isinstance(value, float | np.number) else str(value)


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
