"""Finding words in the messages of a chat, all of them, rendered or not."""

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

from app.chat.markdown.cells import WIDE
from app.chat.widgets.transcript.paint import BARS

# As drawn, bars may stand between words, and a line may end between ideographs without a space.
_BETWEEN = rf"[\s{BARS}]+"
_LINE_END = rf"(?:\n[{BARS}]*)?"
_BESIDE_WIDE = re.compile(f"(?=[{WIDE}])|(?<=[{WIDE}])")


def whole(words: str) -> re.Pattern[str]:
    """A pattern for this text as it stands, in capitals or not, spaces of any width between its words."""
    return re.compile(_BETWEEN.join(map(_word, words.split())), re.IGNORECASE)


def each(words: str) -> re.Pattern[str]:
    """A pattern for any of these words."""
    return re.compile("|".join(map(_word, sorted(words.split(), key=len, reverse=True))), re.IGNORECASE)


def _word(word: str) -> str:
    return _LINE_END.join(re.escape(part) for part in _BESIDE_WIDE.split(word) if part)


class Finding:
    """One search: which messages hold the words and how often, and at which time the reader stands.

    Sources are searched as written. `texts` fetches them by index, all at the first look and none
    at a longer word that begins with the last one, which can only be where that was.
    """

    def __init__(self, texts: Callable[[Sequence[int]], Sequence[str]], messages: int) -> None:
        self._texts = texts
        self._messages = messages
        self._sources: dict[int, str] = {}
        self._stale = False
        self._indices: list[int] = []
        self._before: list[int] = []
        self.words = ""
        self.total = 0
        self.at = -1

    def changed(self, index: int) -> None:
        """The text of a message is another one, or it is new at the end."""
        self._sources.pop(index, None)
        self._messages = max(self._messages, index + 1)
        self._stale = True

    def search(self, words: str) -> None:
        """Looks for words everywhere. Where they are those of the last time, the reader stays there."""
        words = _folded(words)
        if words == self.words and not self._stale:
            return
        place = self.place if words == self.words and self.at >= 0 else None
        narrower = not self._stale and bool(self.words) and self.words in words
        candidates = self._indices if narrower else range(self._messages)
        missing = [index for index in candidates if index not in self._sources]
        self._sources.update(zip(missing, map(_folded, self._texts(missing)), strict=True))
        self.words, self._stale, self.at, self.total = words, False, -1, 0
        self._indices, self._before = [], []
        for index in candidates:
            if count := self._sources[index].count(words):
                self._indices.append(index)
                self._before.append(self.total)
                self.total += count
        if place is not None and self.total:
            self.begin(place[0])
            self.at = min(self.at + place[1], self.total - 1)

    def begin(self, index: int) -> None:
        """Stands at the first time in or after a message, else at the last of all."""
        place = bisect_left(self._indices, index)
        self.at = self._before[place] if place < len(self._indices) else self.total - 1

    def step(self, by: int) -> None:
        """Goes on or back, around the ends."""
        self.at = (self.at + by) % self.total

    @property
    def place(self) -> tuple[int, int]:
        """Where the reader stands: the index of the message and which time in it, from 0."""
        found = bisect_left(self._before, self.at + 1) - 1
        return self._indices[found], self.at - self._before[found]


def _folded(text: str) -> str:
    return " ".join(text.lower().split())
