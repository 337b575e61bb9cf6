"""The documents of the open chat, and what becomes of questions about them.

A librarian on its own thread opens them; the engine answers from them by their ids in the library.
Here the two meet the store: attachments, the windows that were read for an answer and the quotes that
it rests on.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.ask.events import Event
from app.ask.lines import one_line
from app.ask.marks import without_marks
from app.chat.documents.answers import Answered, Outcome
from app.chat.documents.items import Item
from app.chat.documents.librarian import Librarian
from app.chat.documents.reports import (
    Check,
    Checked,
    Ended,
    Index,
    Indexed,
    Open,
    Price,
    Priced,
    Refused,
    Reopen,
    Report,
    Said,
    Use,
)
from app.chat.documents.shelf import Shelf
from app.chat.engine.messages import Ask
from app.chat.options import Options, Setup
from app.chat.session.changes import Change, CitationsChanged, DocumentsChanged, Notice, WindowsRead
from app.chat.store.records import Attachment, Message, Stub
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.library import File
    from app.chat.store import Store

__all__ = ["Documents", "FinishArguments", "Item"]

#: Seconds between two looks at whether attached files have changed on disk.
_CHECK_EVERY = 2.0

#: Messages before a question that are looked through for the answer that it may follow up.
_FOLLOWED = 40

FinishArguments = Outcome


class Documents:
    """What is attached to the open chat; belongs to the thread of the store.

    The session calls `use` when a model was loaded or unloaded, `open_chat` when it shows another chat,
    and `pump` many times a second. A question goes to the documents while they are `ready`: `command`,
    `begin`, `told` for every event, `finished` in the end, however it ends.
    """

    def __init__(
        self,
        store: "Store",
        library: Path | None,
        tell: Callable[[Change], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`library` is the path of the library, None for the user's own; `tell` is given changes."""
        self.price = ""
        self._shelf = Shelf(self._attach)
        self._store, self._library, self._tell, self._now = store, library, tell, now
        self._librarian: Librarian | None = None
        self._chat: int | None = None
        self._setup: Setup | None = None
        self._answer: Answered | None = None
        self._asked: dict[int, File] = {}
        self._attached: set[int] = set()  # files of the open chat, as the store has them
        self._price_is_old = False
        self._checked = 0.0
        self._checking = False

    # What is attached.

    @property
    def items(self) -> tuple[Item, ...]:
        """The documents of the chat, as they stand in the panel."""
        return self._shelf.items

    @property
    def ready(self) -> bool:
        """Whether questions can be asked about at least one document."""
        return bool(self._shelf.ready)

    def open_chat(self, chat: int | None) -> None:
        """Leaves the documents of the chat before, and opens those of this one."""
        self._leave()
        self._chat = chat
        for one in self._store.attachments(chat) if chat is not None else ():
            key = self._shelf.add(one.name, one.file)
            self._attached.add(one.file)
            self._hired().post(Reopen(key, one.file, one.path, one.name))
        self._tell(DocumentsChanged())

    def attach(self, chat: int, name: str) -> None:
        """Opens a file, a folder with all below it, or a pattern such as docs/*.pdf."""
        if chat != self._chat:
            self.open_chat(chat)
        self._shelf.drop_refused()
        self._hired().post(Open(self._shelf.add(name), name))
        self._tell(DocumentsChanged())

    def detach(self, chat: int, key: int) -> None:
        """Takes a document away, given by its file's id or its item's key; opening it is given up."""
        for item in self._shelf.remove(key):
            for file in (item.file, item.attached):
                if file is not None:
                    self._forget(chat, file)
            self._hired().cancel(item.key)
            self._price_is_old = True
            self._tell(DocumentsChanged())

    def use(self, setup: Setup | None) -> None:
        """Indexes for this model from now on: to be called when one was loaded or unloaded."""
        if setup == self._setup:
            return
        self._setup = setup
        if self._librarian is None:
            return
        self._librarian.post(Use(setup))
        for item in self.items:
            if item.stored is not None:
                self._librarian.post(Index(item.key, item.stored))
        self._price_is_old = True

    def pump(self) -> None:
        """Takes over what the librarian has finished, and has it look after files that change."""
        if self._librarian is not None:
            self._take_over(self._librarian)
            self._look_after(self._librarian)

    def close(self, timeout: float) -> bool:
        """Ends the librarian's thread; False when it is still busy after `timeout` seconds."""
        return self._librarian is None or self._librarian.close(timeout)

    # Questions.

    def command(
        self,
        turn: int,
        question: str,
        options: Options,
        previous: tuple[str, str] | None = None,
        unfinished: Message | None = None,
    ) -> Ask:
        """The question for the engine, about every document that is ready.

        With `unfinished`, an answer to this question that was cut, it goes on where that one stopped:
        what was read for it is not read again. Raises `Qwen2Error` where nothing can be asked just now.
        """
        if not self.ready:
            raise Qwen2Error(self._why_not())
        librarian = self._hired()
        if not librarian.hold([file.path for file in self._shelf.ready if file.path]):
            raise Qwen2Error("a document is being put into the library; ask again in a moment")
        self._take_over(librarian)  # a file may have another id by now
        self._asked = {file.id: file for file in self._shelf.ready}
        if unfinished is not None and (standalone := (unfinished.document or {}).get("standalone")):
            question, previous = str(standalone), None
        ids = tuple(self._asked)
        return Ask(turn, question, ids, self._library, options.mode, options.max_time, previous)

    def previous(self, path: Sequence[Stub]) -> tuple[str, str] | None:
        """The standalone question and the answer, without marks, that a question after `path` follows up."""
        for stub in reversed(path[-_FOLLOWED:]):
            if stub.role == "assistant":
                message = self._store.message(stub.id)
                if message.document and (standalone := message.document.get("standalone")):
                    return str(standalone), without_marks(message.content)
        return None

    def begin(self, message: int) -> None:
        """`message` is the answer that the last command will give."""
        self._answer = Answered(self._store, message, self._asked)
        self._tell(WindowsRead(message, (), fresh=True))
        self._tell(CitationsChanged(message, (), best_so_far=False))

    def told(self, message: int, event: Event) -> list[Change]:
        """What an event of the agent changes; nothing where it belongs to another answer."""
        answer = self._answer
        return answer.told(event) if answer is not None and answer.message == message else []

    def finished(self, message: int, reason: str) -> FinishArguments:
        """How the answer is to be stored. `reason` is "stop", "length", "stopped" or "error"."""
        answer = self._answer
        if answer is None or answer.message != message:
            answer = Answered(self._store, message, {})
        self._answer = None
        if self._librarian is not None:
            self._librarian.release()
            self._price_is_old = True  # speeds are known now
        return answer.outcome(reason)

    @property
    def line(self) -> str:
        """What the header of the answer says: "read 53 of 122 windows · best so far", "" for nothing."""
        return self._answer.line if self._answer else ""

    # The librarian.

    def _hired(self) -> Librarian:
        if self._librarian is None:
            self._librarian = Librarian(self._library)
            self._librarian.post(Use(self._setup))
        return self._librarian

    def _take_over(self, librarian: Librarian) -> None:
        changed = False
        for _ in range(len(librarian.reports)):  # not until it is empty: the librarian may fill it as fast
            changed |= self._take(librarian.reports.popleft())
        self._reprice()
        if changed:
            self._tell(DocumentsChanged())

    def _leave(self) -> None:
        for item in self.items:
            if item.state == "opening":
                self._hired().cancel(item.key)
        self._shelf.clear()
        self.price = ""
        self._attached.clear()
        if self._answer is None and self._librarian is not None:
            self._librarian.release()

    def _look_after(self, librarian: Librarian) -> None:
        """Has files compared with what is on disk, while nothing is asked about them."""
        clock = time.monotonic()
        if self._answer is not None or self._checking or clock - self._checked < _CHECK_EVERY:
            return
        librarian.release()  # of a question that was never asked
        if files := self._shelf.ready:
            self._checked, self._checking = clock, True
            librarian.post(Check(files))

    def _reprice(self) -> None:
        """Asks for the price once everything is open: it takes as long as the documents are long."""
        if not self._price_is_old or any(item.state == "opening" for item in self.items):
            return
        self._price_is_old, self.price = False, ""
        if self._setup is not None and (files := self._shelf.ready):
            self._hired().post(Price(tuple(file.id for file in files)))

    def _why_not(self) -> str:
        for item in self.items:
            if item.state == "opening":
                return f"{item.name} is still being opened; ask again in a moment"
        for item in self.items:
            if item.state == "refused":
                return f"{item.name}: {item.note}"
        return "no document is attached; /attach FILE attaches one"

    def _take(self, report: Report) -> bool:
        """Whether the items or the price are others now."""
        match report:
            case Priced(files, line):
                if files != tuple(file.id for file in self._shelf.ready) or line == self.price:
                    return False
                self.price = line
                return True
            case Checked():
                self._checking = False
                return False
            case Said(text, severity):
                self._tell(Notice(text, severity))
                return False
            case Refused(line=line):
                self._tell(Notice(one_line(line), "warning"))
            case Indexed() | Ended():
                self._price_is_old = True
        return self._shelf.take(report)

    def _attach(self, file: "File", instead_of: int | None) -> None:
        """Keeps with the chat that it has this file now; without that it can still be asked about."""
        assert self._chat is not None
        try:
            if instead_of in self._attached and instead_of is not None:
                self._forget(self._chat, instead_of)
            if file.id not in self._attached:
                attachment = Attachment(file.id, file.sha256, file.name, file.path, self._now())
                self._store.attach(self._chat, attachment)
                self._attached.add(file.id)
        except Qwen2Error as error:
            self._tell(Notice(f"{file.name} is not kept with the chat: {error}", "error"))

    def _forget(self, chat: int, file: int) -> None:
        """The chat has this file no more."""
        self._store.detach(chat, file)
        self._attached.discard(file)
