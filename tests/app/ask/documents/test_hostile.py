"""Files made to exhaust memory, time or the stack, or to read what they should not."""

import os
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pytest

from app.ask.documents import limits, writer
from app.ask.documents.kinds import kind_of
from app.ask.documents.pdf_flow import Flow
from app.ask.documents.pdf_layout import Line, reading_order
from app.ask.documents.pdf_margins import margins_of, without_running
from app.ask.documents.read import hash_file, read_document
from app.ask.documents.zip_safety import inside
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents.files import (
    rewrite_entry,
    write_docx,
    write_epub,
    write_pdf,
    write_pptx,
    write_zip,
    xhtml,
)

BLOCK = b"\0" * (20 * limits.MEGABYTE)
LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "ha ha ha ha ">' for n in range(10)
)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """No hostile file may take more than a few seconds of work."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 10


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.docx", {"word/document.xml": "<w/>", "word/media/1": BLOCK})
    declare(path, 2000 * limits.MEGABYTE)
    with pytest.raises(Qwen2Error, match=r"unpacks to 2,000 MB or more, too much"):
        read_document(path)


def test_a_part_that_would_be_parsed_has_a_lower_limit(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.epub", {"META-INF/container.xml": BLOCK})
    declare(path, limits.MOST_PART_BYTES + 1)
    with pytest.raises(Qwen2Error, match=r"unpacks to 64 MB or more"):
        read_document(path)


@pytest.mark.parametrize("name", ["liar.docx", "liar.epub"])
def test_an_archive_that_lies_about_its_sizes_is_refused_without_unpacking_more(
    tmp_path: Path, name: str
) -> None:
    start = "word/document.xml" if name == "liar.docx" else "META-INF/container.xml"
    path = write_zip(tmp_path / name, {start: b"<w/>", "picture": BLOCK})
    declare(path, 100)
    tracemalloc.start()
    with pytest.raises(Qwen2Error, match="damaged zip archive"):
        read_document(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(BLOCK) / 2


def declare(path: Path, size: int) -> None:
    """Has an archive say that its entry `BLOCK` unpacks to `size` bytes."""
    data, real = path.read_bytes(), struct.pack("<I", len(BLOCK))
    assert data.count(real) == 2  # before the entry and in the directory
    path.write_bytes(data.replace(real, struct.pack("<I", size)))


def test_more_entries_than_a_document_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ask.documents.zip_safety.MOST_ENTRIES", 5)
    path = write_docx(tmp_path / "a.docx", ["Text."])
    with pytest.raises(Qwen2Error, match=r"holds \d+ entries"):
        read_document(path)


def test_packing_that_cannot_be_unpacked_in_blocks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("word/document.xml", "<w/>")
    with pytest.raises(Qwen2Error, match="packed in a way that documents are not"):
        read_document(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = write_docx(tmp_path / "a.docx", ["Text."])
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Qwen2Error, match="is encrypted; save it without a password"):
        read_document(path)


@pytest.mark.parametrize(
    "reference", ["../x", "/etc/passwd", "a/../../x", "file:///etc/passwd", "http://h/x", ".."]
)
def test_references_never_leave_the_archive(reference: str) -> None:
    assert inside("x.opf", reference) is None
    assert inside("OEBPS/x.opf", "../nav.xhtml") == "nav.xhtml"


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret words")
    doctype = f'<!DOCTYPE x [<!ENTITY a "ha ha "><!ENTITY file SYSTEM "{secret.as_uri()}">]>'
    page = tmp_path / "a.html"
    page.write_text(f"{doctype}<html><p>Text &a; &file;</p>")
    book = write_epub(tmp_path / "a.epub", [("One", "<p>Text</p>")])
    rewrite_entry(book, "OEBPS/chapter1.xhtml", f"{doctype}<html><p>Text &a; &file;</p></html>")
    word = write_docx(tmp_path / "a.docx", ["x"])
    with zipfile.ZipFile(word) as archive:
        xml = archive.read("word/document.xml").decode()
    start = xml.index("<w:document")
    rewrite_entry(word, "word/document.xml", doctype + xml[start:].replace(">x<", ">Text &a; &file;<"))
    for path in (page, book, word):
        text = read_document(path).text
        assert "secret words" not in text
        assert "Text" in text
        assert text.count("ha ha") <= 1  # where a web page shows its broken declaration


def test_entity_bombs_are_refused_or_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text(f"<!DOCTYPE x [{LAUGHS}]><html><p>Text &l9;</p>")
    assert len(read_document(page).text) < 1000
    book = write_epub(tmp_path / "a.epub", [("One", "<p>Text</p>")])
    rewrite_entry(book, "OEBPS/chapter1.xhtml", page.read_text())
    assert len(read_document(book).text) < 1000
    word = write_docx(tmp_path / "a.docx", ["x"])
    with zipfile.ZipFile(word) as archive:
        xml = archive.read("word/document.xml").decode()
    bomb = f"<!DOCTYPE x [{LAUGHS}]>" + xml[xml.index("<w:document") :].replace(">x<", ">Text &l9;<")
    rewrite_entry(word, "word/document.xml", bomb)
    with pytest.raises(Qwen2Error, match="damaged Word file"):
        read_document(word)


def test_an_entity_bomb_in_an_attribute_is_one_line(tmp_path: Path) -> None:
    book = write_epub(tmp_path / "a.epub", [("One", "<p>Text</p>")])
    rewrite_entry(
        book,
        "META-INF/container.xml",
        f'<!DOCTYPE x [{LAUGHS}]><container><rootfile full-path="&l9;"/></container>',
    )
    with pytest.raises(Qwen2Error, match="damaged EPUB file"):
        read_document(book)


def test_a_hundred_thousand_nested_tags_are_read_to_the_end(tmp_path: Path) -> None:
    for tag in ("div", "table", "nav"):
        path = tmp_path / f"{tag}.html"
        depth = 100_000
        path.write_text(f"<p>before</p>{f'<{tag}>' * depth}{f'</{tag}>' * depth}<p>after</p>")
        text = read_document(path).text
        assert "before" in text
        assert "after" in text


def test_deep_xml_is_one_line(tmp_path: Path) -> None:
    path = write_docx(tmp_path / "a.docx", ["x"])
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("word/document.xml").decode()
    deep = "<w:tbl><w:tr><w:tc>" * 30_000 + "</w:tc></w:tr></w:tbl>" * 30_000
    rewrite_entry(path, "word/document.xml", xml.replace("<w:sectPr", deep + "<w:sectPr"))
    with pytest.raises(Qwen2Error, match="damaged Word file"):
        read_document(path)


def test_tables_in_tables_are_read_in_time(tmp_path: Path) -> None:
    """Each of 60 nested tables is part of the text of all those around it, but is written once."""
    file = docx.Document()
    cell = file.add_table(1, 1).rows[0].cells[0]
    for depth in range(60):
        cell.text = f"depth {depth}"
        cell = cell.add_table(1, 1).rows[0].cells[0]
    cell.text = "the end"
    path = tmp_path / "a.docx"
    file.save(str(path))
    text = read_document(path).text
    assert text.count("depth 7 ") == 1
    assert text.count("the end") == 1


def test_one_line_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    line = "barley and copper " * 600_000
    for name, content in (  # of HTML the parser has limits that begin at ten megabytes
        ("a.md", line[:1_000_000]),
        ("a.html", f"<p>{line}</p>"),
        ("b.html", f"<p title='{line}'>{line[:-1]}</p>"),
        ("c.html", "<p>" + "< " * 200_000),
    ):
        path = tmp_path / name
        path.write_text(content)
        document = read_document(path)
        if name != "c.html":
            assert abs(len(document.text.strip()) - min(len(content), len(line))) < 10


def test_more_text_than_any_document_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_CHARACTERS", 1000)
    path = write_epub(tmp_path / "a.epub", [("", "<p>" + "barley " * 100 + "</p>")] * 3)
    with pytest.raises(Qwen2Error, match=r"holds more than 1,000 characters; split it"):
        read_document(path)


def test_more_pages_than_any_document_has_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_PAGES", 3)
    monkeypatch.setattr("app.ask.documents.pdf.MOST_PAGES", 3)
    write_pdf(tmp_path / "a.pdf", ["x"] * 4)
    write_pptx(tmp_path / "a.pptx", [("x", "", "")] * 4)
    (tmp_path / "a.txt").write_text("x\f" * 4)
    for name in ("a.pdf", "a.pptx", "a.txt"):
        with pytest.raises(Qwen2Error, match="pages"):
            read_document(tmp_path / name)


def test_a_pdf_page_with_absurdly_many_characters_is_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ask.documents.pdf.MOST_PAGE_CHARACTERS", 100)
    document = read_document(write_pdf(tmp_path / "a.pdf", ["short", "barley " * 50, "short too"]))
    assert document.text == "short\nshort too\n"
    assert document.warnings == ("1 page has more than 100 characters, which were left out: 2",)


def test_an_absurd_page_count_in_a_pdf_is_not_believed(tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", ["Text."])
    data = path.read_bytes()
    assert b"/Count 1" in data
    path.write_bytes(data.replace(b"/Count 1", b"/Count 999999999"))
    assert read_document(path).text == "Text.\n"


@pytest.mark.parametrize("name", ["/dev/zero", "/dev/urandom", "pipe", "."])
def test_what_never_ends_is_never_opened_for_reading(tmp_path: Path, name: str) -> None:
    path = tmp_path / name if not name.startswith("/") else Path(name)
    if name == "pipe":
        os.mkfifo(path)
    for work in (read_document, hash_file):
        with pytest.raises(Qwen2Error, match=r"is not a regular file|is a folder"):
            work(path)


def test_a_file_that_claims_to_be_huge_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(10**12)
    for work in (read_document, hash_file):
        with pytest.raises(Qwen2Error, match=r"is larger than 512 MB; split it"):
            work(path)


def test_a_text_larger_than_its_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ask.documents.read.MOST_TEXT_BYTES", limits.MEGABYTE)
    path = tmp_path / "a.txt"
    path.write_text("x" * (limits.MEGABYTE + 1))
    with pytest.raises(Qwen2Error, match=r"is larger than 1 MB"):
        read_document(path)


def test_self_closed_tags_without_an_end_are_read_in_time(tmp_path: Path) -> None:
    book = write_epub(tmp_path / "a.epub", [("One", "x")])
    rewrite_entry(book, "OEBPS/chapter1.xhtml", xhtml("One", "Text" + "<a " * 1_000_000))
    assert "Text" in read_document(book).text


def test_comments_before_no_tag_are_told_from_html_in_time() -> None:
    assert kind_of("a.txt", b"<!---->" * 1000 + b"text") == "text"
    assert kind_of("a.txt", b"<!-- one --> <!-- two --><html>") == "html"


def test_a_footer_of_slashes_and_numbers_is_looked_at_in_time() -> None:
    row = Line("1 / 2 / " * 400 + "x", 0, 780, 500, 790, 10)
    text = Line("barley " * 10, 0, 300, 500, 310, 10)
    page = margins_of([text, row], 800, 1, "")
    assert without_running([text, row], page, []) == [text, row]


def test_a_word_of_a_hundred_thousand_letters_is_read_in_time(tmp_path: Path) -> None:
    lines = [Line("a" * 100_000, 0, top, 500, top + 10, 10, 500) for top in (100, 112)]
    assert Flow().text(lines)[1] == [0, 100_001]


def test_a_page_of_columns_between_thousands_of_wide_lines_is_read_in_time() -> None:
    boxes = [(0, 500)] * 3 + [(0, 200), (300, 500)]
    lines = [
        Line("barley and copper", left, y, right, y + 0.5, 0.5) for y in range(9000) for left, right in boxes
    ]
    assert len(reading_order(lines, 500)) == 9000


def test_no_more_headings_are_kept_than_a_document_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_HEADINGS", 3)
    path = tmp_path / "a.md"
    path.write_text("# a\n" * 10 + "# " + "b" * 1000)
    assert len(read_document(path).headings) == 3
    path.write_text("# " + "b" * 1000)
    assert len(read_document(path).headings[0].title) == limits.LONGEST_HEADING


@pytest.mark.parametrize("name", ["bomb.docx", "bomb.epub"])
def test_markup_under_the_name_of_a_picture_has_the_lower_limit_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("app.ask.documents.zip_safety.MOST_PART_BYTES", 2000)
    start = "word/document.xml" if name == "bomb.docx" else "META-INF/container.xml"
    path = write_zip(tmp_path / name, {start: "<w/>", "picture.png": "\n<w>" + "<a/>" * 1000 + "</w>"})
    with pytest.raises(Qwen2Error, match="too much for a document"):
        read_document(path)


def test_a_chapter_that_does_not_look_like_markup_has_the_lower_limit_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ask.documents.zip_safety.MOST_PART_BYTES", 2000)
    path = write_epub(tmp_path / "a.epub", [("One", "<p>Text.</p>")])
    with zipfile.ZipFile(path) as archive:
        package = archive.read("OEBPS/content.opf").decode()
    rewrite_entry(path, "OEBPS/content.opf", package.replace("chapter1.xhtml", "chapter.png"))
    rewrite_entry(path, "OEBPS/chapter.png", "text " * 1000)
    with pytest.raises(Qwen2Error, match="too much for a document"):
        read_document(path)
