"""Text of chats and models as one safe line of a screen, and times for people."""

import time

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from app.cli import clean

#: Marks that turn the direction of what follows them: a title could make its neighbours unreadable.
_DIRECTIONS = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))

#: More than a line of any terminal shows.
LONGEST_LINE = 2000


def safe(text: str) -> str:
    """The text without control characters and without marks that turn its direction."""
    return clean(text).translate(_DIRECTIONS)


def line(text: str) -> str:
    """The text as one line, any white space as one blank; cut where no terminal is as wide."""
    return " ".join(safe(text[:LONGEST_LINE]).split())


def fitted(text: str, width: int) -> str:
    """The text as one line of exactly `width` cells, with an ellipsis where it is cut."""
    text = line(text)
    if width > 0 and cell_len(text) > width:
        text = set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, max(0, width))


def cut(content: Content, width: int) -> Content:
    """`fitted` for text that has styles."""
    return content.truncate(max(0, width), ellipsis=True, pad=True)


def moment(when: float, now: float) -> str:
    """A time in at most ten cells: of today the hour, of this year the day, else the date."""
    then, today = time.localtime(when), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    if then.tm_year == today.tm_year:
        return time.strftime("%d %b", then)
    return time.strftime("%Y-%m-%d", then)


def span_text(seconds: float) -> str:
    """A time that is left, such as 2:14 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
