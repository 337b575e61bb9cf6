"""Ask: an answer from documents, by the agent that qwen2-ask uses, on the engine's thread."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from app.ask.events import Event, Working
from app.chat.engine.messages import Ask, Reason, Told
from app.chat.engine.opened import Opened
from app.chat.engine.turn import Turn
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.library import File, Library

#: Seconds that a stopped search has for putting together what it found.
ROUND_OFF = 3.0


def ask(opened: Opened, command: Ask, turn: Turn) -> Reason:
    """Answers, and tells all that happens; after a stop the best answer so far is the last event.

    A stop while documents are still being indexed leaves no answer.
    """
    from app.ask.agent import Agent, Options
    from app.ask.library import Library

    stop = _Stop(turn)
    with Library.open(command.library, notify=lambda message: None) as library:
        roles = opened.roles()
        options = Options(mode=command.mode, max_time=command.max_time)
        agent = Agent(library, roles, options, stop.seen, on_event=stop.tell)
        roles.show_progress(lambda done, total: stop.interrupt())
        reason: Reason = "stop"
        try:
            for event in agent.ask(command.question, _files(library, command), command.previous):
                reason = "stopped" if stop.noticed else "stop"
                stop.tell(event)
        except KeyboardInterrupt:
            reason = "stopped"
        finally:
            roles.show_progress(None)
    return reason


def _files(library: Library, command: Ask) -> list[File]:
    try:
        return [library.file(id) for id in command.files]
    except KeyError:
        raise Qwen2Error("a document is no longer in the library; attach it again") from None


class _Stop:
    """Ends a search: at its next look around, or in the midst of a call that takes too long."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._deadline = math.inf
        self.noticed = False  # whether the search knows by now that it was stopped

    def seen(self) -> bool:
        """Whether the turn was stopped."""
        self._turn.pause()
        if self._turn.stopped and not self.noticed:
            self._deadline, self.noticed = time.monotonic() + ROUND_OFF, True
        return self.noticed

    def tell(self, event: Event) -> None:
        """Reports what the agent does."""
        self._turn.tell(Told(self._turn.number, event))
        if isinstance(event, Working) and event.stage == "indexing" and self.seen():
            raise KeyboardInterrupt  # nothing was found yet, and what is indexed stays
        self.interrupt()

    def interrupt(self) -> None:
        """Raises KeyboardInterrupt, which makes the agent end with what it has."""
        if self.seen() and time.monotonic() > self._deadline:
            self._deadline = time.monotonic() + ROUND_OFF  # what it does with what it has takes time too
            raise KeyboardInterrupt
