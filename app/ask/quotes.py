"""Where a text says what an answer says."""

import re
from dataclasses import dataclass
from typing import Literal

from app.ask.normal import Normal, normal
from app.ask.passage import Passage
from app.ask.sentences import around, sentences

#: Percent of similarity from which a run of characters is taken for the statement.
LEAST_SIMILAR = 90.0

#: Statements of fewer characters are quoted with the sentence that they stand in.
_SHORT = 24

_ENDS = " .!?。！？｡;:,"


@dataclass(frozen=True)
class Located:
    """The part of a document that says a statement, and how alike the two are in percent."""

    passage: Passage
    match: Literal["exact", "fuzzy"]
    score: float


def locate_exact(statement: str, passage: Passage) -> Located | None:
    """`statement` word for word in `passage`: whatever the case, line breaks, hyphens and quotation marks."""
    wanted, text = normal(statement).text.strip(_ENDS), normal(passage.text)
    at = _find_words(text.text, wanted)
    if at < 0:
        return None
    end = at + len(wanted)
    while end < len(text.text) and text.text[end] in ".!?。！？｡":
        end += 1
    start, end = text.span(at, end)
    if len(wanted) < _SHORT:
        start, end = around(sentences(passage.text), start, end)
    return Located(passage.span(start, end), "exact", 100.0)


def locate_similar(statement: str, passage: Passage) -> Located | None:
    """The sentences of `passage` that differ from `statement` in few characters."""
    from rapidfuzz.fuzz import partial_ratio_alignment

    wanted, text = normal(statement).text.strip(_ENDS), normal(passage.text)
    if len(wanted) < _SHORT or len(wanted) > len(text.text):  # the shorter one is slid along the other
        return None
    found = partial_ratio_alignment(wanted, text.text, score_cutoff=LEAST_SIMILAR)
    if found is None or found.dest_end <= found.dest_start:
        return None
    start, end = _trimmed(text, found.dest_start, found.dest_end)
    start, end = _touched(passage.text, *text.span(start, end))
    return Located(passage.span(start, end), "fuzzy", min(found.score, 99.9))


def locate(statement: str, passage: Passage) -> Located | None:
    """`statement` in `passage`, exactly or nearly so; None where neither."""
    return locate_exact(statement, passage) or locate_similar(statement, passage)


def _find_words(text: str, wanted: str) -> int:
    """Where `wanted` stands in `text` with no letter or digit of a longer word around it; -1 nowhere."""
    at = text.find(wanted) if wanted else -1
    while at >= 0:
        end = at + len(wanted)
        before, after = text[max(0, at - 1) : at], text[end : end + 1]
        if not (_joined(before, wanted[0]) or _joined(wanted[-1], after) or _in_number(text, at, end)):
            return at
        at = text.find(wanted, at + 1)
    return -1


def _joined(left: str, right: str) -> bool:
    """Whether two neighbours belong to one word. Chinese words have no borders to see."""
    return left.isalnum() and right.isalnum() and not _wide(left) and not _wide(right)


def _in_number(text: str, start: int, end: int) -> bool:
    """Whether the run is only a part of a number such as 1.425."""
    before = re.search(r"\d[.,]$", text[max(0, start - 2) : start]) and text[start].isdigit()
    after = re.match(r"[.,]\d", text[end : end + 2]) and text[end - 1].isdigit()
    return bool(before or after)


def _wide(character: str) -> bool:
    return "⺀" <= character <= "\uffef"


def _trimmed(text: Normal, start: int, end: int) -> tuple[int, int]:
    """A run without the pieces of words at its ends that only an alignment put there."""
    while start < end and text.text[start] in _ENDS:
        start += 1
    while end > start + 1 and text.text[end - 1] == " ":
        end -= 1
    return start, end


def _touched(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentences of which the run covers more than a few characters."""
    few = max(3, (end - start) // 10)
    spans = [
        span
        for span in sentences(text)
        if min(span[1], end) - max(span[0], start) >= min(few, span[1] - span[0])
    ]
    return (spans[0][0], spans[-1][1]) if spans else (start, end)
