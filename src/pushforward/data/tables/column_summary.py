"""What was made of the columns of a table, as text."""

import warnings
from collections import Counter
from typing import Any

from ...errors import LeftOutWarning, stacklevel_of_caller
from ...plain_text import in_markdown

__all__ = ["columns_table", "columns_text", "extent", "kept_text", "share", "warn_left_out"]

MANY = 40  # columns from which on only those with something to say are listed
MOST = 8  # columns that one line names


def extent(entry: dict[str, Any]) -> str:
    """What was seen in a column that ``Columns.describe`` describes: its range or categories."""
    if entry["categories"]:
        values = [str(v) for v in entry["categories"]]
        return ", ".join(values[:6]) + (f" and {len(values) - 6} more" if len(values) > 6 else "")
    if entry["low"] is None:
        return ""
    ends = [end if isinstance(end, str) else f"{end:.6g}" for end in (entry["low"], entry["high"])]
    return " to ".join(ends)


def columns_table(columns: Any) -> str:
    """What was made of each column, as a table in Markdown."""
    lines = ["| column | kind | seen | why | missing | note |", "|---|---|---|---|---|---|"]
    for entry in columns.describe():
        cells = (entry["name"], entry["kind"], extent(entry), entry["why"])
        lines.append(
            "| "
            + " | ".join(in_markdown(str(cell)) for cell in (*cells, share(entry), entry["note"]))
            + " |"
        )
    return "\n".join(lines)


def share(entry: dict[str, Any]) -> str:
    """The share of missing cells in words, "" for none.

    >>> share({"missing": 0.125}), share({"missing": 0.0})
    ('12 %', '')
    """
    missing = entry["missing"]
    if not missing:
        return ""
    return f"{100 * missing:.0f} %" if missing >= 0.01 else "under 1 %"


def columns_text(columns: Any) -> str:
    """What was made of each column, as a table in plain text.

    Of more than 40 columns it lists those that are left out, have missing cells or a note, and
    counts the others by kind.
    """
    entries = columns.describe()
    listed = [entry for entry in entries if len(entries) <= MANY or entry["note"] or share(entry)]
    lines = [("column", "kind", "why", "missing", "note")]
    lines += [
        (str(one["name"]), one["kind"], one["why"], share(one), one["note"]) for one in listed
    ]
    lines = [tuple(_short(cell) for cell in line[:4]) + line[4:] for line in lines]
    used = [j for j in range(5) if any(line[j] for line in lines[1:])]
    widths = {j: max(len(line[j]) for line in lines) for j in used}
    text = ["  ".join(line[j].ljust(widths[j]) for j in used).rstrip() for line in lines]
    if len(listed) < len(entries):
        others = Counter(entry["kind"] for entry in entries if entry not in listed)
        text.append(f"others: {', '.join(f'{n} {kind}' for kind, n in others.most_common())}")
    return "\n".join(text if listed else text[1:])


def kept_text(columns: Any) -> str:
    """What became of missing cells in a fit, "" where there were none.

    >>> import pandas as pd
    >>> from pushforward import Columns
    >>> frame = pd.DataFrame({"age": [22.5, None, 26.1], "class": ["a", "a", "b"]})
    >>> kept_text(Columns.learn(frame, missing="drop").columns)
    '1 of 3 rows left out for missing cells'
    >>> kept_text(Columns.learn(frame, missing="model").columns)
    "missing cells modelled, of 'age'"
    """
    gaps = [
        repr(label)
        for label, column in zip(columns.labels, columns.columns, strict=True)
        if column.missing and not column.left_out
    ]
    if columns.n_left_out or not gaps:
        return _gone_text(columns)
    more = f" and {len(gaps) - MOST} more" if len(gaps) > MOST else ""
    return f"missing cells modelled, of {', '.join(gaps[:MOST])}{more}"


def _gone_text(columns: Any) -> str:
    """How many rows were left out of a fit, "" for none."""
    gone = columns.n_left_out
    total = gone + columns.n_rows
    return f"{gone:,} of {total:,} rows left out for missing cells" if gone else ""


def warn_left_out(columns: Any) -> None:
    """Warn, at the line of the caller of this package, of what a fit leaves out and samples lack.

    Warns:
        LeftOutWarning: where there are columns of texts that hardly repeat, or where columns or
            rows were left out for missing cells.
    """
    gone = [
        f"{one['name']!r} ({one['why']})"
        for one in columns.describe()
        if (one["kind"] == "empty" and one["missing"] < 1)
        or (one["kind"] == "text" and one["why"] != "declared")
    ]
    more = f" and {len(gone) - MOST} more" if len(gone) > MOST else ""
    columns_gone = f"columns left out: {', '.join(gone[:MOST])}{more}" if gone else ""
    if left_out := "; ".join(filter(None, (columns_gone, _gone_text(columns)))):
        warnings.warn(left_out, LeftOutWarning, stacklevel=stacklevel_of_caller())


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"
