"""Where in a chat's documents was read, and how relevant it was: a row of cells of any width."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.chat.documents.items import Item
from app.chat.store.records import Reading

#: Levels of relevance, from 0 on.
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """Characters `start` to `end` of a document."""

    item: Item
    start: int
    end: int


class Heat:
    """The best score of each slice of the documents, which follow one another.

    A score is kept by the cell, so that another window costs what its cells cost, however many there
    are; another width is made from all windows once.
    """

    def __init__(self, items: Sequence[Item] = ()) -> None:
        """`items` without a text have no cells."""
        self.items = tuple(item for item in items if item.characters)
        self._starts = list(accumulate((item.characters for item in self.items), initial=0))
        self._offsets = {item.file: start for item, start in zip(self.items, self._starts, strict=False)}
        self.readings: list[Reading] = []
        self._best: list[float | None] = []
        self._low, self._high = -1.0, 1.0

    @property
    def characters(self) -> int:
        """Of all documents together."""
        return self._starts[-1]

    def add(self, readings: Iterable[Reading]) -> None:
        """Windows that were read; of documents that are not there any more nothing is kept."""
        for reading in readings:
            if reading.file in self._offsets:
                self.readings.append(reading)
                self._low, self._high = min(self._low, reading.score), max(self._high, reading.score)
                self._mark(reading)

    def scores(self, width: int) -> Sequence[float | None]:
        """The best score of each of `width` cells; None where nothing was read."""
        if len(self._best) != width:
            self._best = [None] * width
            for reading in self.readings:
                self._mark(reading)
        return self._best

    def level(self, score: float) -> int:
        """0 to `LEVELS` - 1. The scale holds 0, where the scout is undecided, whatever was read."""
        part = (score - self._low) / (self._high - self._low)
        return min(LEVELS - 1, int(part * LEVELS))

    def cell_of(self, file: int, position: int, width: int) -> int | None:
        """The cell that holds a character; None for one of another document."""
        offset = self._offsets.get(file)
        if offset is None or not width:
            return None
        return min(width - 1, (offset + position) * width // self.characters)

    def slice_of(self, cell: int, width: int) -> Slice | None:
        """What a cell stands for, of the document that its first character belongs to."""
        if not self.items or not 0 <= cell < width:
            return None
        first = -(-cell * self.characters // width)  # the first character that `cell_of` puts here
        last = -(-(cell + 1) * self.characters // width)
        at = min(len(self.items) - 1, bisect_right(self._starts, first) - 1)
        offset, item = self._starts[at], self.items[at]
        start = min(first - offset, item.characters - 1)
        return Slice(item, start, max(start + 1, min(last - offset, item.characters)))

    def _mark(self, reading: Reading) -> None:
        width = len(self._best)
        first = self.cell_of(reading.file, reading.start, width)
        last = self.cell_of(reading.file, max(reading.start, reading.end - 1), width)
        if first is None or last is None:
            return
        for cell in range(max(0, first), last + 1):
            known = self._best[cell]
            self._best[cell] = reading.score if known is None else max(known, reading.score)


def pages_text(part: Slice) -> str:
    """Which pages a slice lies on: "page 212", "pages 212 to 214"; of a text without pages its share."""
    item = part.item
    if not item.starts:
        first, last = (round(100 * position / item.characters) for position in (part.start, part.end))
        return f"{first} % to {last} % of the text"
    first, last = (max(1, bisect_right(item.starts, at)) for at in (part.start, part.end - 1))
    return f"{item.unit} {first:,}" if first == last else f"{item.unit}s {first:,} to {last:,}"
