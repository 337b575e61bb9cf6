"""Questions about a set of documents, one after another: what `-c` and `-i` share with a single one."""

from typing import TYPE_CHECKING

from app.ask import asking, conversation
from app.ask.as_json import Context, answer_json
from app.ask.conversation import Conversation
from app.ask.progress import Watcher
from app.ask.sources import Sources

if TYPE_CHECKING:
    from app.ask.agent import Options
    from app.ask.library import Library


class Session:
    """Asks, and keeps the conversation in the library unless `history` is off."""

    def __init__(
        self,
        library: "Library",
        engine: asking.Engine,
        sources: Sources,
        conversation: Conversation,
        watcher: Watcher,
        history: bool = True,
    ):
        self.library, self.engine, self.sources = library, engine, sources
        self.conversation, self.watcher = conversation, watcher
        self._history = history

    def ask(self, question: str, options: "Options") -> asking.Asked:
        """The answer, recorded as a turn. KeyboardInterrupt passes through, and nothing is recorded."""
        files, previous = self.sources.files, self.conversation.previous
        asked = asking.ask(self.engine, options, question, files, previous, self.watcher)
        self.conversation = conversation.after(self.conversation, asked.answer, files)
        if self._history:
            answer = asked.answer
            self.library.add_turn(
                self.conversation.id, question, answer.standalone, self.as_json(asked), files
            )
        return asked

    def as_json(self, asked: asking.Asked) -> dict[str, object]:
        """The answer as `--json` prints it."""
        return answer_json(
            asked.answer,
            Context(
                self.library,
                self.engine.model,
                self.engine.scout,
                asked.seconds,
                self.sources.warnings,
                self.conversation.id if self._history else None,
            ),
        )

    def add(self, more: Sources) -> None:
        """Takes more documents into the conversation."""
        self.sources += more
