"""Chunks of paragraphs, as the level-2 procedure packs them."""

import re
from collections.abc import Callable, Iterator

_SENTENCE_END = re.compile(r"(?<=\. )|(?<=。)")
_BREAK = re.compile(r"[\n\f]+")


def pack(text: str, tokens: int, overlap: int, count: Callable[[str], int]) -> Iterator[str]:
    """Paragraphs together as long as they fit `tokens`; longer ones by sentences, those by characters.

    A chunk begins with the last sentences of the one before it, at most `overlap` characters.
    """
    chunk, used = "", 0
    for piece in _pieces(text, tokens, count):
        size = count(piece)
        if chunk and used + size > tokens:
            yield chunk.strip()
            chunk = _tail(chunk, overlap)
            used = count(chunk) if chunk else 0
        chunk += piece
        used += size
    if chunk.strip():
        yield chunk.strip()


def _pieces(text: str, tokens: int, count: Callable[[str], int]) -> Iterator[str]:
    for paragraph in _BREAK.split(text):
        if not paragraph.strip():
            continue
        if count(paragraph) <= tokens:
            yield paragraph + "\n"
            continue
        sentences = [s for s in _SENTENCE_END.split(paragraph) if s]
        for sentence in sentences:
            yield from _cut(sentence, tokens, count)
        yield "\n"


def _cut(sentence: str, tokens: int, count: Callable[[str], int]) -> Iterator[str]:
    """Halves until each part fits."""
    if count(sentence) <= tokens or len(sentence) < 2:
        yield sentence
        return
    middle = len(sentence) // 2
    yield from _cut(sentence[:middle], tokens, count)
    yield from _cut(sentence[middle:], tokens, count)


def _tail(chunk: str, characters: int) -> str:
    kept = ""
    for sentence in reversed(_SENTENCE_END.split(chunk)):
        if len(kept) + len(sentence) > characters:
            break
        kept = sentence + kept
    return kept
