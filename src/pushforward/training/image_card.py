"""The readable card of a folder with an image model."""

from typing import Any

import torch

__all__ = ["image_card"]


def image_card(model: Any) -> str:
    """README.md of a saved image model: what it is, how it was trained, how it judged."""
    import pushforward

    channels, height, width = model.pixels_.shape
    last = model.history_[-1] if model.history_ else {"step": 0, "seconds": 0.0}
    settings = "\n".join(f"| {k} | {v} |" for k, v in model.settings_.items())
    judged = "Nothing was held out to judge it by."
    if model.best_ is not None:
        figures = ", ".join(f"{k} {v:.4f}" for k, v in model.best_["measures"].items())
        which = "averaged weights" if model.best_["which"] == "averaged" else "weights"
        judged = f"On held-out images its {which} of step {model.best_['step']} had {figures}."
    return f"""# {type(model).__name__}

A model of images of {height} x {width} pixels and {channels} channel(s), trained for
{last["step"]} steps in {last["seconds"] / 60:.1f} minutes with pushforward
{pushforward.__version__} (torch {torch.__version__}); {model.stopped_}.
{judged}

```python
import pushforward
model = pushforward.load("this folder")
images = model.sample(16)   # uint8
```

## Settings

| setting | value |
|---|---|
{settings}

## Cite

```bibtex
{model.cite()}
```
"""
