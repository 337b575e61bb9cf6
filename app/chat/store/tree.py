"""All branches of a chat as an indented list."""

from collections import defaultdict
from dataclasses import dataclass

from app.chat.store.branches import path
from app.chat.store.database import Database
from app.chat.store.records import Role, State

#: Characters of a message that its line shows at most.
_LINE = 200


@dataclass(frozen=True, slots=True)
class Node:
    """One message of the tree with its first line, in an order in which each stands below its parent.

    `level` is for indenting: it grows only where there are several versions, so that a conversation
    without branches stays at 0 however long it is. `shown`: it is on the branch that the chat stands on.
    """

    id: int
    parent: int | None
    depth: int
    level: int
    role: Role
    state: State
    characters: int
    sibling: int
    siblings: int
    shown: bool
    created: float
    line: str


def tree(database: Database, chat: int) -> list[Node]:
    """Every message that was not deleted, versions in their order, each before what follows it."""
    shown = {stub.id for stub in path(database, chat)}
    rows = database.rows(
        "SELECT id, parent, depth, role, state, characters, created, substr(content, 1, ?)"
        " FROM messages JOIN texts ON message = id WHERE chat = ? AND deletion IS NULL ORDER BY parent, id",
        (4 * _LINE, chat),
    )
    below: defaultdict[int | None, list[int]] = defaultdict(list)
    by_id = {}
    for row in rows:
        by_id[row[0]] = row
        below[row[1]].append(row[0])
    nodes: list[Node] = []
    left = [(id, 0) for id in reversed(below[None])]
    while left:
        id, level = left.pop()
        _, parent, depth, role, state, characters, created, content = by_id[id]
        versions = below[parent]
        level += len(versions) > 1
        nodes.append(
            Node(
                id,
                parent,
                depth,
                level,
                role,
                state,
                characters,
                versions.index(id) + 1,
                len(versions),
                id in shown,
                created,
                first_line(content),
            )
        )
        left += [(child, level) for child in reversed(below[id])]
    return nodes


def first_line(content: str) -> str:
    """The first line with anything in it, as one line."""
    for line in content.splitlines():
        if plain := " ".join(line.split()):
            return plain[:_LINE]
    return ""
