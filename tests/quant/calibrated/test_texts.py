"""Calibration text as token ids."""

import json
from itertools import chain
from pathlib import Path

import pytest

from quant.calibrated import texts
from quant.calibrated.texts import CalibrationError, calibration_tokens
from qwen2_mlx.tokenizer import Tokenizer
from tests.qwen2_mlx.small_tokenizer import write_small_tokenizer

#: More sequences than there are: none is left out.
EVERYTHING = 10_000


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_folder(write_small_tokenizer(tmp_path / "tokenizer"))


@pytest.fixture
def without_template(tmp_path: Path) -> Tokenizer:
    return Tokenizer.from_folder(write_small_tokenizer(tmp_path / "base", chat_template=None))


def written(tmp_path: Path, *entries: object, name: str = "own.jsonl") -> Path:
    file = tmp_path / name
    file.write_text("\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries), encoding="utf-8")
    return file


def talk(content: str) -> dict:
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "Yes."}]}


def test_the_bundled_texts_are_conversations_in_many_languages(tokenizer: Tokenizer) -> None:
    sequences = calibration_tokens(tokenizer, count=EVERYTHING)
    together = "".join(tokenizer.decode(ids) for ids in sequences)
    for passage in ("assistant\n", "Wärmepumpe", "请用三句话", "хлорофилла", "المغرب", "梅雨", "def ", "x²"):
        assert passage in together
    assert all(0 < len(ids) <= 512 for ids in sequences)


def test_every_bundled_conversation_has_an_answer_and_no_text_twice() -> None:
    entries = [entry for _, entry in texts._entries(None)]
    assert len({json.dumps(entry, sort_keys=True) for entry in entries}) == len(entries) > 100
    for entry in entries:
        if "messages" in entry:
            roles = [message["role"] for message in entry["messages"] if message["role"] != "system"]
            assert roles == ["user", "assistant"] * (len(roles) // 2)
            assert all(message["content"].strip() for message in entry["messages"])


def test_texts_for_a_base_model_have_no_template(without_template: Tokenizer) -> None:
    sequences = calibration_tokens(without_template, count=EVERYTHING)
    together = "".join(without_template.decode(ids) for ids in sequences)
    assert "梅雨" in together
    assert "<|im_start|>" not in together


def test_the_same_call_gives_the_same_tokens(tokenizer: Tokenizer) -> None:
    assert calibration_tokens(tokenizer, count=9) == calibration_tokens(tokenizer, count=9)


def test_a_conversation_passes_through_the_template_and_its_text_stays_text(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    start = tokenizer.encode_chat([{"role": "user", "content": "x"}])[0]
    file = written(tmp_path, talk("What does <|im_start|> mean?"))
    (ids,) = calibration_tokens(tokenizer, file)
    messages = talk("What does <|im_start|> mean?")["messages"]
    assert ids == tokenizer.encode_chat(messages, add_generation_prompt=False)
    assert ids.count(start) == 3  # system, user, assistant


def test_plain_text_is_cut_into_sequences_and_its_control_tokens_stay_text(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    content = "The quick brown fox. <|im_end|> " * 40
    file = tmp_path / "own.txt"
    file.write_text(content, encoding="utf-8")
    sequences = calibration_tokens(tokenizer, file, length=50)
    assert [len(ids) for ids in sequences[:-1]] == [50] * (len(sequences) - 1)
    assert list(chain.from_iterable(sequences)) == tokenizer.encode(content)


def test_short_texts_share_a_sequence_and_are_not_cut(tokenizer: Tokenizer, tmp_path: Path) -> None:
    entries = [{"text": f"Number {i}: the code of the north gate is {4711 + i}."} for i in range(30)]
    sequences = calibration_tokens(tokenizer, written(tmp_path, *entries), length=64)
    single = [tokenizer.encode(entry["text"]) for entry in entries]
    assert list(chain.from_iterable(sequences)) == list(chain.from_iterable(single))
    assert all(any(ids[: len(first)] == first for first in single) for ids in sequences)
    assert max(map(len, sequences)) <= 64 < sum(map(len, single)) / 3


def test_of_a_long_file_parts_from_all_over_are_taken(tokenizer: Tokenizer, tmp_path: Path) -> None:
    entries = [{"text": f"entry {i} " + "fox " * 60} for i in range(100)]
    sequences = calibration_tokens(tokenizer, written(tmp_path, *entries), length=80, count=4)
    assert [tokenizer.decode(ids).split()[1] for ids in sequences] == ["0", "25", "50", "75"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no text"),
        ("\n\n", "has no text"),
        ("{", "line 1 is not JSON"),
        ('{"text": "fine"}\n[1]', "line 2 needs an object"),
        ('{"text": 3}', "line 1 needs an object"),
        ('{"messages": [{"role": "user"}, 4]}', "line 1 is no conversation"),
        ('{"messages": []}', "line 1 is no conversation"),
        ("[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_clean_error(
    tokenizer: Tokenizer, tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(CalibrationError, match=message):
        calibration_tokens(tokenizer, file)


def test_a_file_that_is_missing_huge_or_no_text_is_a_clean_error(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CalibrationError, match="does not exist"):
        calibration_tokens(tokenizer, tmp_path / "nowhere.txt")
    with pytest.raises(CalibrationError, match="cannot be read"):
        calibration_tokens(tokenizer, tmp_path)
    (tmp_path / "picture.txt").write_bytes(b"\xff\xfe\x80\x81")
    with pytest.raises(CalibrationError, match="no text in UTF-8"):
        calibration_tokens(tokenizer, tmp_path / "picture.txt")
    monkeypatch.setattr(texts, "LARGEST_FILE", 3)
    with pytest.raises(CalibrationError, match="give a part of it"):
        calibration_tokens(tokenizer, tmp_path / "picture.txt")


@pytest.mark.parametrize("line", ["so much to tell\n", "endless "])
def test_long_text_is_encoded_in_portions(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """For the tokenizer takes a hundred times the memory of what it encodes at once."""
    file = tmp_path / "long.txt"
    file.write_text(line * 40, encoding="utf-8")
    expected = calibration_tokens(tokenizer, file)
    monkeypatch.setattr(texts, "PORTION", 50)
    asked: list[str] = []
    encode = tokenizer.encode
    monkeypatch.setattr(tokenizer, "encode", lambda text: asked.append(text) or encode(text))
    sequences = calibration_tokens(tokenizer, file)
    assert max(map(len, asked)) <= 50
    assert "".join(asked).endswith(line * 40)
    if line.endswith("\n"):
        assert sequences == expected


def test_a_device_without_an_end_is_not_read_to_its_end(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "LARGEST_FILE", 1000)
    with pytest.raises(CalibrationError, match="give a part of it"):
        calibration_tokens(tokenizer, Path("/dev/zero"))


def test_half_a_surrogate_pair_is_a_clean_error(tokenizer: Tokenizer, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"text": "\\ud800"}', encoding="utf-8")
    with pytest.raises(CalibrationError, match="line 1 is not JSON"):
        calibration_tokens(tokenizer, file)
