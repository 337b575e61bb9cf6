"""The life of an answer: begun in the store, written by the engine, ended in one of several ways.

The question is stored before anything is generated, and an answer is begun beside the others of its
question. However it ends - finished, stopped, failed, its engine dead, the program closed - what had
been written stays.
"""

import itertools
import sqlite3
from collections.abc import Sequence
from typing import assert_never

from app.chat.engine.messages import (
    Ask,
    Failed,
    Finished,
    Generate,
    Reading,
    Reason,
    Stats,
    Stop,
    Text,
    Told,
)
from app.chat.session.asking import Documents
from app.chat.session.changes import (
    Change,
    ChatsChanged,
    Idle,
    MessageAdded,
    MessageChanged,
    Notice,
    PathChanged,
    Progress,
    StatsChanged,
    TextAdded,
)
from app.chat.session.models import Models
from app.chat.session.scribe import Scribe
from app.chat.session.state import State
from app.chat.session.turn import Turn, generation_of, with_system
from app.chat.store.records import Message, Stub
from app.chat.store.records import State as Ending
from qwen2_mlx.errors import Qwen2Error

ENDINGS: dict[Reason, Ending] = {"stop": "complete", "length": "length", "stopped": "stopped"}

#: What the engine says of a turn.
TurnEvent = Reading | Text | Stats | Told | Finished | Failed


