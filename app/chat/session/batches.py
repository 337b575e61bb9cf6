"""What the engine reported since the last look, in as few events as say the same."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.chat.engine.messages import Event, Reading, Stats, Text


def merged(events: Iterable[Event]) -> Iterator[Event]:
    """Text of one turn in one piece, and of its numbers and its progress only the latest.

    What ends or changes anything keeps its place behind what came before it.
    """
    held: dict[type, Reading | Text | Stats] = {}
    for event in events:
        if not isinstance(event, Reading | Text | Stats):
            yield from held.values()
            held.clear()
            yield event
            continue
        if any(other.turn != event.turn for other in held.values()):
            yield from held.values()
            held.clear()
        before = held.get(type(event))
        if isinstance(event, Text) and isinstance(before, Text):
            event = replace(event, text=before.text + event.text)
        elif isinstance(event, Reading) and isinstance(before, Reading) and before.notice:
            event = replace(event, notice=event.notice or before.notice)
        held[type(event)] = event
    yield from held.values()
