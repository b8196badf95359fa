"""Names and values of others in text of ours, escaped where they would mean something else."""

import unicodedata

__all__ = ["fenced", "in_markdown", "printable"]

_INVISIBLE = {"Cc", "Cf", "Cs"}  # control characters, those that turn the direction, lone halves
_MEANT = {"\n", "\t"}
_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\|`*[]"} | {"<": "&lt;", "&": "&amp;"})


def printable(text: str, *, lines: bool = False) -> str:
    """Text without characters that move the cursor, change colours or turn the direction.

    Args:
        text: of anybody.
        lines: whether line feeds and tabs may stay.

    >>> printable("red \\x1b[31m, end")
    'red \\\\x1b[31m, end'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        one
        if unicodedata.category(one) not in _INVISIBLE or (lines and one in _MEANT)
        else one.encode("unicode_escape").decode("ascii")
        for one in text
    )


def in_markdown(text: str) -> str:
    """Text as a cell or a word of a page in Markdown: on one line, and no mark of it.

    >>> in_markdown("a|b *c* <img>")
    'a\\\\|b \\\\*c\\\\* &lt;img>'
    """
    return printable(" ".join(text.split())).translate(_MARKS)


def fenced(text: str) -> str:
    """Text as it is between fences of a page in Markdown, which it cannot end.

    >>> fenced("a ``` b")
    "a ''' b"
    """
    return printable(text, lines=True).replace("```", "'''")
