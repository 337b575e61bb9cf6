"""The turn that is being answered: whether it is still wanted, and what is asked in between."""

from collections.abc import Callable

from app.chat.engine.inbox import Inbox, Quick
from app.chat.engine.messages import Event


class Interrupted(BaseException):
    """The turn is over. Not an Exception: nothing on the way may take it for a problem of its own."""


class Turn:
    """One turn of one asker; `tell` reports an event."""

    def __init__(
        self, number: int, inbox: Inbox, tell: Callable[[Event], None], reply: Callable[[Quick], None]
    ) -> None:
        self.number, self.tell = number, tell
        self._inbox, self._reply = inbox, reply

    @property
    def stopped(self) -> bool:
        """Whether the reader has stopped it."""
        return self._inbox.stopped(self.number)

    def pause(self) -> None:
        """Answers what was asked in between; leaves the turn when the engine is closing."""
        if self._inbox.closed:
            raise Interrupted
        while (question := self._inbox.take_quick()) is not None:
            self._reply(question)

    def check(self) -> None:
        """As `pause`, and leaves a turn that was stopped."""
        if self.stopped:
            raise Interrupted
        self.pause()
