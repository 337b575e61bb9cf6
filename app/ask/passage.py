"""A run of characters of one document, which is what models are shown and what is cited."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """Characters `start` to `end` of the text of the library's file number `file`."""

    file: int
    start: int
    end: int
    text: str

    def span(self, start: int, end: int) -> "Passage":
        """The part of this passage between two of its own characters."""
        return Passage(self.file, self.start + start, self.start + end, self.text[start:end])
