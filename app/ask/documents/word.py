"""Word files (DOCX): paragraphs and tables in the order of the text, with approximate pages.

A DOCX file has no pages; a word processor makes them when it shows the file, and Word notes where they
began when it last did (`lastRenderedPageBreak`, ECMA-376 part 1, 17.3.3.13). Where these marks are
missing, breaks set by hand make the pages, unless what stands between two of them cannot be one page.
"""

import io
from collections.abc import Iterator
from typing import Any

import docx
from lxml import etree

from app.ask.documents.document import Document
from app.ask.documents.limits import MOST_NESTING
from app.ask.documents.source import Source
from app.ask.documents.writer import BLANK_LINE, Writer, clean
from app.ask.documents.zip_safety import open_checked

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_VAL = f"{_W}val"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_NOTE_REFERENCES = {f"{_W}footnoteReference": "footnotes", f"{_W}endnoteReference": "endnotes"}

#: Deleted or moved away, said a second time for old programs, or no text.
_SKIPPED = {f"{_W}del", f"{_W}moveFrom", _FALLBACK, f"{_W}pPr", f"{_W}rPr", f"{_W}instrText"}
_SIGNS = {f"{_W}tab": "\t", f"{_W}cr": "\n", f"{_W}noBreakHyphen": "-"}

#: Marks in the text of a paragraph. `clean` has removed these characters from what people wrote.
_SET_BREAK, _NOTED_BREAK = "\x01", "\x02"

#: More characters than a printed page holds, small type included.
_LONGEST_PAGE = 10_000


def read_word(source: Source) -> Document:
    """A Word file, unit "page" where page breaks are known, else "line"."""
    open_checked(source).close()
    with source.parsed_as("Word file"):
        return _Reader(source, docx.Document(io.BytesIO(source.data))).document()


class _Reader:
    """Walks over the body of one file."""

    def __init__(self, source: Source, file: Any) -> None:
        self._writer = Writer(source)
        self._body: etree._Element = file.element.body
        self._levels = _heading_levels(file.styles.element)
        self._notes = {kind: _notes(file.part, kind) for kind in ("footnotes", "endnotes")}
        self._open_notes: list[str] = []  # texts of the notes of the open paragraph
        self._note_count = 0
        self._has_noted_breaks = self._body.find(f".//{_W}lastRenderedPageBreak") is not None
        self._pages = 1
        self._page_has_text = False

    def document(self) -> Document:
        self._writer.page(1)
        self._blocks(self._body, 0)
        if self._pages > 1 and (self._has_noted_breaks or self._writer.longest_page() <= _LONGEST_PAGE):
            return self._writer.document("docx", "page")
        self._writer.forget_pages()
        return self._writer.document("docx", "line")

    def _blocks(self, parent: etree._Element, depth: int) -> None:
        for child in parent:
            if child.tag == f"{_W}p":
                self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                self._table(child)
            elif child.tag not in _SKIPPED and depth < MOST_NESTING:
                self._blocks(child, depth + 1)  # content controls, insertions

    def _paragraph(self, paragraph: etree._Element) -> None:
        properties = paragraph.find(f"{_W}pPr")
        text = self._text(paragraph)
        if self._starts_page(properties):
            self._new_page(_SET_BREAK)
        level = self._level(properties)
        if level:
            self._breaks(text)
            self._write_heading(text, level)
        elif properties is not None and properties.find(f"{_W}numPr") is not None:
            self._write(text, item=True)
        else:
            self._write(text, item=False)
        self._write_notes()
        if self._ends_section(properties):
            self._new_page(_SET_BREAK)

    def _write(self, text: str, *, item: bool) -> None:
        """Writes a paragraph, page by page if breaks stand in it; an `item` is one of a list."""
        mark = "- " if item else ""
        start = 0
        for at, sign in _signs(text):
            part = text[start:at]
            if part.strip():
                self._page_has_text = True
                self._writer.add(mark + part.strip(), " " if sign == _NOTED_BREAK else BLANK_LINE)
                mark = ""
            self._new_page(sign)
            start = at + 1
        last = text[start:].strip()
        if last:
            self._page_has_text = True
            if mark:
                self._writer.add_row(mark + last)
            else:
                self._writer.add(last)

    def _write_heading(self, text: str, level: int) -> None:
        title = text.translate({ord(_SET_BREAK): None, ord(_NOTED_BREAK): None})
        if title.strip():
            self._page_has_text = True
            self._writer.heading(title, level)

    def _table(self, table: etree._Element) -> None:
        self._writer.end_rows()
        for row in table.iter(f"{_W}tr"):
            if next(row.iterancestors(f"{_W}tbl")) is not table:
                continue  # of a table within a cell, which is part of that cell's text
            cells = [self._cell(cell) for cell in _cells(row)]
            line = " | ".join(" ".join(_unbroken(cell).split()) for cell in cells)
            breaks = "".join(sign for cell in cells[:1] for _, sign in _signs(cell)[:1])
            if breaks and cells[0].lstrip().startswith(breaks):
                self._breaks(breaks)
                breaks = ""
            if line.strip(" |"):
                self._page_has_text = True
                self._writer.add_row(line)
            self._breaks(breaks)
        self._writer.end_rows()
        self._write_notes()

    def _cell(self, cell: etree._Element) -> str:
        return " ".join(self._text(paragraph) for paragraph in _paragraphs(cell))

    def _breaks(self, text: str) -> None:
        for _, sign in _signs(text):
            self._new_page(sign)

    def _new_page(self, sign: str) -> None:
        """A noted break right after a set one is the same break, noted."""
        if sign == _NOTED_BREAK and not self._page_has_text:
            return
        self._pages += 1
        self._page_has_text = False
        self._writer.page(self._pages)

    def _starts_page(self, properties: etree._Element | None) -> bool:
        if properties is None or self._has_noted_breaks:
            return False
        flag = properties.find(f"{_W}pageBreakBefore")
        return flag is not None and flag.get(_VAL, "1") in ("1", "true", "on") and self._page_has_text

    def _ends_section(self, properties: etree._Element | None) -> bool:
        section = None if properties is None else properties.find(f"{_W}sectPr")
        if section is None or self._has_noted_breaks:
            return False
        kind = section.find(f"{_W}type")
        return kind is None or kind.get(_VAL) not in ("continuous", "nextColumn")

    def _level(self, properties: etree._Element | None) -> int:
        """The heading level of a paragraph, 0 for text."""
        if properties is None:
            return 0
        outline, style = properties.find(f"{_W}outlineLvl"), properties.find(f"{_W}pStyle")
        if outline is not None:
            return _outline_level(outline)
        return self._levels.get(style.get(_VAL, ""), 0) if style is not None else 0

    def _write_notes(self) -> None:
        """The footnotes of a paragraph follow it: they stand on its page."""
        for text in self._open_notes:
            self._note_count += 1
            self._writer.add_row(f"[{self._note_count}] {text}")
        self._open_notes.clear()

    def _text(self, element: etree._Element) -> str:
        return "".join(self._pieces(element))

    def _pieces(self, element: etree._Element) -> Iterator[str]:
        for child in element:
            tag = child.tag
            if tag in (f"{_W}t", _MATH_TEXT):
                yield clean(child.text or "").replace("\f", " ")
            elif tag in _SIGNS:
                yield _SIGNS[tag]
            elif tag == f"{_W}br":
                yield _SET_BREAK if child.get(f"{_W}type") == "page" else "\n"
            elif tag == f"{_W}lastRenderedPageBreak":
                yield _NOTED_BREAK
            elif tag in _NOTE_REFERENCES:
                if note := self._notes[_NOTE_REFERENCES[tag]].get(child.get(f"{_W}id"), ""):
                    self._open_notes.append(note)
            elif tag == f"{_W}txbxContent":
                yield "\n"
                yield from ("\n" + self._text(paragraph) for paragraph in child)
                yield "\n"
            elif tag not in _SKIPPED and not _is_hidden(child):
                yield from self._pieces(child)


