"""Text as it is compared: one spelling of spaces, quotation marks and hyphens, and no line wrapping.

Every character of the normal form knows the character of the text that it came from.
"""

import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

_TYPOGRAPHY = str.maketrans({
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-",
})  # fmt: skip
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"

#: Scripts that put no space between words, as a range in a regular expression.
WIDE = "⺀-\uffef"
_WORD = re.compile(rf"[{WIDE}]|[^\W_{WIDE}]+")

#: A hyphen inside a word, at the end of a line or not: the two cannot be told apart.
_HYPHEN = re.compile(r"(?<=[^\W\d_])(?:[-‐‑\u00ad][^\S\n]{0,8}\n\s{0,16}|[-‐‑])(?=[^\W\d_])")


@dataclass(frozen=True)
class Normal:
    """The normal form of a text; `origin[i]` is the index in the text of its character `i`."""

    text: str
    origin: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original text that normal characters `start` to `end` came from."""
        return self.origin[start], self.origin[end - 1] + 1

    def index(self, position: int) -> int:
        """The first normal character that came from original character `position` or a later one."""
        return bisect_left(self.origin, position)


@lru_cache(maxsize=32)  # an answer's sentences are looked for in the same few texts
def normal(text: str) -> Normal:
    """Case-folded, in compatibility form, white space collapsed, hyphens within words left out."""
    dropped: set[int] = set()
    for match in _HYPHEN.finditer(text):
        dropped.update(range(match.start(), match.end()))
    characters: list[str] = []
    origin: list[int] = []
    for at, character in enumerate(text):
        if at in dropped or character in _INVISIBLE:
            continue
        if character.isspace():
            if characters and characters[-1] != " ":
                characters.append(" ")
                origin.append(at)
            continue
        form = character if character.isascii() else unicodedata.normalize("NFKC", character)
        for part in form.translate(_TYPOGRAPHY).casefold():
            if part != " " or (characters and characters[-1] != " "):
                characters.append(part)
                origin.append(at)
    while characters and characters[-1] == " ":
        characters.pop()
        origin.pop()
    return Normal("".join(characters), origin)


def words(text: str) -> list[str]:
    """The words of a text in normal form; every Chinese character is one."""
    return _WORD.findall(normal(text).text)
