"""The one class that everybody else uses."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack

from app.chat.options import Options
from app.chat.store import answers, attachments, branches, chats, copies, messages, presets, trash
from app.chat.store.chats import Changes
from app.chat.store.conversation import Turn, conversation
from app.chat.store.copies import ChatCopy
from app.chat.store.database import Database
from app.chat.store.journal import Journal
from app.chat.store.place import VARIABLE, default_path
from app.chat.store.records import (
    Attachment,
    Chat,
    Citation,
    Generation,
    Hit,
    Message,
    Preset,
    Reading,
    Role,
    State,
    Stub,
    Template,
)
from app.chat.store.tree import Node, tree


class Store:
    """All chats in one SQLite file.

    Nothing that was said is overwritten: an edited question, another answer and a continued one are
    versions beside the older ones, and deleting only marks. Several processes may use one file at once;
    one object belongs to one thread. Whatever is asked for and is not there (any more), and whatever the
    disk refuses, is a `Qwen2Error`. Every method that writes is one transaction.
    """

    def __init__(self, database: Database):
        self._database = database

    @classmethod
    def open(cls, path: Path | None = None, notify: Callable[[str], None] | None = None) -> "Store":
        """The chats at `path`, else the user's own; the file is made where there is none.

        A damaged one is moved aside and a new one begun; one of a newer version can only be read. Both
        is told to `notify` (default: stderr). Answers that a dead process was writing are "interrupted"
        from now on. Raises `Qwen2Error` where there is something else at `path`, or it cannot be written.
        """
        own = default_path()
        path = own if path is None else path
        database = Database(path, path == own and VARIABLE not in os.environ, notify or _to_stderr)
        try:
            if not database.read_only:
                answers.sweep(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        self._database.close()

    @property
    def file(self) -> Path:
        return self._database.path

    @property
    def read_only(self) -> bool:
        """The file is of a newer version: everything that writes raises `Qwen2Error`."""
        return self._database.read_only

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._database.size()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Chats.

    def new_chat(self, options: Options, title: str = "", folder: str = "") -> Chat:
        """An empty chat; with a title it counts as named."""
        with self._database.transaction():
            return chats.new_chat(self._database, options, title, folder)

    def chat(self, id: int) -> Chat:
        """A chat, also one in the trash."""
        return chats.read_chat(self._database, id)

    def chats(self, query: str = "", offset: int = 0, limit: int = 200, archived: bool = False) -> list[Chat]:
        """Pinned ones first, then the last touched, whose title or folder holds all words of `query`.

        Either the archived ones or the others; none that are in the trash.
        """
        with self._database.snapshot():
            return chats.list_chats(self._database, query, offset, limit, archived)

    def last_chat(self) -> Chat | None:
        """Where something was said or chosen last; None where there is no chat."""
        return chats.last_chat(self._database)

    def update_chat(self, id: int, **changes: Unpack[Changes]) -> Chat:
        """Sets any of title, named, options, draft, folder, pinned and archived.

        A title makes the chat a named one, unless `named=False` says that nobody chose it.
        """
        with self._database.transaction():
            return chats.update_chat(self._database, id, changes)

    def duplicate_chat(self, id: int, upto: int | None = None) -> Chat:
        """A new chat with the branch that ends at the message `upto`; None: with all branches."""
        with self._database.transaction():
            return self.chat(copies.duplicate_chat(self._database, id, upto))

    def copy_of(self, id: int) -> ChatCopy:
        """All of a chat but what is in the trash, for exporting it."""
        with self._database.snapshot():
            return copies.copy_of(self._database, id)

    def add_copies(self, chats: Iterable[ChatCopy]) -> list[Chat]:
        """Stores them as new chats: all or, where one of them cannot be stored, none."""
        with self._database.transaction():
            return [self.chat(copies.add_copy(self._database, one)) for one in chats]

    # Trash.

    def delete_chat(self, id: int) -> None:
        """Into the trash."""
        with self._database.transaction():
            trash.delete_chat(self._database, id)

    def restore_chat(self, id: int) -> None:
        with self._database.transaction():
            trash.restore_chat(self._database, id)

    def delete_message(self, id: int) -> None:
        """A message and what follows it go into the trash; the head moves to the version beside, else up."""
        with self._database.transaction():
            trash.delete_message(self._database, id)

    def restore_message(self, id: int) -> None:
        """A message, all that was deleted with it, and what it follows come back and are shown."""
        with self._database.transaction():
            trash.restore_message(self._database, id)

    def undo(self, chat: int) -> bool:
        """Takes back the last deletion in a chat, or of the chat itself; False where there was none."""
        with self._database.transaction():
            return trash.undo(self._database, chat)

    def trash(self) -> list[Chat | Message]:
        """Deleted chats, and the first of the messages deleted together; the last deleted first."""
        with self._database.snapshot():
            return trash.trash(self._database)

    def purge(self, items: Iterable[Chat | Message] | None = None) -> None:
        """Removes these, of what `trash` listed, for ever; None: everything in the trash."""
        with self._database.transaction():
            trash.purge(self._database, trash.trash(self._database) if items is None else items)
        self._database.shrink()

    # Messages and branches.

    def path(self, chat: Chat | int) -> list[Stub]:
        """The messages that the chat shows, from the first to its head."""
        with self._database.snapshot():
            return branches.path(self._database, _id(chat))

    def message(self, id: int) -> Message:
        """A message, also one in the trash; of an answer being written, what is there so far."""
        with self._database.snapshot():
            return messages.read_message(self._database, id)

    def messages(self, ids: Iterable[int]) -> list[Message]:
        """Messages in the order of `ids`, without those that are not there any more."""
        with self._database.snapshot():
            return messages.read_messages(self._database, ids)

    def add_message(
        self,
        chat: int,
        parent: int | None,
        role: Role,
        content: str,
        state: State = "complete",
        edited_from: int | None = None,
    ) -> Message:
        """Adds a message after `parent` (None: as a first one), beside others there; it becomes the head."""
        with self._database.transaction():
            return self._read(
                messages.add_message(self._database, chat, parent, role, content, state, edited_from)
            )

    def begin_answer(self, chat: int, parent: int | None, generation: Generation) -> Message:
        """An empty answer that this process is writing; its text comes through a `Journal`."""
        with self._database.transaction():
            return self._read(answers.begin_answer(self._database, chat, parent, generation))

    def resume_answer(self, id: int, generation: Generation) -> Message:
        """An answer beside `id` that holds its text and is being written on by this process."""
        with self._database.transaction():
            return self._read(answers.resume_answer(self._database, id, generation))

    def finish_answer(
        self,
        id: int,
        state: State,
        *,
        error: str = "",
        generation: Generation | None = None,
        document: Mapping[str, Any] | None = None,
        citations: Sequence[Citation] = (),
        content: str | None = None,
    ) -> Message:
        """The answer is as its journal says, or as `content` says, and ended like this.

        `generation` replaces what it began with, None keeps it. Raises `ValueError` for an answer that
        is finished.
        """
        with self._database.transaction():
            answers.finish_answer(self._database, id, state, error, generation, document, citations, content)
            return self._read(id)

    def siblings(self, id: int) -> list[int]:
        """The versions of a message in their order, itself among them."""
        return branches.siblings(self._database, id)

    def select(self, id: int) -> None:
        """The chat shows the branch of this message, down to where it was last viewed."""
        with self._database.transaction():
            branches.select(self._database, id)
            chats.touch(self._database, messages.read_message(self._database, id).chat)

    def tree(self, chat: Chat | int) -> list[Node]:
        """All messages with their first lines, each before what follows it."""
        with self._database.snapshot():
            return tree(self._database, _id(chat))

    def conversation(self, at: Chat | int) -> list[Turn]:
        """What a model is shown: the turns down to the message with this id, or to where a chat stands.

        Without the system prompt, which is among the chat's options. Answers without text are left out
        with their questions; see `app.chat.store.conversation`.
        """
        with self._database.snapshot():
            head = self.chat(at.id).head if isinstance(at, Chat) else at
            return [] if head is None else conversation(self._database, head)

    def prompts(self, limit: int = 500) -> list[str]:
        """What was asked in all chats, the newest first, each text once."""
        with self._database.snapshot():
            return messages.prompts(self._database, limit)

    def journal(self) -> Journal:
        """For the thread that receives an answer; the file is opened with the first piece."""
        return Journal(self._database.path, self.read_only)

    def search(self, query: str, limit: int = 50, chat: int | None = None) -> list[Hit]:
        """Titles, then messages, that hold all words; the newest first, the last word may be unfinished."""
        from app.chat.store.search import search  # brings the whole library with it: not to open a chat

        with self._database.snapshot():
            return search(self._database, query, limit, chat)

    # Documents.

    def attach(self, chat: int, attachment: Attachment) -> None:
        with self._database.transaction():
            attachments.attach(self._database, chat, attachment)

    def detach(self, chat: int, file: int) -> None:
        with self._database.transaction():
            attachments.detach(self._database, chat, file)

    def has_messages(self, chat: int) -> bool:
        """Whether anything was ever said in it, the trash included."""
        found = self._database.row("SELECT 1 FROM messages WHERE chat = ? LIMIT 1", (chat,))
        return found is not None

    def attachments(self, chat: int) -> list[Attachment]:
        """In the order in which they were attached."""
        return attachments.attachments(self._database, chat)

    def add_readings(self, message: int, readings: Sequence[Reading]) -> None:
        """What was read for an answer; the same part again gets the new score."""
        with self._database.transaction():
            attachments.add_readings(self._database, message, readings)

    def readings(self, message: int) -> list[Reading]:
        return attachments.readings(self._database, message)

    # Presets and templates.

    def presets(self) -> list[Preset]:
        return presets.presets(self._database)

    def save_preset(self, name: str, options: Options) -> Preset:
        """A preset of this name gets these options."""
        with self._database.transaction():
            return presets.save_preset(self._database, name, options)

    def remove_preset(self, id: int) -> None:
        with self._database.transaction():
            presets.remove_preset(self._database, id)

    def templates(self) -> list[Template]:
        return presets.templates(self._database)

    def save_template(self, template: Template) -> None:
        """A template of this slug becomes this one."""
        with self._database.transaction():
            presets.save_template(self._database, template)

    def remove_template(self, slug: str) -> None:
        with self._database.transaction():
            presets.remove_template(self._database, slug)

    def _read(self, id: int) -> Message:
        return messages.read_message(self._database, id)


def _id(chat: Chat | int) -> int:
    return chat.id if isinstance(chat, Chat) else chat


def _to_stderr(message: str) -> None:
    print(message, file=sys.stderr)
