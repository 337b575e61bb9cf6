"""Text under the mouse: offsets that stay on their text whatever happens above it.

Textual keeps a selection as (character, line). A line counted from the start would slip when a
height above it turns out to be another one, so lines are numbered within their message and the
message is the greater part of the number.
"""

from textual.geometry import Offset
from textual.selection import Selection

#: More lines than any message has.
LINES = 1 << 24


def number(place: tuple[int, int]) -> int:
    """The line of a place as selections count it."""
    return place[0] * LINES + place[1]


def place(line: int) -> tuple[int, int]:
    """What `number` was made of."""
    return divmod(line, LINES)


def span(selection: Selection, line: int, length: int) -> tuple[int, int] | None:
    """The selected range of characters in a line (as `number` counts) of `length`, if any."""
    found = selection.get_span(line)
    if found is None:
        return None
    start, end = max(0, found[0]), length if found[1] == -1 else min(found[1], length)
    return (start, end) if start < end else None


def word_at(text: str, character: int) -> tuple[int, int]:
    """The range of the word that stands at a character, or of that character alone."""
    if not 0 <= character < len(text):
        return len(text), len(text)
    if not _in_word(text[character]):
        return character, character + 1
    start, end = character, character + 1
    while start > 0 and _in_word(text[start - 1]):
        start -= 1
    while end < len(text) and _in_word(text[end]):
        end += 1
    return start, end


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def bounds(selection: Selection, messages: int) -> tuple[Offset, Offset]:
    """Both ends of a selection, the open ones put at the ends of all messages."""
    start = selection.start or Offset(0, 0)
    end = selection.end or Offset(0, messages * LINES)
    return start, end
