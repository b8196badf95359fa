"""The model card of a density of a table, in Markdown."""

from typing import Any

import torch

from ..data.tables.column_summary import columns_table, kept_text
from ..plain_text import fenced, in_markdown
from .capabilities import methods_of

__all__ = ["table_card"]


def table_card(model: Any) -> str:
    """README.md of a saved table density: its data, figures, use and citation."""
    import pushforward

    name = type(model).__name__
    rows = columns_table(model.columns_)
    kept = kept_text(model.columns_)
    kept = f"{in_markdown(kept)}.\n" if kept else ""
    total = model.drawn_from_
    drawn = "" if total is None else f" drawn from {total}"
    account = (
        f"\n## What was tried\n\n```\n{fenced(model.account())}\n```\n"
        if "account" in methods_of(model)
        else ""
    )
    return f"""# {name}

A density of the rows of a table, fitted on {model.columns_.n_rows} rows{drawn} with
pushforward {pushforward.__version__} (torch {torch.__version__}). {kept}Mean log density of rows
that were not fitted on: {model.held_out_:.4g} nats a row.

```python
import pushforward
model = pushforward.load("this folder")
model.score_samples(X)   # log density in nats a row, higher is more normal
model.sample(1000)       # new rows like the old ones
model.predict(X)         # -1 where a row does not belong: its score is below {model.offset_:.4g}
```

## Columns

{rows}
{account}
## Cite

```bibtex
{model.cite()}
```
"""
