"""CSV and TSV: every row as a line that can be understood alone."""

import csv
import io
from collections.abc import Iterator

from app.ask.documents.document import Document
from app.ask.documents.source import Source
from app.ask.documents.text import decode
from app.ask.documents.writer import Writer
from qwen2_mlx.errors import Qwen2Error

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 20


def read_table(source: Source) -> Document:
    """A table, unit "line": line N is row N, "name: Ada; born: 1815", the header being row 1.

    Line breaks within a cell become spaces. A first row of numbers only is no header; then the columns
    are called "column 1" and so on.
    """
    text = decode(source).replace("\f", "\n")
    rows = _rows(source, text, _delimiter(source.name, text))
    writer = Writer(source)
    header: list[str] = []
    for number, row in enumerate(rows, 1):
        cells = [" ".join(cell.split()) for cell in row]
        if number == 1 and not _is_data(cells):
            header = cells
            writer.add_exactly(", ".join(filter(None, cells)) + "\n")
        else:
            writer.add_exactly(_line(header, cells) + "\n")
    return writer.document("csv", "line")


def _line(header: list[str], cells: list[str]) -> str:
    names = (header[i] if i < len(header) and header[i] else f"column {i + 1}" for i in range(len(cells)))
    return "; ".join(f"{name}: {cell}" for name, cell in zip(names, cells, strict=True) if cell)


def _rows(source: Source, text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from reader
    except csv.Error as error:  # a cell beyond csv's limit: mostly a quotation mark that never closes
        raise Qwen2Error(
            f"{source.name} is no table ({error}, near line {reader.line_num}); check its quotation"
            " marks or rename it to .txt"
        ) from None


def _delimiter(name: str, text: str) -> str:
    """A tab for .tsv, else what splits the first rows into the most cells, as many in each."""
    if name.lower().endswith((".tsv", ".tab")):
        return "\t"
    sample = text[:65536].splitlines()[:_SAMPLE_ROWS]
    return max(_DELIMITERS, key=lambda delimiter: _evenness(sample, delimiter))


def _evenness(sample: list[str], delimiter: str) -> tuple[int, int]:
    """The most common number of cells times how many rows have it, and the number of cells."""
    try:
        counts = [len(row) for row in csv.reader(sample, delimiter=delimiter) if row]
    except csv.Error:
        return (0, 0)
    usual = max(set(counts), key=counts.count, default=0)
    return (0, 0) if usual < 2 else (counts.count(usual) * usual, usual)


def _is_data(cells: list[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(_is_number(cell) for cell in filled)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
