"""What ``sample``, ``score``, ``encode`` and ``decode`` do for models of images."""

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from .console import Console
from .image_io import batches, class_of, image_sink, images_at_a_time, known_labels, labels_of
from .table_io import at_row, numbers, open_source, seed_of_block, sink

__all__ = [
    "decode_images",
    "encode_images",
    "need_label",
    "sample_images",
    "score_images",
    "score_sentence",
]

_LN2 = math.log(2)
_TOGETHER = 512  # images that are scored between two reports
_RARE = 0.05  # what the summary counts p-values up to
_ROW = 20  # images of a label that fit a row of a picture


def sample_images(
    model: Any,
    n: int,
    output: Path | None,
    *,
    seed: int | None,
    temperature: float | None,
    labels: list[str],
    console: Console,
) -> None:
    """Draw n images, or n of each label, and write them as they come."""
    options = {} if temperature is None else {"temperature": temperature}
    if options and "temperature" not in inspect.signature(model.sample).parameters:
        raise ParameterError(f"{type(model).__name__} has no temperature. Leave it out.")
    named = known_labels(model) if labels == ["all"] and model.classes_ is not None else labels
    wanted = [class_of(model, label) for label in named]
    page: dict[str, Any] = {}
    if len(wanted) > 1 and n <= _ROW:
        page = {"columns": n, "sides": named}
    block = images_at_a_time(model.pixels_.n_values)
    drawn = 0
    with (
        image_sink(output, model.pixels_.layout, **page) as write,
        console.row_progress("sampling", n * max(1, len(wanted))) as advance,
    ):
        for label in wanted or [None]:
            more = options if label is None else options | {"y": label}
            for start in range(0, n, block):
                count = min(block, n - start)
                write(model.sample(count, random_state=seed_of_block(seed, drawn), **more))
                advance(count)
                drawn += 1


def score_images(
    model: Any,
    found: Any,
    output: Path | None,
    *,
    label: str | None,
    draws: int,
    per_level: bool,
    to_stdout: bool,
    console: Console,
) -> dict[str, Any]:
    """Score images as they are read, write a line for each, and return the summary."""
    import pandas as pd

    from ..data.images.image_files import FileImages

    if per_level and draws > 1:
        raise ParameterError("--per-level takes one draw of the noise. Leave --draws out.")
    y = labels_of(model, found, label)
    paths = found.images.paths if isinstance(found.images, FileImages) else None
    bits = -1 / (model.pixels_.n_values * _LN2)
    can = model.capabilities()
    compared = can.can("p_values") and model.held_out_scores_ is not None
    ranked = compared and y is None and draws == 1
    rare = 0
    count, mean, squares = 0, 0.0, 0.0  # of the log-probabilities; the last about the mean
    with sink(output) as write, console.row_progress("scoring", len(found)) as advance:
        # about as many as go through a model at once: progress is then as fine as it can be
        for rows, images in batches(found, min(can.rows_at_once, _TOGETHER)):
            own = None if y is None else y[rows]
            with at_row(rows.start):
                scores, levels = _scores(model, images, own, draws, per_level)
            names = range(rows.start, rows.stop) if paths is None else map(str, paths[rows])
            frame = pd.DataFrame(
                {"image": names, "log_prob": scores, "bits_per_dim": bits * scores}
            )
            if ranked:
                levels["inlier_score"] = inlying = model.inlier_scores(images)
                levels["p_value"] = model.p_values_of(inlying)
                rare += int((levels["p_value"] <= _RARE).sum())
            if output is not None or to_stdout:
                write(frame.assign(**levels))
            step, n = scores.mean() - mean, len(scores)
            squares += ((scores - scores.mean()) ** 2).sum()
            squares += step**2 * count * n / (count + n)
            mean += step * n / (count + n)
            count += n
            advance(n)
    half = 1.96 * math.sqrt(squares / (count - 1) / count) if count > 1 else math.nan
    shares = {}
    if ranked and count:
        assert model.held_out_scores_ is not None
        least = 1 / (len(model.held_out_scores_) + 1)
        shares = {"share_of_p_up_to_0.05": rare / count, "least_p": least}
    return {
        **shares,
        "data": found.name,
        "split": found.split,
        "images": count,
        "mean_log_prob": mean,
        "bits_per_dim": bits * mean,
        "interval": [bits * (mean + half), bits * (mean - half)],
        "bits": model.pixels_.bits,
        "draws": draws,
        "output": None if output is None else str(output),
    }


def _scores(
    model: Any, images: Any, y: np.ndarray | None, draws: int, per_level: bool
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Log-probabilities (n,) of images, and columns with the share of each level."""
    if not per_level:
        return model.score_samples(images, y, n_draws=draws), {}
    shares = model.score_samples(images, y, per_level=True)
    columns = {f"level_{k + 1}": share for k, share in enumerate(shares.T)}
    if model.classes_ is None or y is not None:
        return shares.sum(1), columns
    return model.score_samples(images), columns  # a mean over classes is not a sum over levels


def score_sentence(summary: dict[str, Any]) -> str:
    """The summary of :func:`score_images` for people."""
    low, high = summary["interval"]
    less = f" of {summary['bits']}-bit images" if summary["bits"] < 8 else ""
    split = "" if summary["split"] == "all" else f" ({summary['split']})"
    share = summary.get("share_of_p_up_to_0.05")
    rare = "" if share is None else f"; {100 * share:.1f} % have a p-value of at most {_RARE}"
    least = summary.get("least_p", 0.0)
    if share is not None and least > _RARE:
        held = round(1 / least) - 1
        rare = (
            f"; p-values cannot tell: the fit held out {held} images, so that none is below "
            f"{least:.2f} (fit with more images)"
        )
    images = f"{summary['images']:,} image{'s' * (summary['images'] != 1)}"
    interval = "" if math.isnan(low) else f", 95 % interval {low:.4f} to {high:.4f}"
    return (
        f"{images} of {summary['data']}{split}: "
        f"{summary['bits_per_dim']:.4f} bits/dim{less}{interval}; "
        f"{summary['mean_log_prob']:.1f} nats an image{rare}"
    )


def encode_images(
    model: Any, found: Any, output: Path | None, *, label: str | None, console: Console
) -> None:
    """Write the latents of images as they are read."""
    y = labels_of(model, found, label)
    need_label(model, label)
    with sink(output) as write, console.row_progress("encoding", len(found)) as advance:
        for rows, images in batches(found):
            with at_row(rows.start):
                write(model.encode(images, None if y is None else y[rows]))
            advance(len(images))


def decode_images(
    model: Any, latents: str, output: Path | None, *, label: str | None, console: Console
) -> None:
    """Write the images of latents as they are read."""
    need_label(model, label)
    y = None if label is None else class_of(model, label)
    table = open_source(latents, console)
    block = images_at_a_time(model.pixels_.n_values)
    start = 0
    with (
        image_sink(output, model.pixels_.layout) as write,
        console.row_progress("decoding", table.n_rows) as advance,
    ):
        for batch in table.batches(block):
            with at_row(start):
                write(model.decode(numbers(batch), y))
            start += len(batch)
            advance(len(batch))


def need_label(model: Any, label: str | None) -> None:
    """Refuse to go without a label to the latents of a conditional model.

    Raises:
        ParameterError: where the model is conditional and there is no label.
    """
    if model.classes_ is not None and label is None:
        raise ParameterError(
            f"This {type(model).__name__} is conditional: give --label, one of "
            f"{', '.join(known_labels(model))}."
        )
