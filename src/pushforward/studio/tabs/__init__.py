"""The tabs of the studio: each a file that says when it is there and answers what it asks."""

from . import ask, compare, edit, mix, refine, samples, strange

__all__ = ["TABS"]

#: The modules of all tabs by name, in their order on the page.
TABS = {
    "samples": samples,
    "ask": ask,
    "mix": mix,
    "edit": edit,
    "refine": refine,
    "strange": strange,
    "compare": compare,
}
