"""The model card of a predictor."""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from .predictor import Predictor

__all__ = ["predictor_card"]


def predictor_card(model: "Predictor") -> str:
    """README.md of a saved predictor: its inputs, figures, use and citation."""
    import pushforward

    from ...data.tables.column_summary import columns_table

    name = "the target" if model.target_.name is None else f"`{model.target_.name}`"
    tried = "\n".join(
        f"| {t['density']} | {'' if t['held_out'] is None else format(t['held_out'], '.4g')} "
        f"| {100 * t['weight']:.0f} % |"
        for t in model.trials_
    )
    use = (
        "model.predict_proba(X)     # probabilities of the classes"
        if model.target_.classes is not None
        else "model.predict_interval(X)  # where 90 % of the targets lie"
    )
    return f"""# Predictor of {name}

A {model.task_} of {name} ({model.target_.kind}), fitted on {model.columns_.n_rows} rows with
pushforward {pushforward.__version__} (torch {torch.__version__}).

```python
import pushforward
model = pushforward.load("this folder")
model.predict(X)
{use}
model.given(X)             # the whole distribution of each row
```

## Conditional densities

| density of the target given | held-out nats a row | weight |
|---|---|---|
{tried}

## Inputs

{columns_table(model.columns_)}

## Cite

```bibtex
{model.cite()}
```
"""
