"""Questions that follow on one another, as the library keeps them."""

from dataclasses import dataclass

from app.ask.answer import Answer
from app.ask.asking import Previous
from app.ask.library import File, Library
from app.ask.marks import without_marks
from qwen2_mlx.errors import Qwen2Error


@dataclass(frozen=True)
class Conversation:
    """Where the next question stands. `files` are id and path of those the last question was about."""

    id: str
    previous: Previous | None = None
    files: tuple[tuple[int, str], ...] = ()


def open_conversation(library: Library, cid: str | None, follow_up: bool) -> Conversation:
    """The conversation `cid`, the last one for a `follow_up`, else a new one.

    Raises `Qwen2Error` where there is nothing to go on with.
    """
    if cid is None and not follow_up:
        return Conversation(library.new_conversation())
    cid = cid or library.last_conversation()
    if cid is None:
        raise Qwen2Error("there is no conversation to go on with; ask about a FILE first")
    turns = library.turns(cid)
    if not turns:
        raise Qwen2Error(f"there is no conversation {cid!r} in the library; -c goes on with the last one")
    last = turns[-1]
    return Conversation(cid, (last.standalone, without_marks(str(last.answer["answer"]))), last.files)


def after(conversation: Conversation, answer: Answer, files: tuple[File, ...]) -> Conversation:
    """The conversation when `answer` has been given."""
    previous = answer.standalone, without_marks(answer.text)
    return Conversation(conversation.id, previous, tuple((file.id, file.path) for file in files))
