"""Text for calibration, as token ids: what a model sees while it is quantised.

The bundled set (`texts.jsonl`) was written for this purpose: short conversations in a dozen
languages, code, maths, questions about documents, and plain text, each line an object with
`messages` or `text`. A file of one's own has the same form, or is plain text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from qwen2_mlx.errors import PromptError, Qwen2Error, first_line
from qwen2_mlx.tokenizer import Tokenizer

#: Files beyond this many bytes are refused rather than read into memory.
LARGEST_FILE = 1 << 26

#: Characters of plain text that are encoded at once: the tokenizer takes a hundred bytes for each.
PORTION = 1 << 20

#: Endings of files that hold one JSON object a line.
_JSON_LINES = (".jsonl", ".ndjson")


class CalibrationError(Qwen2Error):
    """Calibration text that cannot be used."""


def calibration_tokens(
    tokenizer: Tokenizer, file: Path | None = None, length: int = 512, count: int = 128
) -> list[list[int]]:
    """Up to `count` sequences of up to `length` token ids, from `file` or else the bundled texts.

    `file` is plain text, or by its ending (.jsonl, .ndjson) one JSON object a line with `text`,
    or with `messages`, which pass through the checkpoint's chat template. A sequence holds whole
    conversations or texts as far as they fit; a longer one is cut. If there are more, those
    kept lie evenly over the file. Nothing in a text becomes a control token. Raises
    `CalibrationError` for a file that cannot be read or has no text.
    """
    name = str(file) if file else "the bundled calibration text"
    in_template = _has_template(tokenizer)
    pieces: list[list[int]] = []
    for place, entry in _entries(file):
        ids = _encode(tokenizer, entry, in_template, f"{name}, {place}")
        pieces += [ids[start : start + length] for start in range(0, len(ids), length)]
    sequences = list(_packed(pieces, length))
    if not sequences:
        raise CalibrationError(f"{name} has no text; give a file with a few pages of it")
    if len(sequences) <= count:
        return sequences
    return [sequences[i * len(sequences) // count] for i in range(count)]


def _entries(file: Path | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a file, or of the bundled one, each with the line it stands in."""
    if file is None:
        content = files("quant.calibrated").joinpath("texts.jsonl").read_text(encoding="utf-8")
    else:
        content = _read(file)
        if file.suffix.lower() not in _JSON_LINES:
            yield "line 1", {"text": content}
            return
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield f"line {number}", _parsed(line, f"{file}, line {number}")


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)  # a device may have no size, and no end
        if len(content) > LARGEST_FILE:
            raise CalibrationError(f"{file} is larger than {LARGEST_FILE >> 20} MB; give a part of it")
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        raise CalibrationError(f"{file} does not exist; give a file with calibration text") from None
    except UnicodeDecodeError:
        raise CalibrationError(f"{file} is no text in UTF-8; save it as such") from None
    except OSError as error:
        raise CalibrationError(f"{file} cannot be read: {first_line(error)}") from None


def _parsed(line: str, place: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
        json.dumps(entry, ensure_ascii=False).encode()  # fails for half a surrogate pair, which is no text
    except (ValueError, RecursionError) as error:
        raise CalibrationError(f"{place} is not JSON: {first_line(error)}") from None
    if isinstance(entry, dict) and isinstance(entry.get("text"), str):
        return entry
    if isinstance(entry, dict) and isinstance(entry.get("messages"), list):
        return entry
    raise CalibrationError(f"{place} needs an object with text, or with messages (role and content)")


def _has_template(tokenizer: Tokenizer) -> bool:
    """Whether the checkpoint can format conversations; base models often cannot."""
    try:
        tokenizer.encode_chat([{"role": "user", "content": "Hello"}])
    except PromptError:
        return False
    return True


def _encode(tokenizer: Tokenizer, entry: Mapping[str, Any], in_template: bool, place: str) -> list[int]:
    try:
        if isinstance(entry.get("text"), str):
            return [i for portion in _portions(entry["text"]) for i in tokenizer.encode(portion)]
        if in_template:
            return tokenizer.encode_chat(entry["messages"], add_generation_prompt=False)
        return tokenizer.encode(_as_prose(entry["messages"], place))
    except PromptError as error:
        raise CalibrationError(f"{place} is no conversation: {first_line(error)}") from None


def _portions(text: str) -> Iterator[str]:
    """The text in pieces of at most `PORTION` characters, cut behind a line break where there is one."""
    start = 0
    while start < len(text):
        stop = start + PORTION
        if stop < len(text):
            stop = text.rfind("\n", start, stop) + 1 or stop
        yield text[start:stop]
        start = stop


def _as_prose(messages: Sequence[Any], place: str) -> str:
    """A conversation for a base model that has no template: its contents, a blank line between them."""
    contents = [message.get("content") if isinstance(message, dict) else None for message in messages]
    if not all(isinstance(content, str) for content in contents):
        raise CalibrationError(f"{place}: a chat message needs a role and a content, both text")
    return "\n\n".join(content for content in contents if content)


def _packed(pieces: Sequence[list[int]], length: int) -> Iterator[list[int]]:
    """Joins pieces of up to `length` ids, in their order, as far as they fit together."""
    sequence: list[int] = []
    for piece in pieces:
        if sequence and len(sequence) + len(piece) > length:
            yield sequence
            sequence = []
        sequence = sequence + piece
    if sequence:
        yield sequence
