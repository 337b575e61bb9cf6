"""Answering from a document that fits the model's context as a whole.

The prompt is computed in two parts, the document and then the question, whether anything
is stored or not: an answer must not depend on what a stored part saved.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from app.ask.prompts import whole_document
from qwen2_mlx.cache.remember import announce
from qwen2_mlx.errors import PromptError
from qwen2_mlx.generate import PREFILL_STEP, GenerationEvent, Progress, prefill, stream_generate
from qwen2_mlx.models import Model
from qwen2_mlx.prefix_store.reuse import PrefixStore
from qwen2_mlx.tokenizer import Tokenizer

#: What the prompt tells the model to say when the document does not hold the answer.
NOT_FOUND = "Not in the document."


def says_not_found(answer: str) -> bool:
    """Whether an answer says that the document does not hold it, alone or within a sentence."""
    return NOT_FOUND.lower().rstrip(".") in answer.lower()


#: Tokens of the context that the prompt must leave for an answer.
ANSWER_ROOM = 32

#: Documents of fewer tokens are not stored: reading them again takes about as long as finding out
#: which weights are loaded, and they would fill the folder.
LEAST_STORED = 512

#: Characters of the document that decide how its end and the question are cut into tokens.
_TAIL = 64


@dataclass(frozen=True)
class Answer:
    """An answer, whether the model found one, and the tokens of its prompt, computed or `reused`."""

    text: str
    last: GenerationEvent
    prompt_tokens: int
    reused_tokens: int

    @property
    def found(self) -> bool:
        return not says_not_found(self.text)


@dataclass(frozen=True)
class DocumentPrompt:
    """A prompt's token ids, the first `document` of which are the same for every question."""

    ids: list[int]
    document: int


def document_prompt(model: Model, tokenizer: Tokenizer, document: str, question: str) -> DocumentPrompt:
    """The prompt for a question. Raises `PromptError` when it leaves no room for an answer."""
    question = question.strip()  # leading white space would join the line breaks before it in one token
    ids = _encode(tokenizer, document, question)
    limit = model.args.context_length - ANSWER_ROOM
    if len(ids) > limit:
        raise PromptError(
            f"document and question are {len(ids)} tokens and this model takes {limit};"
            " give a shorter text or a model with a longer context"
        )
    return DocumentPrompt(ids, len(ids) - _question_tokens(tokenizer, document, question, ids))


def _question_tokens(tokenizer: Tokenizer, document: str, question: str, ids: Sequence[int]) -> int:
    """How many tokens at the end of `ids` are not the same for every question; all where that is not clear.

    Two questions that share no beginning are put to the end of the document, which suffices:
    what stands before a text changes its tokens only where the two touch.
    """
    end = document[-_TAIL:]
    asked = _encode(tokenizer, end, question)
    other = _encode(tokenizer, end, "a" if question.startswith("1") else "1")
    pairs = enumerate(zip(asked, other, strict=False))
    same = next((at for at, (left, right) in pairs if left != right), 0)
    count = len(asked) - same
    return count if ids[-count:] == asked[same:] else len(ids)


def _encode(tokenizer: Tokenizer, document: str, question: str) -> list[int]:
    return tokenizer.encode_chat([{"role": "user", "content": whole_document(document, question)}])


def read_prompt(
    model: Model,
    prompt: DocumentPrompt,
    cache: list[Any],
    prefill_step: int = PREFILL_STEP,
    store: PrefixStore | None = None,
    label: str = "",
    on_prefill: Progress | None = None,
) -> int:
    """Puts the document's part of the prompt into the empty `cache`.

    Returns how many tokens came from the `store`, in which the text is called `label`.
    """
    beginning = prompt.ids[: prompt.document]
    if store and len(beginning) >= LEAST_STORED:
        return store.prefill(beginning, cache, len(prompt.ids), label, on_prefill)
    announce(cache, len(prompt.ids))
    prefill(model, mx.array(beginning, dtype=mx.uint32), cache, on_prefill, prefill_step)
    return 0


def stream_answer(
    model: Model, tokenizer: Tokenizer, prompt: DocumentPrompt, cache: list[Any], max_tokens: int
) -> Generator[GenerationEvent, None, None]:
    """At most `max_tokens` tokens, fewer where the context ends before; `read_prompt` filled `cache`.

    Greedy, because an answer about a document should be the same every time.
    """
    room = min(max_tokens, model.args.context_length - len(prompt.ids))
    known, question = prompt.ids[: prompt.document], prompt.ids[prompt.document :]
    return stream_generate(
        model, tokenizer, question, max_tokens=room, temperature=0.0, cache=cache, cached=known
    )
