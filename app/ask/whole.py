"""Answering from a document that fits the model's context as a whole."""

from collections.abc import Generator
from dataclasses import dataclass

from app.ask.prompts import whole_document
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import GenerationEvent, Progress, stream_generate
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer

#: What the prompt tells the model to say when the document does not hold the answer.
NOT_FOUND = "Not in the document."


def says_not_found(answer: str) -> bool:
    """Whether an answer says that the document does not hold it, alone or within a sentence."""
    return NOT_FOUND.lower().rstrip(".") in answer.lower()


#: Tokens of the context that the prompt must leave for an answer.
ANSWER_ROOM = 32


@dataclass(frozen=True)
class Answer:
    """An answer, and whether the model found one."""

    text: str
    last: GenerationEvent

    @property
    def found(self) -> bool:
        return not says_not_found(self.text)


def prompt_ids(model: Model, tokenizer: Tokenizer, document: str, question: str) -> list[int]:
    """The prompt's token ids. Raises `PromptError` when it leaves no room for an answer."""
    ids = tokenizer.encode_chat([{"role": "user", "content": whole_document(document, question)}])
    limit = model.args.context_length - ANSWER_ROOM
    if len(ids) > limit:
        raise PromptError(
            f"document and question are {len(ids)} tokens and this model takes {limit};"
            " give a shorter text or a model with a longer context"
        )
    return ids


def stream_answer(
    model: Model, tokenizer: Tokenizer, ids: list[int], max_tokens: int, on_prefill: Progress | None = None
) -> Generator[GenerationEvent, None, None]:
    """At most `max_tokens` tokens, fewer where the context ends before.

    Greedy, because an answer about a document should be the same every time.
    """
    room = min(max_tokens, model.args.context_length - len(ids))
    return stream_generate(model, tokenizer, ids, max_tokens=room, temperature=0.0, on_prefill=on_prefill)
