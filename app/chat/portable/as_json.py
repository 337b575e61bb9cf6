"""A chat as JSON: everything that is stored of it, all branches included, so that it can come back."""

import json
import time
from dataclasses import asdict
from typing import Any

from app.chat.store import ChatCopy, MessageCopy
from app.sqlite_file import whole_characters

#: Changes when a reader of the older ones could no longer read the newer ones.
FORMAT = 1


def as_json(copy: ChatCopy) -> str:
    """An object with "format" and a list "chats". Messages are named by their places, from 0 on."""
    value = {
        "format": FORMAT,
        "program": "qwen2-chat",
        "exported": time.time(),
        "chats": [_chat(copy)],
    }
    return whole_characters(json.dumps(value, ensure_ascii=False, indent=1)) + "\n"


def _chat(copy: ChatCopy) -> dict[str, Any]:
    return {
        "title": copy.title,
        "named": copy.named,
        "folder": copy.folder,
        "pinned": copy.pinned,
        "archived": copy.archived,
        "created": copy.created,
        "draft": copy.draft,
        "options": copy.options.as_json(),
        "attachments": [asdict(attachment) for attachment in copy.attachments],
        "head": copy.head,
        "messages": [_message(message) for message in copy.messages],
    }


def _message(message: MessageCopy) -> dict[str, Any]:
    """What says nothing is left out: most messages have no error, citations or source."""
    return {name: value for name, value in asdict(message).items() if value not in (None, "", ())} | {
        "parent": message.parent,
        "content": message.content,
    }
