"""Streaming never shows half a character, neither of bytes nor of code points."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qwen2_mlx.detokenizer import last_character_start
from qwen2_mlx.tokenizer import Tokenizer
from tests.checkpoints import CONTROL_TOKENS
from tests.qwen2_mlx.small_tokenizer import byte_tokens, write_small_tokenizer

#: What a reader sees as one character although it is several code points, and what they are made of.
CHARACTERS = [
    *(
        "e\u0301",
        "👩🏿\u200d🚀",
        "🏳\ufe0f\u200d🌈",
        "🇩🇪",
        "🇫🇷🇯🇵",
        "👍🏽",
        "❤\ufe0f",
        "1\ufe0f\u20e3",
        "नि",
        "각",
        "กำ",
    ),
    *(
        "👨\u200d👩\u200d👧\u200d👦",
        "🏴\U000e0067\U000e0062\U000e007f",
        "\u0301",
        "\u200d",
        "🏽",
        "\ufe0f",
        "🇯",
    ),
    *("\n", "\r\n", " ", "a", "中", "😀", "\ufffd", "."),
]

REGIONAL = "".join(map(chr, range(0x1F1E6, 0x1F200)))

texts = st.lists(st.sampled_from(CHARACTERS) | st.text(max_size=3), max_size=12).map("".join)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return Tokenizer.from_folder(write_small_tokenizer(tmp_path_factory.mktemp("small")))


official = cache(Tokenizer.from_folder)


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    """What is shown after each of `ids`, and at the end."""
    stream = tokenizer.detokenizer()
    return [*map(stream.add, ids), stream.finish()]


def assert_whole_characters(shown: list[str], text: str) -> None:
    assert "".join(shown) == text
    for end in range(1, len(shown)):
        before, after = "".join(shown[:end]), "".join(shown[end:])
        if before and after and not before.endswith("\n"):
            assert_character_boundary(before, after)


def assert_character_boundary(before: str, after: str) -> None:
    """Checks the rules of Unicode annex 29 that the shown text promises to follow, each spelt out."""
    first = after[0]
    assert not unicodedata.category(first).startswith("M"), "combining mark or variation selector"
    assert "\u200d" not in (first, before[-1]), "joiner"
    assert not "\U0001f3fb" <= first <= "\U0001f3ff", "skin tone"
    assert not "\U000e0020" <= first <= "\U000e007f", "tag"
    if first in REGIONAL:
        flags = len(before) - len(before.rstrip(REGIONAL))
        assert flags % 2 == 0, "half a flag"


@given(text=texts)
@settings(max_examples=400)
@example("a\ufffd")
@example("\ufffd\ufffd\ufffd")
@example("x\n\u0301")
def test_a_text_is_shown_in_whole_characters_and_completely(small: Tokenizer, text: str) -> None:
    ids = small.encode(text)
    assert_whole_characters(pieces(small, ids), small.decode(ids))


@given(text=texts)
def test_one_byte_at_a_time_is_shown_in_whole_characters(small: Tokenizer, text: str) -> None:
    assert_whole_characters(pieces(small, byte_tokens(text.encode())), text)


@pytest.mark.parametrize("text", CHARACTERS)
def test_the_official_tokenizer_shows_whole_characters(shared_data: Path, text: str) -> None:
    tokenizer = official(shared_data / "qwen2-tokenizer")
    for context in (text, f"a{text}b", text * 3, f"。{text}\n{text}"):
        ids = tokenizer.encode(context)
        assert_whole_characters(pieces(tokenizer, ids), tokenizer.decode(ids))


@given(
    data=st.binary(max_size=24)
    | st.lists(st.sampled_from([b"\xe4", b"\xbd", b"\xa0", b"\xf0\x9f", b"\xff", b"a"])).map(b"".join)
)
@settings(max_examples=400)
def test_bytes_that_are_no_text_lose_no_character(small: Tokenizer, data: bytes) -> None:
    """Bytes after which no character can come are dropped at the end; everything else is shown."""
    ids = byte_tokens(data)
    shown, whole = "".join(pieces(small, ids)), small.decode(ids)
    assert shown == whole or shown == whole.rstrip("\ufffd")


@given(ids=st.lists(st.integers(0, 499), max_size=20))
@settings(max_examples=300)
def test_random_tokens_lose_no_character(small: Tokenizer, ids: list[int]) -> None:
    shown, whole = "".join(pieces(small, ids)), small.decode(ids)
    assert shown in (whole, whole.rstrip("\ufffd"))


def test_half_a_character_at_the_end_is_dropped(small: Tokenizer) -> None:
    assert pieces(small, byte_tokens("ab中".encode()[:-1])) == ["", "a", "", "", "b"]


def test_a_character_before_half_a_character_in_the_same_token_is_not_lost(small: Tokenizer) -> None:
    """A token that ended in half a character, as the last one, took its whole characters with it."""
    token = next(i for i in range(500) if len(small.decode([i])) > 1 and small.decode([i]).endswith("\ufffd"))
    assert pieces(small, [token]) == ["", small.decode([token]).rstrip("\ufffd")]


def test_characters_are_shown_as_soon_as_the_next_one_begins(small: Tokenizer) -> None:
    assert pieces(small, byte_tokens(b"abc")) == ["", "a", "b", "c"]
    assert pieces(small, byte_tokens(b"a\nb\n")) == ["", "a\n", "", "b\n", ""]


def test_special_tokens_show_nothing_and_do_not_disturb(small: Tokenizer) -> None:
    hidden = [i for i in range(510) if small.decode([i]) == ""][: len(CONTROL_TOKENS)]
    assert len(hidden) == len(CONTROL_TOKENS)
    ids = [token for byte in byte_tokens("中é".encode()) for token in (hidden[0], byte, *hidden)]
    assert "".join(pieces(small, ids)) == "中é"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", 0),
        ("a", 0),
        ("ab", 1),
        ("a\n", 2),
        ("ae\u0301\u0302", 1),
        ("🇩🇪🇫", 2),
        ("🇩🇪🇫🇷", 2),
        ("x👩🏿\u200d🚀", 1),
        ("\u0301", 0),
    ],
)
def test_where_the_last_character_starts(text: str, start: int) -> None:
    assert last_character_start(text) == start


def test_pieces_of_a_hangul_syllable_stay_together() -> None:
    syllable = unicodedata.normalize("NFD", "각")
    assert len(syllable) == 3
    assert last_character_start(f"a{syllable}") == 1
