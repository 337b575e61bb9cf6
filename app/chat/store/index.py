"""The full-text index: which terms stand in which message or title.

It holds terms made by `app.ask.library.terms`, because SQLite's own tokenisers know neither English
plurals nor Chinese words, and no copy of the text: terms are taken out by making them again. So another
`TERMS_VERSION` needs a migration that makes the index anew.
"""

from app.chat.store.database import Database


def index_message(database: Database, message: int, content: str) -> None:
    _put(database, message, content)


def forget_message(database: Database, message: int, content: str) -> None:
    """`content` is what was indexed."""
    _take(database, message, content)


def index_title(database: Database, chat: int, title: str) -> None:
    _put(database, -chat, title)


def forget_title(database: Database, chat: int, title: str) -> None:
    """`title` is what was indexed."""
    _take(database, -chat, title)


def merge(database: Database) -> None:
    """Leaves nothing in the index of what was taken out."""
    database.run("INSERT INTO terms (terms) VALUES ('optimize')")


def _terms(text: str) -> str:
    from app.ask.library.terms import terms_of  # brings the whole library with it: not to open a chat

    return " ".join(terms_of(text))


def _put(database: Database, row: int, text: str) -> None:
    if text:
        database.run("INSERT INTO terms (rowid, body) VALUES (?, ?)", (row, _terms(text)))


def _take(database: Database, row: int, text: str) -> None:
    if text:
        database.run(
            "INSERT INTO terms (terms, rowid, body) VALUES ('delete', ?, ?)",
            (row, _terms(text)),
        )
