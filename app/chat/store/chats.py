"""Chats: the list of them, and what each one is set to."""

import json
import time
import unicodedata
from typing import Any, TypedDict

from app.chat.options import Options
from app.chat.store.database import Database
from app.chat.store.index import forget_title, index_title
from app.chat.store.missing import no_chat
from app.chat.store.records import Chat
from app.sqlite_file import whole_characters

#: Longer titles and folders are cut: nobody reads them in a list.
LONGEST_TITLE = 1000

#: SQLite takes no larger number, and no chat will ever have this one.
_LARGEST_ID = 2**63 - 1


class Changes(TypedDict, total=False):
    """What can be set of a chat."""

    title: str
    named: bool
    options: Options
    draft: str
    folder: str
    pinned: bool
    archived: bool


_CHAT = (
    "SELECT id, title, named, options, head, draft, folder, pinned, archived, deleted, created, updated"
    " FROM chats"
)


def new_chat(database: Database, options: Options, title: str, folder: str) -> Chat:
    now = time.time()
    title = one_line(title)
    id = database.run(
        "INSERT INTO chats (title, named, options, folder, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
        (title, bool(title), _as_text(options), one_line(folder), now, now),
    )
    index_title(database, id, title)
    return read_chat(database, id)


def read_chat(database: Database, id: int) -> Chat:
    row = database.row(f"{_CHAT} WHERE id = ?", (min(id, _LARGEST_ID),))
    if row is None:
        raise no_chat()
    return _chat(row)


def list_chats(database: Database, query: str, offset: int, limit: int, archived: bool) -> list[Chat]:
    """Pinned ones first, then the last touched; those whose title or folder holds all words of `query`."""
    order = "WHERE deleted IS NULL AND archived = ? ORDER BY pinned DESC, updated DESC, id DESC"
    words = _folded(query).split()
    if not words:
        rows = database.rows(f"{_CHAT} {order} LIMIT ? OFFSET ?", (archived, limit, offset))
        return [_chat(row) for row in rows]
    named = database.rows(f"SELECT id, title, folder FROM chats {order}", (archived,))
    found = [id for id, title, folder in named if _holds(_folded(f"{title} {folder}"), words)]
    return [read_chat(database, id) for id in found[offset : offset + limit]]


def deleted_chats(database: Database) -> list[Chat]:
    return [_chat(row) for row in database.rows(f"{_CHAT} WHERE deleted IS NOT NULL")]


def last_chat(database: Database) -> Chat | None:
    """The chat in which something was said or chosen last; archived ones are put aside."""
    row = database.row(
        f"{_CHAT} WHERE deleted IS NULL AND archived = 0 ORDER BY updated DESC, id DESC LIMIT 1"
    )
    return _chat(row) if row else None


def update_chat(database: Database, id: int, changes: Changes) -> Chat:
    """Sets what `changes` names. A title given here is a person's, unless "named" says otherwise."""
    before = read_chat(database, id)
    values: dict[str, Any] = {}
    if "title" in changes:
        values |= {"title": one_line(changes["title"]), "named": True}
    if "folder" in changes:
        values["folder"] = one_line(changes["folder"])
    if "options" in changes:
        values["options"] = _as_text(changes["options"])
    if "draft" in changes:
        values["draft"] = whole_characters(changes["draft"])
    values |= {name: bool(changes.get(name)) for name in ("named", "pinned", "archived") if name in changes}
    if unknown := changes.keys() - Changes.__annotations__.keys():
        raise TypeError(f"a chat has no {', '.join(unknown)} to set")
    if values:
        database.run(
            f"UPDATE chats SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?",
            (*values.values(), id),
        )
    after = read_chat(database, id)
    if after.title != before.title:
        forget_title(database, id, before.title)
        index_title(database, id, after.title)
    return after


def touch(database: Database, id: int) -> None:
    """Something was said or chosen in it: it comes first in the list."""
    database.run("UPDATE chats SET updated = max(updated, ?) WHERE id = ?", (time.time(), id))


def one_line(text: str) -> str:
    """`text` as a title: no line breaks, not too long, and valid."""
    return whole_characters(" ".join(text[: 2 * LONGEST_TITLE].split())[:LONGEST_TITLE])


def _as_text(options: Options) -> str:
    return json.dumps(options.as_json())


def _chat(row: tuple[Any, ...]) -> Chat:
    id, title, named, options, head, draft, folder, pinned, archived, deleted, created, updated = row
    return Chat(
        id,
        title,
        bool(named),
        Options.from_json(json.loads(options)),
        head,
        draft,
        folder,
        bool(pinned),
        bool(archived),
        deleted,
        created,
        updated,
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _holds(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)
