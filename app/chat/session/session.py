"""The middle of the chat: what is asked goes to the store and the engine, what they say to the screen.

It knows no screen: whoever draws calls its methods, calls `pump` regularly, and is told of every
`Change`. All of it runs on one thread, except that the journal is written on the engine's.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.chat.engine import Engine, OnEvent
from app.chat.engine.messages import (
    Counted,
    Died,
    Failed,
    Finished,
    Fitted,
    Loaded,
    Loading,
    Memory,
    ModelInfo,
    Reading,
    Stats,
    Text,
    Told,
    Unloaded,
)
from app.chat.engine.messages import Event as EngineEvent
from app.chat.options import Options, Setup
from app.chat.session.answering import Answering
from app.chat.session.asking import Documents
from app.chat.session.batches import merged
from app.chat.session.branches import Branches
from app.chat.session.changes import Change, Idle, Notice
from app.chat.session.chats import Chats
from app.chat.session.models import Models
from app.chat.session.scribe import Scribe
from app.chat.session.state import State
from app.chat.store import Store
from app.chat.store.records import Chat, Message, Stub
from app.chat.store.records import Reading as Window

#: Messages at the end of a branch among which one tells how long it is.
LOOKED_BACK = 12


class Session:
    """One reader at one store with one engine. See `State` for what its properties say."""

    def __init__(
        self,
        store: Store,
        make_engine: Callable[[OnEvent], Engine],
        options: Options,
        library: Path | None = None,
    ) -> None:
        """`make_engine` is `thread_engine` or `pipe_engine`; `options` are those of chats that begin.

        `library` is the file of the document library, None for the reader's own.
        """
        self.listener: Callable[[Change], None] = lambda change: None
        self._main, self.library = store, library
        self._scribe = Scribe()
        self._state = State(store, make_engine(self._scribe), options, self._tell)
        self.documents = Documents(store, library, self._tell)
        self._models = Models(self._state)
        self._answering = Answering(self._state, self._models, self.documents, self._scribe)
        self._chats = Chats(self._state, self.documents)
        self._branches = Branches(self._state, self._chats, self._answering)

    @property
    def engine(self) -> Engine:
        """What thinks."""
        return self._state.engine

    # What there is.

    @property
    def store(self) -> Store:
        """The reader's chats."""
        return self._main

    @property
    def chat_store(self) -> Store:
        """Where the open chat is: that of the reader, or another if it cannot be saved."""
        return self._state.store

    @property
    def chat(self) -> Chat | None:
        """The open chat, None until it is stored."""
        return self._state.chat

    @property
    def options(self) -> Options:
        """How the open chat answers."""
        return self._state.chat_options

    @property
    def path(self) -> list[Stub]:
        """The messages of the open branch."""
        return self._state.path

    @property
    def model(self) -> ModelInfo | None:
        """The model that is open."""
        return self._state.model

    @property
    def loading(self) -> Setup | None:
        """The model that is being opened."""
        return self._state.loading

    @property
    def stats(self) -> Stats | None:
        """The numbers of the last answer in the open chat."""
        return self._state.stats

    @property
    def memory(self) -> Memory | None:
        """What the engine uses."""
        return self._state.memory

    @property
    def answering(self) -> int | None:
        """The message that is being written, in whichever chat."""
        turn = self._answering.turn
        return turn.answer.id if turn else None

    @property
    def context_used(self) -> int:
        """How many tokens the open branch takes, as far as its last answer tells; 0 unknown."""
        if self.stats is not None:
            return self.stats.context_tokens
        answers = [stub.id for stub in self.path[-LOOKED_BACK:] if stub.role == "assistant"]
        for message in reversed(self._state.store.messages(answers)):
            made = message.generation
            if made is not None and made.prompt_tokens:  # answers from documents are counted nowhere
                return made.reused_tokens + made.prompt_tokens + made.output_tokens
        return 0

    @property
    def context_limit(self) -> int:
        """How many tokens the open chat may take; 0 unknown."""
        if self.options.context is not None:
            return self.options.context
        return self.model.context_length if self.model else 0

    def message(self, message: int) -> Message:
        """A message of the open chat; of one that is being written, what stands there by now."""
        turn = self._answering.turn
        if turn is not None and turn.answer.id == message and turn.store is self._state.store:
            return turn.message
        return self._state.store.message(message)

    def readings(self, message: int) -> list[Window]:
        """What was read of documents for an answer."""
        return self._state.store.readings(message)

    # The course of things.

    def start(self, chat: int | None = None) -> None:
        """Opens a chat, or begins one, and has its model loaded."""
        if chat is None:
            self._chats.new()
        else:
            self._chats.open(chat)
        self._models.need(self.options.setup)

    def pump(self) -> None:
        """Takes over what the engine and the documents have done since the last call."""
        events = self._state.engine.events
        # Not until it is empty: the engine may fill it as fast.
        for event in merged([events.popleft() for _ in range(len(events))]):
            self._handle(event)
        self.documents.pump()
        if problem := self._scribe.problem():
            self._tell(Notice(problem, "error"))

    def close(self, timeout: float) -> bool:
        """Ends everything within `timeout` seconds; what was being written is stored as stopped.

        False when the engine is still busy and its thread has to be left behind.
        """
        self.listener = lambda change: None
        deadline = time.monotonic() + timeout
        self.stop()
        ended = self._state.engine.close(timeout)
        self.pump()
        self._answering.abandon()
        self._scribe.close()
        self.documents.close(max(0.0, deadline - time.monotonic()))
        self._chats.close()
        return ended

    def _handle(self, event: EngineEvent) -> None:
        match event:
            case Reading() | Text() | Stats() | Told() | Finished():
                self._answering.handle(event)
            case Failed(turn=turn) if turn is not None:
                self._answering.handle(event)
            case Loading():
                pass  # known since it was asked for
            case Loaded() | Unloaded() | Counted() | Fitted() | Memory():
                self._models.handle(event)
                self._use_model()
                if isinstance(event, Loaded) and self.answering is None and self.loading is None:
                    self._tell(Idle())
            case Failed(message=message) | Died(message=message):
                self._models.handle(event)
                self._use_model()
                if self.loading is None:
                    self._answering.fail(message)
                    self._tell(Idle())

    def _use_model(self) -> None:
        """Documents are cut for the model that is open."""
        self.documents.use(self.model.setup if self.model else None)

    def _tell(self, change: Change) -> None:
        self.listener(change)

    # Answers.

    def send(self, text: str) -> bool:
        """Asks something; False when it was refused and should stay in the prompt."""
        return self._branches.send(text)

    def stop(self) -> bool:
        """Ends the answer that is being written; False when there is none."""
        return self._answering.stop()

    def retry(self, message: int | None = None) -> bool:
        """Answers a question again: that which `message` is or answers, or the last one."""
        return self._branches.retry(message)

    def edit(self, message: int, text: str) -> bool:
        """Puts another version beside a message."""
        return self._branches.edit(message, text)

    def resume(self, message: int) -> bool:
        """Goes on with an answer that was cut."""
        return self._branches.resume(message)

    def delete(self, message: int) -> bool:
        """Moves a message and what follows it to the trash."""
        return self._branches.delete(message)

    def undo(self) -> bool:
        """Takes the last deletion back."""
        return self._branches.undo()

    def sibling(self, message: int, step: int) -> bool:
        """Shows another version of a message."""
        return self._branches.sibling(message, step)

    def select(self, message: int) -> bool:
        """Shows the branch on which a message stands."""
        return self._branches.select(message)

    # Chats.

    def new_chat(self) -> None:
        """Begins a chat."""
        self._chats.new()

    def open_chat(self, chat: int, at: int | None = None) -> None:
        """Shows a stored chat, at a message if one is given."""
        self._chats.open(chat, at)

    def delete_chat(self, chat: int) -> None:
        """Moves a chat to the trash."""
        turn = self._answering.turn
        if turn is not None and turn.answer.chat == chat:
            self._answering.stop()
        self._chats.delete(chat)

    def undo_delete_chat(self) -> bool:
        """Brings the chat back that was deleted last."""
        return self._chats.undo_delete()

    def reread(self) -> None:
        """The store was changed elsewhere: shows what is there now."""
        self._chats.reread()

    def duplicate_chat(self, upto: int | None = None) -> None:
        """Copies the open chat, up to a message if one is given, and opens the copy."""
        self._chats.duplicate(upto)

    def rename(self, chat: int, title: str) -> None:
        """Names a chat."""
        self._chats.rename(chat, title)

    def pin(self, chat: int, pinned: bool) -> None:
        """Keeps a chat at the top of the list, or no longer."""
        self._chats.pin(chat, pinned)

    def archive(self, chat: int, archived: bool) -> None:
        """Puts a chat away from the list, or back."""
        self._chats.archive(chat, archived)

    def update_options(self, options: Options) -> None:
        """How the open chat answers from now on; another setup is loaded."""
        before = self.options.setup
        self._chats.update_options(options)
        if self.options.setup != before:
            self._models.load(self.options.setup)

    def save_draft(self, text: str) -> None:
        """Keeps what is in the prompt with the chat."""
        self._chats.save_draft(text)

    # Models and documents.

    def load(self, setup: Setup) -> None:
        """Opens another model, for the open chat and those that begin later."""
        self._chats.update_options(replace(self.options, setup=setup))
        self._models.load(setup)

    def unload(self) -> None:
        """Frees the model."""
        self._models.unload()

    def count(self, text: str, reply: Callable[[int], None]) -> None:
        """Tells how many tokens a text is."""
        self._models.count(text, reply)

    def fit(self, setup: Setup, context: int, reply: Callable[..., None]) -> None:
        """Tells whether a model would fit into the memory, with a `Fitted`."""
        self._models.fit(setup, context, reply)

    def attach(self, name: str) -> None:
        """Adds a document to the open chat; questions are answered from its documents then."""
        if self._state.store is not self._main:
            self._state.refuse("documents cannot be attached to a chat that is not saved")
        elif self._chats.can_change():
            self.documents.attach(self._chats.ensure().id, name)

    def detach(self, file: int) -> None:
        """Takes a document away from the open chat."""
        if self.chat is not None and self._chats.can_change():
            self.documents.detach(self.chat.id, file)
