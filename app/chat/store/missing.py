"""What is asked for and not there: other windows on the same file may have removed it."""

from app.chat.store.database import Database
from qwen2_mlx.errors import Qwen2Error


def no_chat() -> Qwen2Error:
    return Qwen2Error("this chat is not there any more; open another one")


def no_message() -> Qwen2Error:
    return Qwen2Error("this message is not there any more; open its chat again")


def chat_of(database: Database, message: int) -> int:
    """The chat that a message belongs to. Raises `Qwen2Error` where there is no such message."""
    row = database.row("SELECT chat FROM messages WHERE id = ?", (message,))
    if row is None:
        raise no_message()
    return row[0]
