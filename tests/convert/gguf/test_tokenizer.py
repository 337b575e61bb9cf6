"""The tokenizer inside a GGUF file comes out as the files of a Hugging Face folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Backend

from convert.gguf.header import read_header
from convert.gguf.metadata import Metadata
from convert.gguf.tokenizer import tokenizer_files
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.tokenizer import Tokenizer
from tests import checkpoints
from tests.convert.gguf.builder import tokenizer_metadata, with_changes
from tests.convert.gguf.container import gguf

#: Letters that NFC composes, contractions, digits, spaces of many kinds, scripts without
#: spaces, right-to-left text, emoji of several code points, and control tokens as plain text.
SAMPLE = (
    "Qwen2's tokenizer: we've 1234567 tests, DON'T we'll  see   tabs\tand\r\n\r\n  newlines \n "
    "Cafe\u0301 cre\u0300me bru\u0302le\u0301e, naïve façade, \u1112\u1161\u11ab\u1100\u1173\u11af, A\u030a\n"
    "½ Ⅷ 你好，世界！通义千问。日本語のテスト。한국어 문장입니다.\n"
    "Русский текст, العربية من اليمين, עברית, हिन्दी, ภาษาไทย, tiếng Việt\n"
    'def f(x):\n    return x**2 # != {"a": [1, 2.5e-3]} <tag/> https://example.org/?q=%20\n'
    "👨\u200d👩\u200d👧 🇩🇪 👍🏽 𠀀 \u00a0\u2003\u3000 \ufeff\x00\x7f\n"
    "<|im_start|>user<|im_end|><|endoftext|> <|im_start|"
)

SMALL = json.loads(checkpoints.tokenizer_json())
SETTINGS = {"eos_token": checkpoints.CONTROL_TOKENS[2], "chat_template": checkpoints.CHAT_TEMPLATE}
ROWS = 264


def files_of(folder: Path, metadata: dict[str, Any], rows: int = ROWS) -> dict[str, bytes]:
    path = folder / "model.gguf"
    path.write_bytes(gguf(metadata))
    return tokenizer_files(read_header(path)[0], rows)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def small(**changes: Any) -> dict[str, Any]:
    """The small tokenizer as metadata, keys of `tokenizer.ggml` changed."""
    keys = {f"tokenizer.ggml.{key}": item for key, item in changes.items()}
    return with_changes(tokenizer_metadata(SMALL, SETTINGS, ROWS), keys)


def test_the_published_tokenizer_comes_back(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "qwen2-tokenizer"
    original, settings = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("tokenizer.json", "tokenizer_config.json")
    )
    files = files_of(tmp_path, tokenizer_metadata(original, settings, 151936), 151936)
    rebuilt = json.loads(files["tokenizer.json"])
    assert rebuilt["model"]["vocab"] == original["model"]["vocab"]
    assert rebuilt["added_tokens"] == original["added_tokens"]
    for part in ("normalizer", "pre_tokenizer"):
        assert rebuilt[part] == original[part]

    theirs, ours = Tokenizer.from_folder(folder), Tokenizer.from_folder(written(tmp_path, files))
    assert ours.encode(SAMPLE) == theirs.encode(SAMPLE)
    assert ours.decode(ours.encode(SAMPLE)) == theirs.decode(theirs.encode(SAMPLE))
    raw = [Backend.from_file(str(place / "tokenizer.json")) for place in (folder, tmp_path)]
    assert raw[0].encode(SAMPLE).ids == raw[1].encode(SAMPLE).ids
    messages = [{"role": "user", "content": "Hello <|im_end|>"}]
    assert ours.encode_chat(messages) == theirs.encode_chat(messages)
    assert (len(ours), ours.eos_ids) == (len(theirs), theirs.eos_ids)
    generation = json.loads(files["generation_config.json"])
    assert generation["eos_token_id"] == [151645, 151643]


def test_the_small_tokenizer_comes_back(tmp_path: Path) -> None:
    files = files_of(tmp_path, small())
    original = Backend.from_str(checkpoints.tokenizer_json())
    ours = Backend.from_str(files["tokenizer.json"].decode())
    assert ours.get_vocab() == original.get_vocab()
    assert json.loads(files["tokenizer_config.json"])["chat_template"] == checkpoints.CHAT_TEMPLATE
    assert json.loads(files["generation_config.json"]) == {
        "bos_token_id": 257,
        "pad_token_id": 257,
        "eos_token_id": [259, 257],
    }


def test_text_is_composed_and_split_as_qwen2_does(tmp_path: Path) -> None:
    backend = Backend.from_str(files_of(tmp_path, small())["tokenizer.json"].decode())
    assert backend.normalizer.normalize_str("e\u0301") == "\u00e9"
    pieces = backend.pre_tokenizer.pre_tokenize_str("We'LL pay  12.5 (now!)\r\n\n ok")
    expected = ["We", "'LL", "Ġpay", "Ġ", "Ġ", "1", "2", ".", "5", "Ġ(", "now", "!)čĊĊ", "Ġok"]
    assert [piece for piece, _ in pieces] == expected


def test_more_tokens_than_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="has 264 tokens, but an embedding of 263 rows"):
        files_of(tmp_path, small(), 263)


@pytest.mark.parametrize("kind", [4, 5], ids=["user-defined", "unused"])
def test_padding_rows_are_no_tokens(kind: int, tmp_path: Path) -> None:
    metadata = small()
    metadata["tokenizer.ggml.token_type"][260:] = [kind] * 4
    tokenizer = Tokenizer.from_folder(written(tmp_path, files_of(tmp_path, metadata)))
    assert tokenizer.unknown_ids(ROWS) == [260, 261, 262, 263]


def test_user_defined_tokens_are_matched_and_shown(tmp_path: Path) -> None:
    original = {**SMALL, "added_tokens": [*SMALL["added_tokens"], dict(SMALL["added_tokens"][0])]}
    original["added_tokens"][-1] |= {"id": 260, "content": "<tool_call>", "special": False}
    folder = written(tmp_path, files_of(tmp_path, tokenizer_metadata(original, SETTINGS, ROWS)))
    backend = Backend.from_file(str(folder / "tokenizer.json"))
    assert backend.encode("a<tool_call>").ids[-1] == 260
    assert Tokenizer.from_folder(folder).decode([260]) == "<tool_call>"


@pytest.mark.parametrize("move", [{257: 262, 258: 257}, {259: 263}, {0: 260, 259: 0}])
def test_added_tokens_keep_ids_that_do_not_follow_the_vocabulary(
    move: dict[int, int], tmp_path: Path
) -> None:
    metadata = small()
    tokens, types = (metadata[f"tokenizer.ggml.{key}"] for key in ("tokens", "token_type"))
    before = list(zip(tokens, types, strict=True))
    for source in move:
        tokens[source], types[source] = f"[FREE{source}]", 5
    for source, target in move.items():
        tokens[target], types[target] = before[source]
    expected = {token: i for i, (token, kind) in enumerate(zip(tokens, types, strict=True)) if kind != 5}
    backend = Backend.from_str(files_of(tmp_path, metadata)["tokenizer.json"].decode())
    assert backend.get_vocab() == expected
    assert backend.encode("<|im_end|>").ids == [expected["<|im_end|>"]]


def test_recommended_sampling_is_carried_over(tmp_path: Path) -> None:
    sampling = {"general.sampling.temp": 0.7, "general.sampling.top_k": 20}
    generation = json.loads(files_of(tmp_path, {**small(), **sampling})["generation_config.json"])
    assert (generation["do_sample"], generation["temperature"], generation["top_k"]) == (True, 0.7, 20)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "llama"}, "a tokenizer of kind 'llama'; only 'gpt2'"),
        ({"model": ...}, "a tokenizer of kind 'None'"),
        ({"pre": "llama-bpe"}, "splits text as 'llama-bpe'; only 'qwen2' is supported"),
        ({"pre": ...}, "does not say how to split text; only 'qwen2'"),
        ({"tokens": ...}, "tokenizer.ggml.tokens is missing"),
        ({"tokens": [1, 2]}, "tokens is an array of 2; an array of texts"),
        ({"tokens": ["a"]}, "1 tokens and 264 token types"),
        ({"tokens": ["a"] * ROWS}, "a token stands there twice"),
        ({"token_type": ["a"]}, "an array of whole numbers"),
        ({"token_type": [7] * ROWS}, "tokens of type 7"),
        ({"merges": ["t", "h"]}, "merge 't' makes no token"),
        ({"merges": ["t h e"]}, "merge 't h e' makes no token"),
        ({"merges": ["x q"]}, "merge 'x q' makes no token"),
        ({"merges": 7}, "merges is 7; an array of texts"),
        ({"eos_token_id": 264}, "eos_token_id is 264, the file has 264 tokens"),
        ({"eot_token_id": 264}, "eot_token_id is 264, the file has 264 tokens"),
        ({"eos_token_id": "end"}, "eos_token_id is 'end'; a token id"),
        ({"bos_token_id": 2**31}, "bos_token_id is 2147483648"),
    ],
)
def test_a_tokenizer_that_cannot_be_rebuilt_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError) as caught:
        files_of(tmp_path, small(**changes))
    assert said in str(caught.value)


def test_a_template_that_is_no_text_is_refused() -> None:
    values = {**small(), "tokenizer.chat_template": 7}
    with pytest.raises(CheckpointError):
        tokenizer_files(Metadata(Path("model.gguf"), values), ROWS)
