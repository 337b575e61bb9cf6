"""From page numbers to characters."""

from collections.abc import Sequence

from app.ask.documents.document import Document
from app.ask.library import File, Library, Range
from qwen2_mlx.errors import Qwen2Error


def ranges_of(
    library: Library, files: Sequence[File], pages: Sequence[tuple[int, int]]
) -> list[Range] | None:
    """The characters of these pages (first and last number) of every file; None without `pages`.

    They are lines in texts that have no pages. Raises `Qwen2Error` where no file has any of them.
    """
    if not pages:
        return None
    ranges = [range_ for file in files for range_ in _of_file(file.id, library.document(file.id), pages)]
    if not ranges:
        asked = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in pages)
        raise Qwen2Error(f"no document has any of the pages {asked}; leave out --pages or give others")
    return ranges


def clip(file: int, start: int, end: int, ranges: Sequence[Range] | None) -> list[Range]:
    """What of characters `start` to `end` lies within the ranges; all of it where there are none."""
    if ranges is None:
        return [(file, start, end)]
    return [
        (file, max(start, first), min(end, last))
        for inside, first, last in ranges
        if inside == file and first < end and last > start
    ]


def _of_file(file: int, document: Document, pages: Sequence[tuple[int, int]]) -> list[Range]:
    """Ranges in document order; those that touch are one."""
    spans = _lines(document.text, pages) if document.unit == "line" else _pages(document, pages)
    ranges: list[Range] = []
    for start, end in sorted(spans):
        if ranges and start <= ranges[-1][2]:
            ranges[-1] = (file, ranges[-1][1], max(end, ranges[-1][2]))
        elif start < end:
            ranges.append((file, start, end))
    return ranges


def _pages(document: Document, pages: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [
        (page.start, page.end)
        for page in document.pages
        if any(first <= page.number <= last for first, last in pages)
    ]


def _lines(text: str, pages: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    starts = [0]
    while (line_end := text.find("\n", starts[-1])) >= 0:
        starts.append(line_end + 1)
    lines = len(starts)
    starts.append(len(text))
    return [(starts[first - 1], starts[min(last, lines)]) for first, last in pages if first <= lines]
