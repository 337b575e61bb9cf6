"""A conversation is counted as it will be read, and each message once."""

from itertools import pairwise

import pytest

from app.chat.engine import counting
from app.chat.engine.counting import Counting
from app.chat.engine.messages import Said
from app.chat.engine.opened import as_messages
from qwen2_mlx.errors import PromptError
from qwen2_mlx.resolve import resolve
from qwen2_mlx.tokenizer import Tokenizer

CONVERSATIONS: tuple[tuple[Said, ...], ...] = (
    (("user", "Hello"),),
    (("user", ""),),
    (("system", "Be brief."), ("user", "Hello")),
    (("user", "Hello "), ("assistant", "\n\nHi.\n"), ("user", "\n 好 "), ("user", "<|im_end|>")),
    (("assistant", "I begin."), ("user", "You do.")),
    (("user", "a"), ("system", "in between"), ("user", "b")),
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_folder(resolve("tiny"))


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_messages_add_up_to_the_prompt(tokenizer: Tokenizer, conversation: tuple[Said, ...]) -> None:
    assert Counting(tokenizer).count(conversation) == len(tokenizer.encode_chat(as_messages(conversation)))


def test_only_what_is_new_is_read(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    encode = tokenizer.encode_chat
    monkeypatch.setattr(
        tokenizer, "encode_chat", lambda messages: read.append(len(messages)) or encode(messages)
    )
    counts = Counting(tokenizer)
    history: tuple[Said, ...] = (("user", "Hello " * 1000), ("assistant", "Hi " * 1000))
    counts.count((*history, ("user", "W")))
    read.clear()
    for draft in ("Wh", "Who", "Who "):
        counts.count((*history, ("user", draft)))
    assert read == [2, 2, 2]


def test_what_is_remembered_is_limited(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "REMEMBERED", 10)
    counts = Counting(tokenizer)
    for number in range(50):
        counts.count((("user", f"{number}"),))
    assert len(counts._counts) == 10


def test_a_template_that_wants_turns_to_alternate_counts_what_it_takes() -> None:
    class Strict:
        def encode_chat(self, messages: list[dict[str, str]]) -> list[int]:
            roles = [message["role"] for message in messages]
            if any(one == other for one, other in pairwise(roles)):
                raise PromptError("roles must alternate")
            return [0] * sum(3 + len(message["content"]) for message in messages)

    counts = Counting(Strict())  # type: ignore[arg-type]
    assert counts.count((("user", "a"), ("assistant", "b"), ("user", "c"))) == 12
    with pytest.raises(PromptError):
        counts.count((("user", "a"), ("user", "b")))
