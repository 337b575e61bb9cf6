"""Finding words in all chats: in titles first, then in messages, the newest first."""

import re

from app.chat.store.database import Database
from app.chat.store.query import Query, read_query
from app.chat.store.records import Hit

#: Stand before and behind a word that was looked for.
MARK_START, MARK_END = "\ue000", "\ue001"

#: One of so many hits may be a title, so that titles never push out the messages.
_TITLES_SHARE = 3

#: Characters that are looked through word by word.
_SHORT = 20_000

_BEFORE = 50
_SNIPPET = 160
_MOST_MARKS = 20
_NO_MARKS = str.maketrans("", "", MARK_START + MARK_END)

_TITLES = """
SELECT chats.id, title, updated FROM terms CROSS JOIN chats ON chats.id = -terms.rowid
WHERE terms MATCH ? AND terms.rowid < 0 AND deleted IS NULL AND chats.id = coalesce(?, chats.id)
ORDER BY updated DESC, chats.id DESC LIMIT ?
"""
_MESSAGES = """
SELECT messages.id, messages.chat, chats.title, role, messages.created
FROM terms CROSS JOIN messages ON messages.id = terms.rowid CROSS JOIN chats ON chats.id = messages.chat
WHERE terms MATCH ? AND terms.rowid > 0 AND deletion IS NULL AND chats.deleted IS NULL
    AND messages.chat = coalesce(?, messages.chat)
ORDER BY terms.rowid DESC LIMIT ?
"""


def search(database: Database, words: str, limit: int, chat: int | None) -> list[Hit]:
    """What holds all words; the last may be unfinished. Nothing of what is in the trash."""
    query = read_query(words)
    if query is None or limit <= 0:
        return []
    titles = database.rows(_TITLES, (query.match, chat, max(1, limit // _TITLES_SHARE)))
    hits = [Hit(id, None, title, None, snippet(title, query), updated) for id, title, updated in titles]
    messages = database.rows(_MESSAGES, (query.match, chat, limit - len(hits)))
    for id, of, title, role, created in messages:
        row = database.row("SELECT content FROM texts WHERE message = ?", (id,))
        hits.append(Hit(of, id, title, role, snippet(row[0] if row else "", query), created))
    return hits


def snippet(text: str, query: Query) -> str:
    """One line of the text around the first word that was looked for, those in it marked."""
    found = _first(text, query)
    start = max(0, found.start() - _BEFORE) if found else 0
    if start and found and " " in text[start : found.start()]:
        start = text.index(" ", start) + 1  # not in the middle of a word
    piece = text[start : start + _SNIPPET].translate(_NO_MARKS)
    marked = query.words.sub(f"{MARK_START}\\g<0>{MARK_END}", piece, count=_MOST_MARKS)
    ends = "…" * (start > 0), "…" * (start + _SNIPPET < len(text))
    return ends[0] + " ".join(marked.split()) + ends[1]


def _first(text: str, query: Query) -> re.Match[str] | None:
    """The first word that was looked for. In a long text only from where one may begin: that is quicker."""
    found = query.words.search(text[:_SHORT])
    if found or len(text) <= _SHORT:
        return found
    lower = text.lower()
    starts = [at for root in query.roots if (at := lower.find(root, _SHORT - _SNIPPET)) >= 0]
    at = max(0, min(starts, default=0) - _BEFORE)
    return query.words.search(text, at, at + _SHORT)
