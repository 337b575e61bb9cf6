"""What of a branch a model is shown.

An answer without text (it failed, or was stopped before its first word) is left out, and so is the
question before it when another question follows: what was never answered was never said. So turns go
on alternating, as chat templates want it, unless people wrote two questions in a row themselves. A
question at the end stays, it is the one being asked. Marks like [1] stay in answers from documents.
"""

import json

from app.chat.store.branches import line_of
from app.chat.store.database import Database
from app.chat.store.messages import journalled
from app.chat.store.records import Role

Turn = tuple[Role, str]


def conversation(database: Database, head: int) -> list[Turn]:
    """The turns from the first message to `head`."""
    line = line_of(database, head)
    rows = {
        id: (role, content + journalled(database, id) if state == "streaming" else content)
        for id, role, state, content in database.rows(
            "SELECT id, role, state, content FROM messages JOIN texts ON message = id"
            " WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(line),),
        )
    }
    return as_turns([rows[id] for id in line])


def as_turns(messages: list[Turn]) -> list[Turn]:
    turns: list[Turn] = []
    unanswered = False
    for role, content in messages:
        if role == "assistant" and not content.strip():
            unanswered = bool(turns) and turns[-1][0] == "user"
            continue
        if unanswered and role == "user":
            turns.pop()
        unanswered = False
        turns.append((role, content))
    return turns