class Answering:
    """At most one answer at a time; `turn` is the one being written."""

    def __init__(self, state: State, models: Models, documents: Documents, scribe: Scribe) -> None:
        self.turn: Turn | None = None
        self._state, self._models, self._documents, self._scribe = state, models, documents, scribe
        self._numbers = itertools.count(1)

    @property
    def busy(self) -> bool:
        """Whether an answer is being written; says so when it is."""
        if self.turn is None:
            return False
        self._state.refuse("an answer is being written: esc stops it, then try again")
        return True

    def from_documents(self, question: str, before: Sequence[Stub], cut: Message | None = None) -> Ask | None:
        """The question as one about the chat's documents, None where it has none.

        `before` is the branch that it follows, `cut` an answer to it that is to be gone on with. Raises
        `Qwen2Error` where nothing can be asked just now.
        """
        documents, options = self._documents, self._state.chat_options
        if all(item.state == "refused" for item in documents.items):
            return None
        previous = documents.previous(before)
        return documents.command(next(self._numbers), question, options, previous, cut)

    def ask(self, question: int, asked: Ask | None) -> None:
        """Begins an answer to a stored question: `asked` of the documents, else of the model alone."""
        state = self._state
        assert state.chat is not None
        command = asked or self._generate(question, resume=False)
        answer = state.store.begin_answer(state.chat.id, question, generation_of(state.chat_options))
        self._begin(command, answer)

    def resume(self, answer: Message, asked: Ask | None) -> None:
        """Goes on with an answer that was cut, beside it; from documents where it has read so far."""
        assert answer.parent is not None
        if asked is not None or not answer.content:  # an answer without a word begins anew
            self.ask(answer.parent, asked)
            return
        command = self._generate(answer.id, resume=True)
        copy = self._state.store.resume_answer(answer.id, generation_of(self._state.chat_options))
        self._begin(command, copy)

    def _generate(self, head: int, resume: bool) -> Generate:
        state, options = self._state, self._state.chat_options
        assert state.chat is not None
        said = with_system(options, state.store.conversation(head))
        return Generate(next(self._numbers), said, options.sampling, resume, options.context)

    def stop(self) -> bool:
        """Ends the answer once; what was written stays. False when there is none."""
        if (turn := self.turn) is None:
            return False
        self._state.engine.post(Stop(turn.number))
        if not turn.stopping:
            turn.stopping = True
            if self._state.loading is not None and not turn.started:
                self._end("stopped", reason="stopped")  # the model may take long to load
            else:
                self._state.tell(Progress("stopping"))
        return True

    def handle(self, event: TurnEvent) -> None:
        """Takes what the engine says of this turn; what comes late from another one is dropped."""
        turn = self.turn
        if turn is None or event.turn != turn.number:
            return
        turn.started = True
        match event:
            case Reading():
                self._read(turn, event)
            case Text(text=text):
                self._apply(turn, TextAdded(turn.answer.id, text))
            case Stats():
                turn.stats = event
                if self._is_open(turn):
                    self._state.stats = event
                    self._state.tell(StatsChanged())
            case Told(event=told):
                for change in self._documents.told(turn.answer.id, told):
                    self._apply(turn, change)
            case Finished(reason=reason):
                self._end(ENDINGS[reason], reason=reason)
            case Failed(message=message):
                self._end("error", error=message)
            case _:
                assert_never(event)

    def fail(self, why: str) -> None:
        """The engine will say nothing more of this turn."""
        if self.turn is not None:
            self._end("error", error=why)

    def abandon(self) -> None:
        """The program is closing: what was written is kept."""
        if self.turn is not None:
            self._end("stopped", reason="stopped")

    def _begin(self, command: Generate | Ask, answer: Message) -> None:
        state = self._state
        options, documents = state.chat_options, isinstance(command, Ask)
        turn = Turn(command.turn, answer, state.store, generation_of(options), documents, [answer.content])
        self.turn = turn
        if documents:
            self._documents.begin(answer.id)
        self._scribe.begin(turn.number, answer.id, state.store)
        if self._models.need(options.setup):
            state.tell(Progress("beginning"))
        state.engine.post(command)
        before = [stub.id for stub in state.path]
        state.refresh()
        follows = [stub.id for stub in state.path] == [*before, answer.id]
        state.tell(MessageAdded(answer) if follows else PathChanged())

    def _read(self, turn: Turn, event: Reading) -> None:
        if event.notice:
            self._state.tell(Notice(event.notice, "warning"))
        if not turn.stopping:
            self._state.tell(Progress("reading", event.done, event.total, event.left))

    def _apply(self, turn: Turn, change: Change) -> None:
        """Takes a change of the answer over, and passes on what belongs to the open branch."""
        match change:
            case TextAdded(message, text) if message == turn.answer.id:
                turn.pieces.append(text)
            case MessageChanged(message) if message.id == turn.answer.id:
                turn.answer, turn.pieces = message, [message.content]
        if self._is_open(turn) or isinstance(change, Notice):
            self._state.tell(change)

    def _end(self, ending: Ending, reason: str = "", error: str = "") -> None:
        turn, state = self.turn, self._state
        assert turn is not None
        self.turn = None
        self._scribe.end()
        try:
            message = self._store(turn, ending, reason, error)
        except (sqlite3.Error, Qwen2Error) as problem:
            state.tell(Notice(f"the end of the answer could not be saved: {problem}", "error"))
            message = turn.message
        if self._is_open(turn):
            state.refresh()
            state.tell(MessageChanged(message))
        state.tell(Idle())
        state.tell(ChatsChanged())
        self._models.ask_memory()

    def _store(self, turn: Turn, ending: Ending, reason: str, error: str) -> Message:
        generation = turn.outcome(self._state.model, reason)
        finish = turn.store.finish_answer
        if not turn.documents:
            return finish(turn.answer.id, ending, error=error, generation=generation, content=turn.text)
        outcome = self._documents.finished(turn.answer.id, "error" if error else reason)
        return finish(
            turn.answer.id,
            outcome.state,
            error=error,
            generation=generation,
            document=outcome.document,
            citations=outcome.citations,
            content=outcome.content,
        )

    def _is_open(self, turn: Turn) -> bool:
        """Whether what the turn writes can be seen on the open branch."""
        state = self._state
        chat = state.chat
        same = chat is not None and chat.id == turn.answer.chat and state.store is turn.store
        return same and state.shows(turn.answer.id)
