"""Text: lines, and the numbers that models see of their characters."""

from .lines import Alphabet, as_lines, open_text

__all__ = ["Alphabet", "as_lines", "open_text"]
