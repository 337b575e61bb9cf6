"""What was asked of a process and not answered yet, so that nobody waits for an answer that died with it."""

from app.chat.engine.messages import (
    Ask,
    Command,
    Count,
    Counted,
    Event,
    Failed,
    Finished,
    Fit,
    Fitted,
    Generate,
    Load,
    Loaded,
)


class Pending:
    """Turns, fits, whether a model is being loaded, and the newest count."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._turns: set[int] = set()
        self._fits: set[int] = set()
        self._loads = 0
        self._count: int | None = None

    def asked(self, command: Command) -> None:
        """A command is on its way."""
        match command:
            case Generate(turn) | Ask(turn):
                self._turns.add(turn)
            case Fit(ticket):
                self._fits.add(ticket)
            case Count(ticket):
                self._count = ticket
            case Load():
                self._loads += 1
            case _:
                pass

    def answered(self, event: Event) -> None:
        """An event has come back."""
        match event:
            case Finished(turn) | Failed(int(turn)):
                self._turns.discard(turn)
            case Fitted(ticket):
                self._fits.discard(ticket)
            case Counted(ticket) if ticket == self._count:
                self._count = None
            case Loaded() | Failed(None):
                self._loads = max(0, self._loads - 1)
            case _:
                pass

    def given_up(self, reason: str) -> list[Event]:
        """Answers to all that is pending: that it failed for this reason, in one line."""
        events: list[Event] = [Failed(turn, reason) for turn in sorted(self._turns)]
        events += [Fitted(ticket, None, reason) for ticket in sorted(self._fits)]
        if self._count is not None:
            events.append(Counted(self._count, 0))
        if self._loads:
            events.append(Failed(None, reason))
        self._clear()
        return events
