"""Small figures for a page: one plot each, as SVG that is legible on light and dark grounds.

Data have the same colours on both; text, axes and grid are drawn in the ink of a light page, and
change to that of a dark one by name.
"""

import base64
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from ..errors import UnsupportedError
from .page_parts import Picture

__all__ = ["GRID", "INK", "MODELS", "QUIET", "REAL", "color", "panel"]

REAL = "#2f7fc1"
#: Of models in turn: hues that people of every colour vision tell apart beside the blue.
MODELS = ("#d9661f", "#1f9d78", "#b95fa8", "#b8901a", "#7a6fd0", "#4aa5b8")
INK, QUIET, GRID = "#22262b", "#5d6670", "#dfe3e8"
_DARK = {INK: "#e6e9ed", QUIET: "#9da7b3", GRID: "#333a43"}
_RC: Any = {"svg.fonttype": "none", "svg.hashsalt": "pushforward", "svg.image_inline": True}
_FONTS = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_DPI = 144  # of what is drawn as pixels: clouds of points


def color(i: int) -> str:
    """The colour of the model in place i."""
    return MODELS[i % len(MODELS)]


def panel(
    draw: Callable[[Any], object],
    alt: str,
    *,
    title: str = "",
    caption: str = "",
    size: tuple[float, float] = (4.4, 3.0),
) -> Picture:
    """Draw one plot.

    Args:
        draw: called with matplotlib axes that have a quiet frame.
        alt: what the plot shows.
        title, caption: lines above and below it, set by the page.
        size: inches.

    Raises:
        UnsupportedError: if matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError(
            'Pages need matplotlib, which is not installed: pip install "pushforward[report]"'
        ) from error

    figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.patch.set_visible(False)
    axes.grid(color=GRID, linewidth=0.8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=QUIET, labelsize=9.5, length=0, pad=4)
    draw(axes)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(10)
        label.set_color(INK)
    legend = axes.get_legend()
    if legend is not None:
        legend.set_frame_on(False)
    data = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # texts stay texts: the reader has the fonts
        figure.savefig(data, format="svg", transparent=True, metadata=nothing)
    light = _bare(data.getvalue())
    return Picture(_uri(light), alt, caption, title, _uri(_darkened(light)))


def _bare(svg: str) -> str:
    """The picture without head and notes, in the fonts of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", svg)
    return re.sub(r"'DejaVu Sans'[^;\"]*", _FONTS, svg)


def _darkened(svg: str) -> str:
    for light, dark in _DARK.items():
        svg = svg.replace(light, dark)
    return svg


def _uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