def _is_hidden(run: etree._Element) -> bool:
    """Whether no reader sees a run: it could say what the page does not."""
    mark = run.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(f"{_W}val", "true") not in ("0", "false", "off")


def _signs(text: str) -> list[tuple[int, str]]:
    """Position and kind of the page breaks in the text of a paragraph."""
    if _SET_BREAK not in text and _NOTED_BREAK not in text:
        return []
    return [(at, sign) for at, sign in enumerate(text) if sign in (_SET_BREAK, _NOTED_BREAK)]


def _unbroken(text: str) -> str:
    return text.replace(_SET_BREAK, " ").replace(_NOTED_BREAK, " ")


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for child in row:
        if child.tag == f"{_W}tc":
            yield child
        elif child.tag == f"{_W}sdt":
            yield from child.iterfind(f"{_W}sdtContent/{_W}tc")


def _paragraphs(cell: etree._Element) -> Iterator[etree._Element]:
    """The paragraphs of a cell and of the tables in it, but not those of text boxes in paragraphs."""
    for child in cell:
        if child.tag == f"{_W}p":
            yield child
        elif child.tag not in _SKIPPED:
            yield from _paragraphs(child)


def _heading_levels(styles: etree._Element) -> dict[str, int]:
    """Style id to heading level: by its name or outline level, or those of the style it is based on."""
    by_id = {style.get(f"{_W}styleId", ""): style for style in styles.iterfind(f"{_W}style")}
    levels: dict[str, int] = {}
    for style_id, style in by_id.items():
        for _ in range(MOST_NESTING):
            level = _style_level(style)
            base = style.find(f"{_W}basedOn")
            style = by_id.get(base.get(_VAL, "")) if base is not None else None
            if level or style is None:
                levels[style_id] = level
                break
    return levels


def _style_level(style: etree._Element) -> int:
    name = style.find(f"{_W}name")
    words = name.get(_VAL, "").lower().split() if name is not None else []
    if words == ["title"]:
        return 1
    if len(words) == 2 and words[0] == "heading" and words[1].isdecimal():
        return int(words[1][:2])
    outline = style.find(f"{_W}pPr/{_W}outlineLvl")
    return _outline_level(outline) if outline is not None else 0


def _outline_level(outline: etree._Element) -> int:
    """Outline levels count from 0; 9 means text."""
    value = outline.get(_VAL, "9")
    return int(value) + 1 if value in tuple("012345678") else 0


def _notes(part: Any, kind: str) -> dict[str | None, str]:
    """Id to text of the footnotes or endnotes of the file."""
    related = (
        r.target_part for r in part.rels.values() if not r.is_external and r.reltype.endswith(f"/{kind}")
    )
    notes = next(related, None)
    if notes is None:
        return {}
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(notes.blob, parser)
    return {
        note.get(f"{_W}id"): " ".join(clean("".join(t.text or "" for t in note.iter(f"{_W}t"))).split())
        for note in root
    }
