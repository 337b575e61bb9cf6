"""Cutting a long paragraph into pieces that are read one by one.

A stream then reads only the last piece again, and a hostile paragraph of a megabyte costs as much
as many short ones. The cut depends on what stands before it only, so that a text cut while it
grows falls into the same pieces as the whole. Where markup spans more than a piece can hold, it
is shown as it was written.
"""

import re

from app.chat.markdown.cells import WIDE

#: Characters in a piece: at least, where it can be cut without harm; at most.
SHORTEST, LONGEST = 600, 2000

# One place in each stretch is tried, to bound the work on text that can never be cut without harm.
_STRETCH = 50

# After a space or line end and before a letter, or between two ideographs: a line may end, and no
# markup begins.
_PLACE = re.compile(f"(?<=[^\\s\\\\] )(?=\\w)|(?<=\\n)(?=[^\\W\\d_])|(?<=[{WIDE}])(?=[{WIDE}])")
_STAR = re.compile(r"(?<!\s)\*|\*(?!\s)")
_UNDERSCORE = re.compile(r"(?<!\w)_|_(?!\w)")


def cut_pieces(text: str) -> list[str]:
    """`text` in pieces; joined they are `text` again."""
    pieces, start = [], 0
    while (end := first_cut(text[start : start + LONGEST + 1])) is not None:
        pieces.append(text[start : start + end])
        start += end
    pieces.append(text[start:])
    return pieces


def first_cut(text: str) -> int | None:
    """Where the first piece of `text` ends; None when that is not known before more of it is."""
    for start in range(SHORTEST, min(LONGEST, len(text)), _STRETCH):
        place = _PLACE.search(text, start, start + _STRETCH + 1)
        # The last character of a growing text does not show yet what follows it.
        if place and place.end() < min(len(text), start + _STRETCH) and _is_closed(text[: place.end()]):
            return place.end()
    return LONGEST if len(text) > LONGEST else None


def _is_closed(text: str) -> bool:
    """Whether, by its marks, no emphasis, code, link or formula is open at the end of `text`."""
    link = text.rfind("](")
    return (
        text.count("`") % 2 == 0
        and len(_STAR.findall(text)) % 2 == 0
        and len(_UNDERSCORE.findall(text)) % 2 == 0
        and text.count("~~") % 2 == 0
        and text.count("$") % 2 == 0
        and text.count("[") <= text.count("]")
        and (link < 0 or text.find(")", link) > 0)
        and text.rfind("<") <= text.rfind(">")
        and text.count("\\(") <= text.count("\\)")
        and text.count("\\[") <= text.count("\\]")
    )
