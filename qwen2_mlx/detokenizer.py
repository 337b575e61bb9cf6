"""Token ids to text while they arrive, without ever showing half a character.

A character can span tokens in two ways: its UTF-8 bytes can, and so can the code
points that a reader sees as one character (a letter and its accent, an emoji and its
skin tone). The first is left to the tokenizers library; for the second the last
visible character is held back until the next one begins.
"""

import unicodedata

from tokenizers import Tokenizer as Backend
from tokenizers.decoders import DecodeStream

_ZERO_WIDTH_JOINER = "\u200d"
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TAGS = range(0xE0020, 0xE0080)


class Detokenizer:
    """`add` token ids one by one, `finish` once; the returned texts join to the whole."""

    def __init__(self, backend: Backend, hidden_ids: frozenset[int]):
        self._backend = backend
        self._hidden_ids = hidden_ids
        self._stream = DecodeStream(skip_special_tokens=False)
        self._held = ""
        self._unfinished: list[int] = []  # tokens that no text has come out of yet

    def add(self, token: int) -> str:
        """The text that `token` completes; empty while a character is unfinished."""
        if token in self._hidden_ids:
            return ""
        text = self._stream.step(self._backend, token)
        if text is None:
            self._unfinished.append(token)
        else:
            self._unfinished.clear()
            self._held += text
        cut = last_character_start(self._held)
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """The held back text; bytes that never became a character are dropped."""
        rest = self._backend.decode(self._unfinished, skip_special_tokens=False)
        if self._backend.encode(rest, add_special_tokens=False).ids != self._unfinished:
            rest = rest.rstrip("\ufffd")  # not the character of that name, but lost bytes
        shown, self._held, self._unfinished = self._held + rest, "", []
        return shown


def last_character_start(text: str) -> int:
    """Where the last user-perceived character of `text` begins; a line break is complete."""
    if not text or text.endswith("\n"):
        return len(text)
    start = len(text) - 1
    while start > 0 and _continues(text, start):
        start -= 1
    return start


def _continues(text: str, at: int) -> bool:
    """Whether the code point at `at` belongs to the character before it (Unicode annex 29, in essence)."""
    this, before = text[at], text[at - 1]
    if this == _ZERO_WIDTH_JOINER or before == _ZERO_WIDTH_JOINER:
        return True
    if unicodedata.category(this) in ("Mn", "Mc", "Me") or ord(this) in _SKIN_TONES or ord(this) in _TAGS:
        return True
    if ord(this) in _REGIONAL_INDICATORS:  # flags are pairs
        run = 0
        while run < at and ord(text[at - run - 1]) in _REGIONAL_INDICATORS:
            run += 1
        return run % 2 == 1
    return _hangul_part(this) and _hangul_part(before)


def _hangul_part(character: str) -> bool:
    return 0x1100 <= ord(character) <= 0x11FF
