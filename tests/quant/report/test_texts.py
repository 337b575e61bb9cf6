"""The bundled texts and how they are cut."""

from pathlib import Path

import pytest

from quant.report.texts import CHAT, PROSE, Text, bundled_texts, cut
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer


@pytest.fixture
def tokenizer(checkpoint: Path) -> Tokenizer:
    return Tokenizer.from_folder(checkpoint)


def test_every_kind_of_text_gives_windows(tokenizer: Tokenizer) -> None:
    windows = cut(tokenizer, bundled_texts(), 512)
    assert [*dict.fromkeys(window.kind for window in windows)] == [*PROSE, CHAT]
    assert all(32 <= len(window.tokens) <= 512 for window in windows)
    assert len({window.id for window in windows}) == len(windows)


def test_windows_hold_the_text_in_its_order(tokenizer: Tokenizer) -> None:
    content = "The quick brown fox jumps over the lazy dog. " * 9
    windows = cut(tokenizer, [Text("prose", content)], 100)
    tokens = [token for window in windows for token in window.tokens]
    assert tokens == tokenizer.encode(content)[: len(tokens)]
    assert len(tokenizer.encode(content)) - len(tokens) < 32


def test_conversations_go_through_the_template(tokenizer: Tokenizer) -> None:
    chat = next(text for text in bundled_texts() if text.kind == CHAT)
    conversation = chat.content[0]
    assert not isinstance(conversation, str)
    expected = tokenizer.encode_chat(conversation, add_generation_prompt=False)
    windows = cut(tokenizer, [Text(CHAT, [conversation])], 4096)
    assert windows[0].tokens == tuple(expected)


def test_a_base_model_reads_conversations_as_plain_text(checkpoint: Path) -> None:
    (checkpoint / "tokenizer_config.json").write_text("{}")
    windows = cut(Tokenizer.from_folder(checkpoint), bundled_texts(), 512)
    assert any(window.kind == CHAT for window in windows)


def test_a_text_that_is_too_short_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(PromptError, match="too short"):
        cut(tokenizer, [Text("prose", "Hello.")], 512)
