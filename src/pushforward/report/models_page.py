"""One self-contained HTML page that judges models: figures, pictures, and where they come from."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._version import __version__
from ..data.images import ImageSet
from ..deprecation import renamed
from ..errors import UnsupportedError
from ..estimators.capabilities import capabilities_of, is_model
from ..metrics import Comparison, compare
from ..metrics.evaluation_inputs import EvaluationInputs, Reference
from ..validation import Integer, as_seed, check
from .conditional_section import conditional_section
from .html_page import PACKAGE_CITATION, HtmlPage, page_style, page_template
from .image_sections import image_sections
from .measure_table import measure_lines, provenance, skipped, verdicts
from .page_models import Subject, subsample
from .page_parts import Code, Section
from .panel import color
from .score_sections import score_sections, training_sections
from .table_sections import table_sections

__all__ = ["Page", "page"]

_SHOWN = {"table": 4000, "rows": 4000, "images": 256, "text": 12}  # samples drawn to be looked at
_NOUN = {"table": "rows", "rows": "rows", "images": "images", "text": "lines"}


@dataclass(frozen=True)
class Page(HtmlPage):
    """A page that judges models, and the figures on it.

    Attributes:
        comparison: the measures, as of :func:`pushforward.compare`.
    """

    comparison: Comparison


@renamed(seed="random_state", labels="y")
def page(
    models: Any, real: Any, *, train: Any = None, other: Any = None, features: Any = None,
    weights: str | os.PathLike | None = None, cache: str | os.PathLike | bool | None = None,
    y: Any = None, target: str | int | None = None, measures: Iterable[str] | None = None,
    n: int = 2000, random_state: Any = 0, title: str | None = None, data: str | None = None,
    date: str | None = None, command: str | None = None, report: Any = None,
    given: Mapping[Any, Any] | None = None,
) -> Page:  # fmt: skip
    """Judge models and show what they do, on one HTML page.

    The page has every measure that suits the data with its interval, what each cannot see and
    was computed from; of images samples, their nearest training images, interpolations and
    reconstructions; of tables pairs and single columns, where samples differ, and the strangest
    rows, explained; scores of training, held-out, sampled and other rows, curves for other data,
    the training's records, and the papers to cite.

    Args:
        models: a model or samples, or several as {name: model}; as of :func:`pushforward.compare`.
        real: rows the models were not fitted on.
        train, other, features, weights, cache, y, target, measures, random_state:
            as of :func:`pushforward.evaluate`.
        n: rows of either side at most, and of ``other``.
        title: the heading; None makes one.
        data: what to call the data.
        date: a line that says when; None leaves it out, so that the same page comes out again.
        command: the command that made the page.
        report: called with (what is being done, share done).
        given: conditions on the cells of a table, as of
            :meth:`~pushforward.estimators.table_density.TableDensity.given`: what the models say
            of the other columns then is shown too.

    Raises:
        DataError, ParameterError: as :func:`pushforward.evaluate`.
        UnsupportedError: if jinja2, matplotlib or (for images) Pillow is not installed.

    Examples:
        >>> import pushforward
        >>> from pushforward.report import page
        >>> X = pushforward.load_dataset("iris")
        >>> model = pushforward.GIS(max_layers=3, random_state=0).fit(X[::2])
        >>> made = page({"GIS": model}, X[1::2], measures=["column_fidelity"])
        >>> "<h1>GIS" in made.html, "http-equiv" in made.html
        (True, True)
    """
    seed = as_seed(random_state)
    template = page_template()
    check({"n": Integer(4)}, {"n": n})
    named = models if isinstance(models, Mapping) else {_name(models): models}
    named = {str(name): model for name, model in named.items()}
    if given and not any(capabilities_of(m).can("given") for m in named.values() if is_model(m)):
        raise UnsupportedError(
            "given was said, and no model here takes conditions. Expected a density of a table: "
            "auto, gis, table-sig or table-flow."
        )
    reference = Reference.of(
        real, train=train, other=other, features=features, labels=y, target=target, n=n,
        seed=seed, report=report, weights=weights, cache=cache,
    )  # fmt: skip
    other = None if reference.other is None else subsample(reference.other, n, seed)
    reference = replace(reference, other=other)
    found = compare(
        named, reference.real, measures=measures, features=reference.extractor,
        train=reference.train, other=other, cache=cache, target=target, n=n, random_state=seed,
        report=report,
    )  # fmt: skip
    if report:
        report("drawing", 1.0)
    subjects = _subjects(named, reference, found, n)
    lines = measure_lines(found)
    sections = [
        Section("measures", "Measures", extra={
            "lines": lines, "skipped": skipped(found), "provenance": provenance(found),
            "models": [(s.name, color(s.place)) for s in subjects],
        }),
        *([conditional_section(subjects, given)] if given else []),
        *_sections(subjects, found),
        _citations(subjects, found),
        _making(command, seed, n),
    ]  # fmt: skip
    html = template.render(
        title=title or _title(subjects, data),
        style=page_style(),
        facts=_facts(subjects, real, data, date),
        verdicts=verdicts(lines),
        sections=sections,
        tints=[color(s.place) for s in subjects],
    )
    return Page(html, found)


def _name(model: Any) -> str:
    return type(model).__name__ if is_model(model) else "samples"


def _subjects(
    named: Mapping[str, Any], reference: Reference, found: Comparison, n: int
) -> list[Subject]:
    subjects = []
    for place, (name, model) in enumerate(named.items()):
        areas = {m.name: m.value for m in found[name].measures if m.name.startswith("auroc")}
        shown = min(n, _SHOWN[reference.kind])
        subjects.append(Subject(name, place, EvaluationInputs.of(model, reference, shown), areas))
    return subjects


def _sections(subjects: list[Subject], found: Comparison) -> list[Section]:
    kind = subjects[0].reference.kind
    if kind == "images":
        return [*image_sections(subjects), *training_sections(subjects)]
    if kind == "text":
        return [_lines_of_text(subjects)]
    columns, scores = table_sections(subjects, found), score_sections(subjects)
    return [*columns, *scores, *training_sections(subjects)]


def _lines_of_text(subjects: list[Subject]) -> Section:
    count = _SHOWN["text"]
    real = subsample(subjects[0].reference.real, count, subjects[0].reference.seed)
    parts = [Code("\n".join(real), "real, held out")]
    parts += [Code("\n".join(s.inputs.samples[:count]), s.name) for s in subjects]
    return Section("samples", "Samples", tuple(parts), "As they come: none were chosen.")


def _citations(subjects: list[Subject], found: Comparison) -> Section:
    texts = {s.name: s.model.cite() for s in subjects if s.inputs.can("cite")}
    entries: dict[str, list[str]] = {}
    for name, text in {**texts, "the measures": found.cite()}.items():
        for entry in filter(None, text.split("\n\n")):
            entries.setdefault(entry, []).append(name)
    entries[PACKAGE_CITATION] = ["this page"]
    together: dict[str, list[str]] = {}
    for entry, names in entries.items():
        together.setdefault(", ".join(names), []).append(entry)
    parts = [Code("\n\n".join(texts), f"For {names}") for names, texts in together.items()]
    return Section("cite", "How to cite", tuple(parts))


def _making(command: str | None, seed: int, n: int) -> Section:
    call = f"pushforward.report.page(models, real, n={n}, random_state={seed})"
    note = f"With pushforward {__version__}. The same seed and data make the same page."
    return Section("made", "How this page was made", (Code(command or call),), note)


def _title(subjects: list[Subject], data: str | None) -> str:
    names = [s.name for s in subjects]
    compared = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{compared} judged on {data or 'held-out data'}"


def _facts(
    subjects: list[Subject], real: Any, data: str | None, date: str | None
) -> list[tuple[str, str]]:
    """What was judged, on what, and how: names and values of the head."""
    reference = subjects[0].reference
    noun, count = _NOUN[reference.kind], len(reference.real)
    shape = ""
    if reference.kind == "images":
        channels, height, width = reference.real.shape
        depth = "grey" if channels == 1 else f"{channels} channels"
        shape = f" of {height} by {width} pixels, {depth}"
    elif reference.kind in ("table", "rows"):
        columns = reference.code.columns.n_columns
        shape = f" of {columns:,} column{'s' * (columns != 1)}"
    counted = f"{count:,} {noun}{shape}, not fitted on"
    among = len(real.images if isinstance(real, ImageSet) else real)
    if among > count:
        counted += f" (drawn from {among:,})"
    facts = [
        ("Models", ", ".join(_described(s) for s in subjects)),
        ("Data", f"{data}: {counted}" if data else counted),
    ]
    for name, X in (("Training data", reference.train), ("Other data", reference.other)):
        if X is not None:
            facts.append((name, f"{len(X):,} {noun}"))
    if reference.kind == "images":
        details = reference.details
        keys = ("features", "preprocessing", "precision")
        facts += [(key.capitalize(), str(details[key])) for key in keys if details.get(key)]
    facts.append(("Seed", str(reference.seed)))
    facts.append(("Made with", f"pushforward {__version__}"))
    if date:
        facts.append(("Date", date))
    return facts


def _described(subject: Subject) -> str:
    kind = type(subject.model).__name__ if subject.model is not None else "samples"
    return subject.name if kind in subject.name else f"{subject.name} ({kind})"
