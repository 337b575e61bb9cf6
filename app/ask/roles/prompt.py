"""Prompts whose beginning, up to the end of a document, is the same for every question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qwen2_mlx.tokenizer import Tokenizer

#: Gives the user message of a role for (document, question).
Message = Callable[[str, str], str]

#: Characters of the document that decide how its end and the question are cut into tokens.
_TAIL = 64


@dataclass(frozen=True)
class Prompt:
    """A prompt's token ids, the first `shared` of which do not depend on the question."""

    ids: list[int]
    shared: int = 0


def encode(tokenizer: Tokenizer, message: str) -> list[int]:
    """The token ids of a conversation that begins with `message`; no text in it is a control token."""
    return tokenizer.encode_chat([{"role": "user", "content": message}])


def shared_prompt(tokenizer: Tokenizer, message: Message, document: str, question: str) -> Prompt:
    """The prompt of `message`, knowing which of its tokens serve every question about the document."""
    question = question.strip()  # leading white space would join the line breaks before it in one token
    ids = encode(tokenizer, message(document, question))
    return Prompt(ids, len(ids) - _question_tokens(tokenizer, message, document, question, ids))


def _question_tokens(
    tokenizer: Tokenizer, message: Message, document: str, question: str, ids: Sequence[int]
) -> int:
    """How many tokens at the end of `ids` are not the same for every question; all where that is not clear.

    Two questions that share no beginning are put to the end of the document, which suffices:
    what stands before a text changes its tokens only where the two touch.
    """
    end = document[-_TAIL:]
    asked = encode(tokenizer, message(end, question))
    other = encode(tokenizer, message(end, "a" if question.startswith("1") else "1"))
    pairs = enumerate(zip(asked, other, strict=False))
    same = next((at for at, (left, right) in pairs if left != right), 0)
    count = len(asked) - same
    return count if ids[-count:] == asked[same:] else len(ids)
