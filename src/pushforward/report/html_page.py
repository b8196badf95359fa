"""What every page is: HTML in one piece, written whole, made from one template and style."""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import UnsupportedError
from ..storage.atomic import write_file_atomically

__all__ = ["PACKAGE_CITATION", "HtmlPage", "page_style", "page_template"]

PACKAGE_CITATION = f"""@software{{pushforward,
  title = {{Pushforward}},
  author = {{{{The Pushforward developers}}}},
  version = {{{__version__}}}
}}"""


@dataclass(frozen=True)
class HtmlPage:
    """A page in one piece, which a notebook shows.

    Attributes:
        html: the whole page; it asks for nothing from outside and has no script.
    """

    html: str

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page, whole or not at all; folders on the way are made."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file_atomically(path, self.html.encode())
        return path

    def _repr_html_(self) -> str:
        return self.html


def page_template() -> Any:
    """The template of pages.

    Raises:
        UnsupportedError: if jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise UnsupportedError(
            'Pages need Jinja2, which is not installed: pip install "pushforward[report]"'
        ) from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_packaged("template.html"))


def page_style() -> str:
    """The style sheet of pages."""
    return _packaged("style.css")


def _packaged(name: str) -> str:
    return files("pushforward.report").joinpath(name).read_text(encoding="utf-8")
