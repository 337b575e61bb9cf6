"""Where each message begins: heights in lines, summed in chunks so that 10,000 cost nothing."""

from collections.abc import Iterable

#: Messages per partial sum: a look-up adds up at most this many heights and as many sums of chunks.
CHUNK = 128

#: A header and the empty line after a message.
FRAME = 2

#: Share of a line that text fills before a word or paragraph ends it. Only a guess is built on it.
FILLED = 0.8


def estimate(characters: int, width: int) -> int:
    """Lines that a message of so many characters may take in `width` cells, header included."""
    return FRAME + max(1, round(characters / max(1.0, width * FILLED)))


class Heights:
    """The heights of the messages of one conversation, in lines.

    Partial sums of chunks instead of a tree: changing one height is two additions, and the sums
    over a chunk run in C, which is faster than a tree walked in Python up to a million messages.
    """

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._sums = [
            sum(self._heights[start : start + CHUNK]) for start in range(0, len(self._heights), CHUNK)
        ]
        self.total = sum(self._sums)

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, index: int) -> int:
        return self._heights[index]

    def append(self, height: int) -> None:
        """One more message at the end."""
        if len(self._heights) % CHUNK == 0:
            self._sums.append(0)
        self._heights.append(height)
        self._sums[-1] += height
        self.total += height

    def change(self, index: int, height: int) -> int:
        """Gives a message another height and returns by how much it grew."""
        growth = height - self._heights[index]
        if growth:
            self._heights[index] = height
            self._sums[index // CHUNK] += growth
            self.total += growth
        return growth

    def top(self, index: int) -> int:
        """The line at which message `index` begins, counted from 0."""
        chunk = index // CHUNK
        return sum(self._sums[:chunk]) + sum(self._heights[chunk * CHUNK : index])

    def locate(self, line: int) -> tuple[int, int]:
        """Which message stands at a line, and at which of its lines.

        Lines before the first or after the last message are taken for its ends.
        """
        if not self._heights:
            return 0, 0
        left = min(max(0, line), self.total - 1)
        chunk = 0
        while left >= self._sums[chunk]:
            left -= self._sums[chunk]
            chunk += 1
        index = chunk * CHUNK
        while left >= self._heights[index]:
            left -= self._heights[index]
            index += 1
        return index, left
