"""Document files of every format, written by the libraries that people write them with."""

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import docx
import pptx
from docx.enum.text import WD_BREAK
from docx.oxml import OxmlElement
from PIL import Image
from pptx.util import Inches
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

FONT, SIZE, LEADING = "Times-Roman", 10, 12
WIDTH, HEIGHT = A4
MARGIN = 72


class Pdf:
    """A PDF drawn line by line; every method that adds a page leaves it finished."""

    def __init__(self, path: Path, password: str = "") -> None:
        encryption = StandardEncryption(password) if password else None
        self._canvas = Canvas(str(path), pagesize=A4, encrypt=encryption)
        self._pages = 0
        self._decorate: Callable[[Canvas, int], None] = lambda canvas, number: None

    def decorate(self, draw: Callable[[Canvas, int], None]) -> None:
        """Has `draw` add a header or footer to each page from now on, given its number from 1."""
        self._decorate = draw

    def labels(self, first_page: int, style: str, start: int) -> None:
        """From page `first_page` (from 1) labels in `style`, such as "ROMAN_LOWER", from `start` on."""
        self._canvas.addPageLabel(first_page - 1, style=style, start=start)

    def page(self, text: str, columns: int = 1, title: str = "", row_by_row: bool = False) -> None:
        """A page of wrapped paragraphs in columns under a title that spans them.

        `row_by_row` writes the lines of all columns in turn, as some programs do: the order in the file
        is then not the reading order.
        """
        gap = 18
        width = (WIDTH - 2 * MARGIN - gap * (columns - 1)) / columns
        top = HEIGHT - MARGIN
        if title:
            self._canvas.setFont("Times-Bold", 16)
            self._canvas.drawCentredString(WIDTH / 2, top, title)
            top -= 30
        self._canvas.setFont(FONT, SIZE)
        lines = wrap(text, width)
        rows = -(-len(lines) // columns)
        placed = [
            (index % rows, MARGIN + index // rows * (width + gap), line) for index, line in enumerate(lines)
        ]
        for row, x, line in sorted(placed) if row_by_row else placed:
            self._canvas.drawString(x, top - row * LEADING, line)
        self._finish()

    def lines(self, lines: Iterable[tuple[float, float, str]], size: float = SIZE, turn: int = 0) -> None:
        """A page of lines at x and y, in points from the lower left corner."""
        self._canvas.setFont(FONT, size)
        if turn:
            self._canvas.setPageRotation(turn)
        for x, y, line in lines:
            self._canvas.drawString(x, y, line)
        self._finish()

    def scan(self) -> None:
        """A page that is one picture."""
        picture = ImageReader(Image.new("L", (60, 80), 200))
        self._canvas.drawImage(picture, 0, 0, WIDTH, HEIGHT)
        self._finish(decorated=False)

    def outline(self, title: str, level: int = 0) -> None:
        """An entry of the outline that leads to the next page."""
        key = f"entry{self._pages}-{title}"
        self._canvas.bookmarkPage(key)
        self._canvas.addOutlineEntry(title, key, level)

    def save(self) -> None:
        self._canvas.save()

    def _finish(self, decorated: bool = True) -> None:
        self._pages += 1
        if decorated:
            self._decorate(self._canvas, self._pages)
        self._canvas.showPage()


def wrap(text: str, width: float, hyphenate: bool = True) -> list[str]:
    """Lines of at most `width` points; long words are cut with a hyphen when less than half is left."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            joined = f"{line} {word}".strip()
            if _width(joined) <= width:
                line = joined
                continue
            head = _head(f"{line} ", word, width) if hyphenate and len(word) > 9 and word.isalpha() else 0
            if head:
                lines.append(f"{line} {word[:head]}-")
                line = word[head:]
            else:
                lines.append(line)
                line = word
        lines.append(line)
    return lines


def _head(line: str, word: str, width: float) -> int:
    """How many letters of the word still fit with a hyphen, at least three on each line; else 0."""
    return next((n for n in range(len(word) - 3, 2, -1) if _width(f"{line}{word[:n]}-") <= width), 0)


def _width(text: str) -> float:
    return stringWidth(text, FONT, SIZE)


def write_pdf(path: Path, pages: Sequence[str], columns: int = 1) -> Path:
    """A PDF with one page of text per entry."""
    pdf = Pdf(path)
    for text in pages:
        pdf.page(text, columns)
    pdf.save()
    return path


def write_docx(path: Path, pages: Sequence[str], rendered: bool = True) -> Path:
    """A Word file with a heading and paragraphs on each page.

    `rendered` marks the page breaks as Word does when it saves; else they are set by hand.
    """
    document = docx.Document()
    for number, text in enumerate(pages, 1):
        heading = document.add_heading(level=1)
        run = heading.add_run()
        if number > 1:
            if rendered:
                run._r.append(OxmlElement("w:lastRenderedPageBreak"))
            else:
                document.paragraphs[-2].add_run().add_break(WD_BREAK.PAGE)
        heading.add_run(f"Part {number}")
        for paragraph in text.split("\n"):
            document.add_paragraph(paragraph)
    document.save(str(path))
    return path


def write_pptx(path: Path, slides: Sequence[tuple[str, str, str]]) -> Path:
    """Slides of title, body and speaker notes."""
    presentation = pptx.Presentation()
    for title, body, notes in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = title  # type: ignore[union-attr]
        slide.placeholders[1].text_frame.text = body  # type: ignore[attr-defined]
        if notes:
            slide.notes_slide.notes_text_frame.text = notes  # type: ignore[union-attr]
    presentation.save(str(path))
    return path


def add_slide_table(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Adds a slide with nothing but a table to a presentation."""
    presentation = pptx.Presentation(str(path))
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    frame = slide.shapes.add_table(len(rows), len(rows[0]), Inches(1), Inches(1), Inches(6), Inches(2))
    for number, cells in enumerate(rows):
        for column, text in enumerate(cells):
            frame.table.cell(number, column).text = text
    presentation.save(str(path))


CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>"""


def write_epub(path: Path, chapters: Sequence[tuple[str, str]], reverse_files: bool = False) -> Path:
    """An EPUB 3 of chapters of title and XHTML body.

    `reverse_files` puts the files into the archive in the opposite order: only the spine tells the right one.
    """
    names = [f"chapter{number}.xhtml" for number in range(1, len(chapters) + 1)]
    items = "".join(
        f'<item id="c{i}" href="{name}" media-type="application/xhtml+xml"/>' for i, name in enumerate(names)
    )
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(names)))
    links = "".join(
        f'<li><a href="{name}">{title}</a></li>' for name, (title, _) in zip(names, chapters, strict=True)
    )
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0"><manifest>'
        f'<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>{items}'
        f"</manifest><spine>{spine}</spine></package>"
    )
    entries = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/content.opf": package,
        "OEBPS/nav.xhtml": xhtml("Contents", f"<nav><ol>{links}</ol></nav>"),
    }
    files = {f"OEBPS/{name}": xhtml(title, body) for name, (title, body) in zip(names, chapters, strict=True)}
    for name in reversed(files) if reverse_files else files:
        entries[name] = files[name]
    return write_zip(path, entries)


def xhtml(title: str, body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{title}</title><script src="a.js"/></head>'
        f"<body>{body}</body></html>"
    )


def write_zip(path: Path, entries: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def rewrite_entry(path: Path, name: str, content: str | bytes) -> None:
    """Replaces one entry of an archive."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    write_zip(path, {**entries, name: content})
