"""PowerPoint files (PPTX): slide by slide, with tables and speaker notes."""

import io
from collections.abc import Iterable
from typing import Any

import pptx
from pptx.enum.shapes import PP_PLACEHOLDER

from app.ask.documents.document import Document
from app.ask.documents.limits import MOST_NESTING
from app.ask.documents.source import Source
from app.ask.documents.writer import Writer, clean
from app.ask.documents.zip_safety import open_checked

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_TITLES = (PP_PLACEHOLDER.TITLE, PP_PLACEHOLDER.CENTER_TITLE, PP_PLACEHOLDER.VERTICAL_TITLE)
#: The same on every slide.
_REPEATED = (PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER)


def read_slides(source: Source) -> Document:
    """A presentation, unit "slide", labelled with its titles. Shapes are read from back to front,
    the order in which screen readers take them."""
    open_checked(source).close()
    with source.parsed_as("PowerPoint file"):
        writer = Writer(source)
        for number, slide in enumerate(pptx.Presentation(io.BytesIO(source.data)).slides, 1):
            shapes: list[Any] = list(slide.shapes)
            titles = [_flat(shape.text_frame.text) for shape in shapes if _placeholder(shape) in _TITLES]
            title = " ".join(filter(None, titles))
            writer.page(number, title)
            writer.heading(title, 1)
            _write_shapes((s for s in shapes if _placeholder(s) not in _TITLES), writer, 0)
            if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame):
                text = _text(notes)
                writer.add(f"Notes: {text}" if text else "")
        return writer.document("pptx", "slide")


def _write_shapes(shapes: Iterable[Any], writer: Writer, depth: int) -> None:
    for shape in shapes:
        if _placeholder(shape) in _REPEATED:
            continue
        if hasattr(shape, "shapes") and depth < MOST_NESTING:
            _write_shapes(shape.shapes, writer, depth + 1)
        elif getattr(shape, "has_table", False):
            for row in shape.element.iter(f"{_A}tr"):  # `table.rows` looks for each row from the first
                writer.add_row(" | ".join(_cell(cell) for cell in row.iterchildren(f"{_A}tc")))
            writer.end_rows()
        elif shape.has_text_frame:
            writer.add(_text(shape.text_frame))


def _placeholder(shape: Any) -> PP_PLACEHOLDER | None:
    return shape.placeholder_format.type if shape.is_placeholder else None


def _text(frame: Any) -> str:
    """The paragraphs of a shape, one a line."""
    lines = (clean(paragraph.text.replace("\v", "\n")).replace("\f", "\n") for paragraph in frame.paragraphs)
    return "\n".join(line for line in lines if line.strip())


def _cell(cell: Any) -> str:
    """The text of a table cell on one line."""
    paragraphs = (
        "".join(part.text or " " for part in p.iter(f"{_A}t", f"{_A}br")) for p in cell.iter(f"{_A}p")
    )
    return _flat(" ".join(paragraphs))


def _flat(text: str) -> str:
    return " ".join(clean(text.replace("\v", " ")).split())
