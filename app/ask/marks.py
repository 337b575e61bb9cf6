"""Sentences of an answer and the numbers that stand at their ends, like [1]."""

import re
from dataclasses import dataclass

from app.ask.sentences import sentences

_MARK = re.compile(r"[^\S\n]{0,4}\[(\d{1,6}(?:\s{0,2}[,;]\s{0,2}\d{1,6}){0,40})\]")
_START = re.compile(r"\s*(?:[-*•]\s+)?\[\d")


@dataclass(frozen=True)
class Marked:
    """A sentence without its marks, and the numbers in them, each once, in their order."""

    text: str
    marks: tuple[int, ...]


def without_marks(reply: str) -> str:
    """`reply` without marks like [1] and the spaces before them."""
    return _MARK.sub("", reply).strip()


def split_reply(reply: str) -> list[Marked]:
    """The sentences of an answer, each with its marks.

    Marks stand before or behind the full stop of their sentence, several may follow one another.
    Where the answer begins with a mark and does not end in one, each belongs to what follows it.
    """
    plain, marks, at = [], [], 0
    length = 0
    for match in _MARK.finditer(reply):
        piece = reply[at : match.start()]
        plain.append(piece)
        length += len(piece)
        marks.append((length, [int(number) for number in re.findall(r"\d+", match[1])]))
        at = match.end()
    text = "".join([*plain, reply[at:]])
    spans = sentences(text)
    leading = bool(_START.match(reply)) and not re.search(r"\]\W*$", reply)
    numbers: list[list[int]] = [[] for _ in spans]
    for position, found in marks:
        index = _following(spans, position) if leading else _preceding(spans, position)
        if index is not None:
            numbers[index] += found
    return [
        Marked(" ".join(text[start:end].split()), tuple(dict.fromkeys(found)))
        for (start, end), found in zip(spans, numbers, strict=True)
        if any(character.isalnum() for character in text[start:end])
    ]


def _preceding(spans: list[tuple[int, int]], position: int) -> int | None:
    """The last sentence that begins before `position`; the first where none does."""
    before = [index for index, (start, _) in enumerate(spans) if start < position]
    return before[-1] if before else 0 if spans else None


def _following(spans: list[tuple[int, int]], position: int) -> int | None:
    after = [index for index, (_, end) in enumerate(spans) if end > position]
    return after[0] if after else None
