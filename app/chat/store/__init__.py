"""The store: every chat with all its branches, in one SQLite file."""

from app.chat.store.copies import ChatCopy, MessageCopy
from app.chat.store.journal import Journal
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
from app.chat.store.store import Store
from app.chat.store.tree import Node

__all__ = [
    "Attachment",
    "Chat",
    "ChatCopy",
    "Citation",
    "Generation",
    "Hit",
    "Journal",
    "Message",
    "MessageCopy",
    "Node",
    "Preset",
    "Reading",
    "Role",
    "State",
    "Store",
    "Stub",
    "Template",
]
