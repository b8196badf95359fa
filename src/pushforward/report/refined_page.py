"""One self-contained HTML page on a refined model: what was tried, and what it did."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .._version import __version__
from ..deprecation import renamed
from ..errors import UnsupportedError
from ..estimators.capabilities import is_model
from ..refinement import Compared, RefinedModel, RefinementReport, collapse
from ..validation import as_seed
from .html_page import PACKAGE_CITATION, HtmlPage, page_style, page_template
from .page_parts import Code, Section
from .panel import QUIET
from .refinement_sections import (
    AFTER,
    LEGEND,
    SHEET,
    comparison_sections,
    measured_section,
    over_optimisation_section,
    sample_sections,
    tried_section,
    verdict_text,
)

__all__ = ["RefinementPage", "refinement_page"]

_TRIED = 16  # samples that tell what drawing takes
_FOR_SAMPLES, _STEPS_SHARE = 0.1, 0.6  # of the time, and of what is left after samples


@dataclass(frozen=True)
class RefinementPage(HtmlPage):
    """A page on a refined model."""


@renamed(seed="random_state", labels="y")
def refinement_page(
    model: RefinedModel,
    data: Any,
    *,
    y: Any = None,
    compared: Sequence[Compared] = (),
    n: int = 1000,
    random_state: Any = 0,
    title: str | None = None,
    date: str | None = None,
    command: str | None = None,
    minutes: float | None = None,
) -> RefinementPage:
    """Show what refinement tried, what helped, and how samples moved.

    Args:
        model: a refined model.
        data, y: real data, as of :func:`pushforward.refine`.
        compared: lines of :func:`pushforward.refinement.compare_methods`, for a table of them.
        n: samples and real rows that are looked at.
        random_state: of those samples.
        title: the heading; None makes one.
        date: a line that says when; None leaves it out.
        command: the command that made the page.
        minutes: time for the page, about; with little of it fewer samples are drawn and they are
            moved on less far.

    Raises:
        NotFittedError: for a model that is not fitted.
        UnsupportedError: for what is no refined model, and if jinja2, matplotlib or (for images)
            Pillow is not installed.

    Examples:
        >>> import torch, pushforward
        >>> from pushforward.report import refinement_page
        >>> data = torch.randn(400, 1, generator=torch.Generator().manual_seed(0)) + 1
        >>> model = pushforward.refine(lambda z: z, data, prior=1, method="dgflow",
        ...     logit=lambda x: x[:, 0] - 0.5, settings={"step": 0.1, "steps": 10})
        >>> "Why the share" in refinement_page(model, data, n=200).html
        True
    """
    seed = as_seed(random_state)
    if not isinstance(model, RefinedModel):
        raise UnsupportedError(
            f"refinement_page shows a refined model, and got {type(model).__name__}. Make one "
            "with pushforward.refine."
        )
    model.capabilities()  # which refuses one that is not fitted
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    if minutes is not None:
        started = time.monotonic()
        model.sample(_TRIED, random_state=seed)
        each = (time.monotonic() - started) / _TRIED
        n = max(SHEET, min(n, int(_FOR_SAMPLES * 60 * minutes / each)))
    template, report = page_template(), model.report_
    name = "a function of latents" if not is_model(model.base_) else _kind(model.base_)
    shown = sample_sections(model, data, n, seed)
    left = None if minutes is None else _STEPS_SHARE * (deadline - time.monotonic()) / 60
    results = collapse(model, data, y=y, n=n, random_state=seed, minutes=left)
    sections = [
        tried_section(report),
        measured_section(report),
        *shown,
        *comparison_sections(compared),
        over_optimisation_section(results),
        Section("cite", "How to cite", (Code(f"{model.cite()}\n\n{PACKAGE_CITATION}"),)),
    ]
    if command:
        sections.append(Section("made", "How this page was made", (Code(command),)))
    html = template.render(
        title=title or f"{name[0].upper()}{name[1:]}, refined",
        style=page_style(),
        facts=_facts(model, name, date),
        verdicts=[("", AFTER if _nearer(report) else QUIET, verdict_text(report))],
        sections=sections,
        tints=[tint for _, tint in LEGEND],
    )
    return RefinementPage(html)


def _kind(model: Any) -> str:
    return type(model).__name__


def _nearer(report: RefinementReport) -> bool:
    return report.helped and report.after.value < report.before.value


def _facts(model: RefinedModel, name: str, date: str | None) -> list[tuple[str, str]]:
    report = model.report_
    training, selection, test = report.rows
    facts = [
        ("Generator", name),
        ("Method", model.method if model.preset is None else f"{model.method}, {model.preset}"),
        ("Real rows", f"{training:,} taught, {selection:,} chose, {test:,} judged"),
        (
            "A refined sample takes",
            f"{report.draws:.3g} draw{'' if report.draws == 1 else 's'} of the generator, "
            f"{report.evaluations:.3g} logits",
        ),
        ("Refining took", f"{report.seconds:.0f} s"),
        ("Before it began", report.expected.removeprefix("expected: ")),
        ("Made with", f"pushforward {__version__}"),
    ]
    return [*facts, ("Date", date)] if date else facts
