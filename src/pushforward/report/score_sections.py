"""Sections of scores: histograms, other data, what a training recorded."""

from collections.abc import Sequence
from typing import Any

from .curves import loss_curves, roc_curves, score_histogram
from .page_models import Subject
from .page_parts import Gallery, Section

__all__ = ["score_sections", "training_sections"]


def score_sections(subjects: Sequence[Subject]) -> list[Section]:
    """Histograms of log densities and curves for other data, of the models that score."""
    scoring = [subject for subject in subjects if subject.scores]
    sections = []
    if scoring:
        pictures = tuple(_histogram(subject) for subject in scoring)
        note = (
            "Where held-out data are less likely than training data, the model has learned these "
            "by heart; where its own samples lie elsewhere than held-out data, it does not make "
            "what it was fitted on. The outermost bins hold all that lies beyond them."
        )
        sections.append(Section("scores", "Likelihoods", (Gallery(pictures, size="large"),), note))
    curves = [(subject, subject.other_scores()) for subject in scoring]
    pictures = tuple(roc_curves(found, s.name, s.place) for s, found in curves if found)
    if pictures:
        note = (
            "Each point is a threshold: how much of the held-out data it lets pass, and how much "
            "of the other data. On the dotted line scores know nothing; below it other data score "
            "higher than the model's own kind."
        )
        sections.append(Section("other", "Other data", (Gallery(pictures),), note))
    return sections


def _histogram(subject: Subject) -> Any:
    can = subject.inputs.capabilities
    scores, threshold = subject.scores, None if can is None else can.threshold
    unit = "log density, nats a row (higher is more normal)"
    if subject.reference.kind == "images":
        scores = {name: x * subject.bits for name, x in scores.items()}
        unit, threshold = "bits per dimension (lower is more likely)", None
    return score_histogram(scores, subject.name, subject.place, unit, threshold)


def training_sections(subjects: Sequence[Subject]) -> list[Section]:
    """What trainings recorded."""
    pictures = [
        picture
        for subject in subjects
        if (can := subject.inputs.capabilities) is not None
        for picture in loss_curves(can.history, subject.name, subject.place)
    ]
    if not pictures:
        return []
    note = "What was recorded on the way. Axes show the run without its first twentieth."
    return [Section("training", "Training", (Gallery(tuple(pictures), size="large"),), note)]
