"""Sections of images: samples, nearest training images, the models' ways through their latents."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.images import ArrayImages, as_images
from ..errors import PushforwardError
from .image_sheets import sheet
from .page_models import Subject, subsample
from .page_parts import Gallery, Picture, Section
from .panel import REAL, color, panel
from .score_sections import score_sections

__all__ = ["image_sections"]

TILES, PATHS, STEPS, EXTREMES, NEAREST, CHECKED = 36, 5, 9, 12, 3, 256
COPIES = 8  # samples shown with their nearest training images
SEARCHED = 10_000  # training images among which the nearest are sought


def image_sections(subjects: Sequence[Subject]) -> list[Section]:
    """Everything that is shown of models of images, but what every model has."""
    sections = [_samples(subjects)]
    if subjects[0].reference.train is not None:
        sections.append(_nearest(subjects))
    sections += _latents(subjects)
    likelihoods = score_sections(subjects)
    extremes = tuple(part for s in subjects if s.scores for part in _extremes(s))
    if extremes:
        note = "Held-out images by their score: the strangest to the model, and the plainest."
        likelihoods.insert(1, Section("strange", "The strangest images", extremes, note))
    return sections + likelihoods


def _samples(subjects: Sequence[Subject]) -> Section:
    reference = subjects[0].reference
    real = subsample(reference.real, TILES, reference.seed)[:]
    pictures = [sheet(real, "Held-out images", title="real, held out")]
    for s in subjects:
        images = s.inputs.samples[:TILES]
        pictures.append(sheet(images, f"Samples of {s.name}", title=s.name))
    if reference.other is not None:
        other = subsample(reference.other, TILES, reference.seed)[:]
        pictures.append(sheet(other, "Images of the other data", title="other data"))
    note = "As they come: none were chosen."
    return Section("samples", "Samples", (Gallery(tuple(pictures), size="sheet"),), note)


def _nearest(subjects: Sequence[Subject]) -> Section:
    """Samples that lie nearest to training images, and how near held-out images lie."""
    reference = subjects[0].reference
    train = subsample(reference.train, SEARCHED, reference.seed)
    places = reference.rows(train)
    held = reference.rows(subsample(reference.real, CHECKED, reference.seed))
    usual = _distances(held, places)[0][:, 0]
    parts, distances = [], {}
    for s in subjects:
        few = s.inputs.samples[: min(CHECKED, len(s.inputs.samples))]
        far, which = _distances(reference.rows(few), places)
        distances[s.name] = far[:, 0]
        closest = np.argsort(far[:, 0], kind="stable")[:COPIES]
        pictures = []
        for i in closest.tolist():
            row = np.concatenate([few[i : i + 1], train[which[i]]])
            listed = " · ".join(f"{x:.3g}" for x in far[i])
            alt = f"A sample of {s.name} and its {NEAREST} nearest training images"
            drawn = sheet(row, alt, columns=len(row), apart=(1,), caption=f"distances {listed}")
            pictures.append(drawn)
        share = float(np.mean(far[:, 0] < np.quantile(usual, 0.01)))
        note = (
            f"The {len(closest)} samples of {len(few):,} that lie nearest to a training image; "
            f"{100 * share:.3g}\u00a0% of all lie nearer than 99\u00a0% of held-out images."
        )
        parts.append(Gallery(tuple(pictures), s.name, note, "strip"))
    legend = (("held-out images", REAL), *((s.name, color(s.place)) for s in subjects))
    drawn = _distance_histogram(usual, distances, subjects)
    parts.append(Gallery((drawn,), "Distance to the nearest training image", "", "large", legend))
    details = reference.details
    among = f"{len(train):,}"
    if len(train) < len(reference.train):
        among += f" of {len(reference.train):,}"
    note = (
        f"Left a sample, beside it its nearest among {among} training images, by Euclidean "
        f"distance between features ({details.get('features')}). A model that copies lies nearer "
        "to its training images than images it never saw."
    )
    return Section("nearest", "Nearest training images", tuple(parts), note)


def _distances(rows: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n, k) to the nearest places, exact ones, and which these are."""
    from sklearn.neighbors import NearestNeighbors

    count = min(NEAREST, len(places))
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(places)
    which = search.kneighbors(rows, return_distance=False)
    return np.linalg.norm(rows[:, None] - places[which], axis=2), which


