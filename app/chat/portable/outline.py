"""Which messages an export for people shows, in which order, and what is said about each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.chat.store import ChatCopy, Citation, MessageCopy

_STATES = {"stopped": "stopped", "length": "cut at its longest length", "interrupted": "interrupted"}


@dataclass(frozen=True)
class Entry:
    """A message with its number, from 1 on; `heading` says whose it is, `note` how it ended ("" well)."""

    number: int
    message: MessageCopy
    heading: str
    note: str


def outline(copy: ChatCopy, whole_tree: bool) -> list[Entry]:
    """The branch that the chat stands on, or every message below the one that it follows."""
    below: defaultdict[int | None, list[int]] = defaultdict(list)
    for place, message in enumerate(copy.messages):
        below[message.parent].append(place)
    places = _all(below) if whole_tree else _branch(copy)
    numbers = {place: number for number, place in enumerate(places, start=1)}
    return [
        Entry(
            numbers[place],
            copy.messages[place],
            _heading(copy, place, below, numbers if whole_tree else {}),
            _note(copy.messages[place]),
        )
        for place in places
    ]


def title_of(copy: ChatCopy) -> str:
    return copy.title or "Chat"


def source_line(cited: Citation) -> str:
    """Where a citation stands: the document and the place in it."""
    return ", ".join(part for part in (cited.name, cited.place) if part)


def moment(seconds: float) -> str:
    """A time as people here write it, in this computer's time zone."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _branch(copy: ChatCopy) -> list[int]:
    places: list[int] = []
    place = copy.head
    while place is not None:
        places.append(place)
        place = copy.messages[place].parent
    places.reverse()
    return places


def _all(below: defaultdict[int | None, list[int]]) -> list[int]:
    places: list[int] = []
    left = below[None][::-1]
    while left:
        places.append(place := left.pop())
        left += below[place][::-1]
    return places


def _heading(
    copy: ChatCopy, place: int, below: defaultdict[int | None, list[int]], numbers: dict[int, int]
) -> str:
    message = copy.messages[place]
    name = "You" if message.role == "user" else _model(message)
    if not numbers:
        return name
    versions = below[message.parent]
    heading = f"{numbers[place]}. {name}"
    if len(versions) > 1:
        heading += f", version {versions.index(place) + 1} of {len(versions)}"
        if message.parent is not None:
            heading += f" after {numbers[message.parent]}"
    return heading


def _model(message: MessageCopy) -> str:
    return Path(message.generation.model).name if message.generation else "Assistant"


def _note(message: MessageCopy) -> str:
    if message.state == "error":
        return f"error: {message.error}" if message.error else "error"
    return _STATES.get(message.state, "")


def sources(message: MessageCopy) -> Sequence[Citation]:
    return sorted(message.citations, key=lambda cited: cited.number)
