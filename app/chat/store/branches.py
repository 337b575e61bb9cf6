"""The tree of a chat: the branch that is shown, versions beside each other, and moving between them.

A chat is read as a whole and walked in Python: 10,000 narrow rows are read in milliseconds, there is
no recursion, and nothing depends on how deep a conversation goes.
"""

from collections import Counter, defaultdict
from itertools import pairwise

from app.chat.store.database import Database
from app.chat.store.missing import chat_of, no_chat, no_message
from app.chat.store.records import Stub


def path(database: Database, chat: int) -> list[Stub]:
    """The messages from the first one to the chat's head."""
    stored = database.row("SELECT head FROM chats WHERE id = ?", (chat,))
    if stored is None:
        raise no_chat()
    rows = database.rows(
        "SELECT id, parent, role, state, characters FROM messages"
        " WHERE chat = ? AND deletion IS NULL ORDER BY parent, id",
        (chat,),
    )
    by_id = {row[0]: row for row in rows}
    counts = Counter(row[1] for row in rows)
    versions: defaultdict[int | None, list[int]] = defaultdict(list)
    for row in rows:
        if counts[row[1]] > 1:
            versions[row[1]].append(row[0])
    found: list[Stub] = []
    at = stored[0]
    while at in by_id:
        id, parent, role, state, characters = by_id[at]
        count = counts[parent]
        number = versions[parent].index(id) + 1 if count > 1 else 1
        found.append(Stub(id, role, state, characters, number, count))
        at = parent
    found.reverse()
    return found


def line_of(database: Database, message: int) -> list[int]:
    """The ids from the first message of its branch to this one."""
    parents = dict(
        database.rows(
            "SELECT id, parent FROM messages WHERE chat = ? AND id <= ?",
            (chat_of(database, message), message),
        )
    )
    line: list[int] = []
    at: int | None = message
    while at is not None:
        line.append(at)
        at = parents[at]
    line.reverse()
    return line


def siblings(database: Database, id: int) -> list[int]:
    """The versions of a message in their order, itself among them; none that were deleted."""
    return [
        other
        for (other,) in database.rows(
            "SELECT other.id FROM messages AS this JOIN messages AS other"
            " ON other.chat = this.chat AND other.parent IS this.parent"
            " WHERE this.id = ? AND other.deletion IS NULL ORDER BY other.id",
            (id,),
        )
    ]


def leaf_of(database: Database, id: int) -> int:
    """Where the branch ends that was last viewed under a message, else the newest one."""
    last: dict[int, int] = {}
    seen: dict[int, int] = {}
    for child, parent, parents_viewed in database.rows(
        "SELECT messages.id, messages.parent, above.viewed FROM messages"
        " JOIN messages AS above ON above.id = messages.parent"
        " WHERE messages.chat = ? AND messages.id > ? AND messages.deletion IS NULL"
        " ORDER BY messages.parent, messages.id",
        (chat_of(database, id), id),
    ):
        last[parent] = child
        if child == parents_viewed:
            seen[parent] = child
    while id in last:
        id = seen.get(id, last[id])
    return id


def select(database: Database, id: int) -> None:
    """The chat's head moves to the branch of this message. Raises `Qwen2Error` for one in the trash."""
    row = database.row("SELECT chat, deletion FROM messages WHERE id = ?", (id,))
    if row is None or row[1] is not None:
        raise no_message()
    move_head(database, row[0], leaf_of(database, id))


def move_head(database: Database, chat: int, head: int | None, follows: bool = False) -> None:
    """Sets the head and what was viewed above it; `follows`: it stands right after the old head."""
    database.run("UPDATE chats SET head = ? WHERE id = ?", (head, chat))
    if head is None:
        return
    if follows:
        database.run(
            "UPDATE messages SET viewed = ? WHERE id = (SELECT parent FROM messages WHERE id = ?)",
            (head, head),
        )
        return
    line = line_of(database, head)
    viewed = dict(
        database.rows("SELECT id, viewed FROM messages WHERE chat = ? AND id <= ?", (chat, head)),
    )
    database.run_many(
        "UPDATE messages SET viewed = ? WHERE id = ?",
        ((child, above) for above, child in pairwise(line) if viewed[above] != child),
    )