def _distance_histogram(
    usual: np.ndarray, distances: dict[str, np.ndarray], subjects: Sequence[Subject]
) -> Picture:
    everything = np.concatenate([usual, *distances.values()])
    top = float(np.quantile(everything, 0.99)) or 1.0
    bins = np.linspace(0, 1.05 * top, 40)

    def draw(axes: Any) -> None:
        axes.stairs(_shares(usual, bins), bins, fill=True, color=REAL, alpha=0.35)
        for s in subjects:
            tint = color(s.place)
            axes.stairs(_shares(distances[s.name], bins), bins, color=tint, linewidth=1.7)
        axes.set_xlim(0, bins[-1])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
        axes.set_xlabel("distance between features")
        axes.set_ylabel("share of images")

    medians = {"held out": usual, **distances}
    medians_text = ", ".join(f"{name} {np.median(x):.3g}" for name, x in medians.items())
    return panel(
        draw, f"Histogram of distances to the nearest training image; medians: {medians_text}",
        caption=f"Medians: {medians_text}.", size=(4.6, 2.8),
    )  # fmt: skip


def _shares(x: np.ndarray, bins: np.ndarray) -> np.ndarray:
    return np.histogram(x.clip(max=bins[-1]), bins)[0] / len(x)


def _latents(subjects: Sequence[Subject]) -> list[Section]:
    """Interpolations and reconstructions, of the models that have them."""
    parts = []
    for s in subjects:
        real = subsample(s.reference.real, 2 * PATHS, s.reference.seed)[:]
        pictures = []
        if s.inputs.can("interpolate") and len(real) >= 2:
            pictures.append(_interpolated(s, real))
        if s.inputs.can("reconstruct"):
            pictures.append(_reconstructed(s, real))
        kept = tuple(one for one in pictures if one is not None)
        if kept:
            parts.append(Gallery(kept, s.name, size="large"))
    if not parts:
        return []
    note = "Held-out images through the latents of the models, and on the way between two of them."
    return [Section("latents", "Interpolations and reconstructions", tuple(parts), note)]


def _interpolated(subject: Subject, real: np.ndarray) -> Picture | None:
    half = len(real) // 2
    try:
        paths = subject.model.interpolate(
            ArrayImages(real[:half], "nchw"), ArrayImages(real[half : 2 * half], "nchw"), STEPS
        )
    except PushforwardError:  # a conditional model, or one that is not stable there
        return None
    images = _inside(subject, paths.swapaxes(0, 1).reshape(-1, *paths.shape[2:]))
    alt = f"Interpolations of {subject.name}, a row for each pair of held-out images"
    caption = "The ends of each row are held-out images; between them, straight in the latent."
    return sheet(images, alt, columns=STEPS, title="interpolations", caption=caption)


def _reconstructed(subject: Subject, real: np.ndarray) -> Picture | None:
    try:
        again = _inside(subject, subject.model.reconstruct(ArrayImages(real, "nchw")))
    except PushforwardError:
        return None
    error = float(np.abs(again.astype(float) - real).mean())
    how = f"{error:.2g} grey levels of 255 off on average" if error else "every pixel as it was"
    return sheet(
        np.concatenate([real, again]),
        f"Held-out images, and below each what {subject.name} gives back",
        columns=len(real), title="reconstructions",
        caption=f"Images, and below each what comes back: {how}.",
    )  # fmt: skip


def _inside(subject: Subject, images: np.ndarray) -> np.ndarray:
    """Images in the layout of the model, as (n, C, H, W)."""
    can = subject.inputs.capabilities
    layout = None if can is None or can.pixels is None else can.pixels.layout
    return as_images(images, layout)[0][:]


def _extremes(subject: Subject) -> list[Gallery]:
    scores = subject.scores["held out"] * subject.bits
    order = np.argsort(-scores, kind="stable")
    real = subject.parts["held out"]
    count = min(EXTREMES, len(order) // 2)
    if not count:
        return []
    pictures = []
    for words, rows in (("strangest", order[:count]), ("plainest", order[::-1][:count])):
        ends = f"{scores[rows[0]]:.3g} to {scores[rows[-1]]:.3g} bits per dimension"
        alt = f"The {words} held-out images by {subject.name}"
        pictures.append(
            sheet(real[rows], alt, columns=6, title=f"{words} by {subject.name}", caption=ends)
        )
    return [Gallery(tuple(pictures), size="large")]
