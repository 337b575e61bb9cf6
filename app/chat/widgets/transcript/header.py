"""The line above each message: who, what became of it, how fast, which of its siblings, when."""

from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from app.chat.markdown.safe import safe
from app.chat.options import Setup
from app.chat.store.records import Message, State, Stub

YOU = "You"
SOMEBODY = "Qwen2"  # until it is known which model answers

STATES: dict[State, str] = {
    "complete": "",
    "streaming": "writing",
    "stopped": "stopped",
    "length": "cut at its longest length",
    "error": "error",
    "interrupted": "interrupted",
}

#: Cells that a shortened remark must have to be of use.
LEAST_ASIDE = 12

FOLDED, OPEN = "▸", "▾"

UNSTYLED = Style.null()


@dataclass(frozen=True)
class Look:
    """The styles of what surrounds the text of messages."""

    you: Style = UNSTYLED
    model: Style = UNSTYLED
    dim: Style = UNSTYLED
    state: Style = UNSTYLED
    bar: Style = UNSTYLED
    hit: Style = UNSTYLED
    here: Style = UNSTYLED
    citation: Style = UNSTYLED
    selection: Style = UNSTYLED


def author(message: Message) -> str:
    """Who wrote it, as the header says it."""
    if message.role == "user":
        return YOU
    name = Setup(model=message.generation.model).name if message.generation else ""
    return one_line(name) or SOMEBODY


def one_line(text: str) -> str:
    """`text` without what could break, turn or colour a line of the terminal."""
    return " ".join(safe(text).split())


def local_time(created: float, now: float) -> str:
    """The time of day, with the date unless that is today's."""
    then, today = datetime.fromtimestamp(created), datetime.fromtimestamp(now)
    return then.strftime("%H:%M" if then.date() == today.date() else "%Y-%m-%d %H:%M")


def speed(message: Message) -> str:
    """Tokens and tokens per second of an answer that has ended, else nothing."""
    made = message.generation
    if made is None or message.state == "streaming" or not made.output_tokens:
        return ""
    rate = f"{made.output_tps:.0f} tok/s · " if made.output_tps else ""
    return f"{rate}{made.output_tokens:,} tokens"


Part = tuple[str, Style]


def header(
    message: Message, stub: Stub, width: int, look: Look, note: str, folded: bool, now: float
) -> Strip:
    """The header in exactly `width` cells; what does not fit is left out, the least needed first.

    Its parts carry what a click on them means: {"sibling": step}, {"fold": True}, {"header": True}.
    """
    name = look.you if message.role == "user" else look.model
    left: list[Part] = [(author(message), name)]
    if STATES[message.state]:
        left.append((f" · {STATES[message.state]}", look.state))
    right = _right(message, stub, look, folded, now)
    left, right = _fit(left, right, width)
    aside = one_line(note) or speed(message)
    room = width - _cells(left) - _cells(right) - 4
    if aside and room >= min(cell_len(aside), LEAST_ASIDE):
        shown = aside if cell_len(aside) <= room else set_cell_size(aside, room - 1) + "…"
        right = [(shown, look.dim), ("  ", UNSTYLED), *right]
    gap = width - _cells(left) - _cells(right)
    parts = [*left, (" " * max(0, gap), UNSTYLED), *right]
    whole = Style.from_meta({"header": True})
    strip = Strip([Segment(text, whole + style) for text, style in parts if text])
    return strip.adjust_cell_length(width)


def _right(message: Message, stub: Stub, look: Look, folded: bool, now: float) -> list[Part]:
    parts: list[Part] = []
    if stub.siblings > 1:
        back, on = Style.from_meta({"sibling": -1}), Style.from_meta({"sibling": 1})
        parts += [
            ("‹ ", look.dim + back),
            (f"{stub.sibling}/{stub.siblings}", look.dim),
            (" ›", look.dim + on),
            ("  ", UNSTYLED),
        ]
    parts.append((local_time(message.created, now), look.dim))
    parts.append((f" {FOLDED if folded else OPEN}", look.dim + Style.from_meta({"fold": True})))
    return parts


def _fit(left: list[Part], right: list[Part], width: int) -> tuple[list[Part], list[Part]]:
    """Leaves out the time, then shortens the left side, in a view too narrow for both."""
    if _cells(left) + _cells(right) + 1 > width:
        right = [part for part in right if part[1].meta or "/" in part[0]]
    room = width - _cells(right) - 1
    fitted: list[Part] = []
    for text, style in left:
        space = max(0, room - _cells(fitted))
        fitted.append((text if cell_len(text) <= space else set_cell_size(text, space), style))
    return fitted, right


def _cells(parts: list[Part]) -> int:
    return sum(cell_len(text) for text, _ in parts)
