"""Which chat is open, and what it is called.

A chat is stored with the first thing in it: a message, a document or a draft. One that is left with
nothing in it is taken away again.
"""

import tempfile
from pathlib import Path

from app.chat.options import Options
from app.chat.session.asking import Documents
from app.chat.session.changes import ChatChanged, ChatsChanged, Notice, PathChanged
from app.chat.session.state import State
from app.chat.store import Store
from app.chat.store.records import Chat, Message

TITLE_WORDS = 8
TITLE_CHARACTERS = 48

READ_ONLY = "this chat can only be read; begin a new one, which is not saved"


def title_of(question: str) -> str:
    """The first words of a question, as the name of its chat."""
    line = next((line for line in question.splitlines() if line.strip()), "")
    words = line.split()
    title = " ".join(words[:TITLE_WORDS])
    if len(title) > TITLE_CHARACTERS:
        cut = title[: TITLE_CHARACTERS - 1]
        title = cut[: cut.rfind(" ")] if " " in cut else cut
        return title.rstrip(" ,;:") + "…"
    return title.rstrip(" ,;:") + ("…" if len(words) > TITLE_WORDS else "")


class Chats:
    """Opens, begins, names and removes chats.

    Where the store cannot be written, chats that begin live in another one that goes with the program.
    """

    def __init__(self, state: State, documents: Documents) -> None:
        self._state, self._documents = state, documents
        self._main = state.store
        self._scratch: tuple[Store, tempfile.TemporaryDirectory[str]] | None = None
        self._deleted: list[int] = []

    def new(self) -> None:
        """Leaves the open chat for one that is not stored yet."""
        self._leave()
        state = self._state
        state.store = self._writable_store()
        state.chat, state.path, state.stats = None, [], None
        self._documents.open_chat(None)
        state.tell(PathChanged())

    def open(self, chat: int, at: int | None = None) -> None:
        """Shows a stored chat, on the branch of message `at` if that is given."""
        self._leave()
        state = self._state
        state.store = self._main
        state.chat, state.stats = state.store.chat(chat), None
        state.refresh()
        if at is not None and not state.shows(at) and not state.store.read_only:
            state.store.select(at)
            state.refresh()
        self._documents.open_chat(chat)
        state.tell(PathChanged(at))

    def ensure(self) -> Chat:
        """The open chat, stored by now."""
        state = self._state
        if state.chat is None:
            state.chat = state.store.new_chat(state.options)
            self._documents.open_chat(state.chat.id)
            self._changed()
        return state.chat

    def name_after(self, question: Message) -> None:
        """Gives a chat that has no name one from its first question."""
        chat = self._state.chat
        if chat is not None and not chat.named and not chat.title and question.parent is None:
            title = title_of(question.content)
            self._state.chat = self._state.store.update_chat(chat.id, title=title, named=False)
            self._changed()

    def rename(self, chat: int, title: str) -> None:
        """Names a chat."""
        if self.can_change():
            self._main_or_open(chat).update_chat(chat, title=" ".join(title.split()))
            self._refresh_if_open(chat)

    def pin(self, chat: int, pinned: bool) -> None:
        """Keeps a chat at the top of the list, or no longer."""
        if self.can_change():
            self._main_or_open(chat).update_chat(chat, pinned=pinned)
            self._refresh_if_open(chat)

    def archive(self, chat: int, archived: bool) -> None:
        """Puts a chat away from the list, or back."""
        if self.can_change():
            self._main_or_open(chat).update_chat(chat, archived=archived)
            self._refresh_if_open(chat)

    def delete(self, chat: int) -> None:
        """Moves a chat to the trash; when it is the open one, another begins."""
        state = self._state
        if self._main.read_only:
            state.refuse(READ_ONLY)
            return
        self._main_or_open(chat).delete_chat(chat)
        self._deleted.append(chat)
        if state.chat is not None and state.chat.id == chat:
            state.chat = None
            self.new()
        state.tell(ChatsChanged())

    def undo_delete(self) -> bool:
        """Brings the chat back that was deleted last; False when there is none."""
        if not self._deleted:
            return False
        self._main.restore_chat(self._deleted.pop())
        self._state.tell(ChatsChanged())
        return True

    def reread(self) -> None:
        """Shows the list and the open chat as they are stored now."""
        state = self._state
        if state.chat is not None:
            state.refresh()
            state.tell(PathChanged())
        self._changed()

    def duplicate(self, upto: int | None = None) -> None:
        """Copies the open chat, up to a message if one is given, and opens the copy."""
        state = self._state
        if state.chat is not None and self.can_change():
            copy = state.store.duplicate_chat(state.chat.id, upto)
            state.tell(ChatsChanged())
            self.open(copy.id)

    def update_options(self, options: Options) -> None:
        """How the open chat answers from now on."""
        state = self._state
        if state.chat is None:
            state.options = options
        elif self.can_change():
            state.chat = state.store.update_chat(state.chat.id, options=options)
            state.tell(ChatChanged(state.chat))

    def save_draft(self, text: str) -> None:
        """Keeps what is in the prompt; nothing is told, because nothing else shows it.

        A command that is being typed begins no chat.
        """
        state = self._state
        nothing = not text.strip() or text.startswith("/")
        if state.store.read_only or (state.chat is None and nothing):
            return
        chat = self.ensure()
        if chat.draft != text:
            state.chat = state.store.update_chat(chat.id, draft=text)

    def can_change(self) -> bool:
        """Whether the open chat can be written to; says so when it cannot."""
        if not self._state.store.read_only:
            return True
        return self._state.refuse(READ_ONLY)

    def close(self) -> None:
        """Leaves the open chat for good."""
        self._leave()
        if self._scratch is not None:
            store, folder = self._scratch
            store.close()
            folder.cleanup()

    def _leave(self) -> None:
        """Takes a chat away that has nothing in it."""
        state = self._state
        if (chat := state.chat) is None or state.store.read_only:
            return
        chat = state.store.chat(chat.id)
        empty = chat.head is None and not chat.title and not chat.draft.strip()
        if empty and not state.store.has_messages(chat.id) and not state.store.attachments(chat.id):
            state.store.delete_chat(chat.id)
            state.store.purge([chat])
            state.tell(ChatsChanged())

    def _writable_store(self) -> Store:
        if not self._main.read_only:
            return self._main
        if self._scratch is None:
            folder = tempfile.TemporaryDirectory(prefix="qwen2-chat-")
            self._scratch = Store.open(Path(folder.name) / "chats.sqlite3"), folder
            self._state.tell(Notice("new chats are not saved: the stored ones can only be read", "warning"))
        return self._scratch[0]

    def _main_or_open(self, chat: int) -> Store:
        state = self._state
        return state.store if state.chat is not None and state.chat.id == chat else self._main

    def _refresh_if_open(self, chat: int) -> None:
        state = self._state
        if state.chat is not None and state.chat.id == chat:
            state.chat = state.store.chat(chat)
        self._changed()

    def _changed(self) -> None:
        if self._state.chat is not None:
            self._state.tell(ChatChanged(self._state.chat))
        self._state.tell(ChatsChanged())
