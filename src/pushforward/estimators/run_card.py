"""The model card of a trained model, in Markdown."""

from typing import Any

import torch

from ..plain_text import in_markdown

__all__ = ["run_card"]


def run_card(model: Any, *, what: str, use: str, held_out: str, more: str = "") -> str:
    """README.md of a saved model: what it is, how it was trained, its held-out measures.

    Args:
        model: a fitted :class:`~pushforward.estimators.trained_model.TrainedModel`.
        what: the beginning of the first sentence.
        use: a line of Python that follows ``model = pushforward.load(...)``.
        held_out: what it was judged by, in a word.
        more: sections of its own, before the settings.
    """
    import pushforward

    stopped = in_markdown(model.stopped_)
    last = model.history_[-1] if model.history_ else {"step": 0, "seconds": 0.0}
    settings = "\n".join(
        f"| {in_markdown(k)} | {in_markdown(str(v))} |" for k, v in model.settings_.items()
    )
    evaluation = "Nothing was held out to judge it by."
    if model.best_ is not None:
        figures = ", ".join(
            f"{in_markdown(k)} {v:.4f}" for k, v in model.best_["measures"].items()
        )
        which = "averaged weights" if model.best_["which"] == "averaged" else "weights"
        evaluation = (
            f"On held-out {held_out} its {which} of step {model.best_['step']} had {figures}."
        )
    return f"""# {type(model).__name__}

{what}, trained for
{last["step"]} steps in {last["seconds"] / 60:.1f} minutes with pushforward
{pushforward.__version__} (torch {torch.__version__}); {stopped}.
{evaluation}

```python
import pushforward
model = pushforward.load("this folder")
{use}
```

{more}## Settings

| setting | value |
|---|---|
{settings}

## Cite

```bibtex
{model.cite()}
```
"""
