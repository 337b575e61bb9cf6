"""E-books: spine order, chapters, titles."""

from pathlib import Path

import pytest

from app.ask.documents.read import read_document
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents.files import rewrite_entry, write_epub


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book.epub"


def test_chapters_come_in_the_order_of_the_spine_and_are_labelled(path: Path) -> None:
    chapters = [
        ("Barley &amp; Copper", "<p>The first.</p>"),
        ("Winter", "<p>The second.</p>"),
        ("", "<h2>Ice</h2><p>It froze.</p>"),
    ]
    document = read_document(write_epub(path, chapters, reverse_files=True))
    assert document.text == "The first.\n\nThe second.\n\nIce\n\nIt froze.\n\n"
    places = [str(document.place(document.text.index(word))) for word in ("first", "second", "froze")]
    assert places == ["chapter 1 (Barley & Copper)", "chapter 2 (Winter)", "chapter 3 (Ice)"]


def test_an_older_book_takes_its_titles_from_the_ncx(path: Path) -> None:
    write_epub(path, [("", "<p>Text.</p>")])
    rewrite_entry(
        path,
        "OEBPS/content.opf",
        '<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><manifest>'
        '<item id="c" href="chapter1.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>'
        '<spine toc="n"><itemref idref="c"/></spine></package>',
    )
    rewrite_entry(
        path,
        "OEBPS/toc.ncx",
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint>'
        "<navLabel><text>Old Winter</text>"
        '</navLabel><content src="chapter1.xhtml#top"/></navPoint></navMap></ncx>',
    )
    assert read_document(path).pages[0].label == "Old Winter"


def test_a_chapter_outside_the_archive_is_not_looked_for(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.xhtml").write_text("<p>secret</p>")
    write_epub(path, [("One", "<p>Text.</p>")])
    items = "".join(
        f'<item id="i{n}" href="{href}" media-type="application/xhtml+xml"/>'
        for n, href in enumerate(
            ("../../secret.xhtml", f"file://{tmp_path}/secret.xhtml", f"{tmp_path}/secret.xhtml")
        )
    )
    rewrite_entry(
        path,
        "OEBPS/content.opf",
        f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}'
        '<item id="c" href="chapter1.xhtml"/></manifest><spine><itemref idref="i0"/><itemref idref="i1"/>'
        '<itemref idref="i2"/><itemref idref="c"/></spine></package>',
    )
    document = read_document(path)
    assert document.text == "Text.\n\n"
    assert document.warnings == ("3 chapters are named in the book but not in it",)
    assert document.pages[0].number == 4


def test_a_protected_book_is_refused_and_encrypted_fonts_are_not(path: Path) -> None:
    write_epub(path, [("One", "<p>Text.</p>")])
    rewrite_entry(path, "META-INF/encryption.xml", encryption("http://www.idpf.org/2008/embedding"))
    assert read_document(path).text == "Text.\n\n"
    rewrite_entry(path, "META-INF/encryption.xml", encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc"))
    with pytest.raises(Qwen2Error, match="protected against copying"):
        read_document(path)


def encryption(algorithm: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><e:EncryptedData'
        f' xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptionMethod Algorithm="{algorithm}"/>'
        "</e:EncryptedData></encryption>"
    )


def test_a_book_without_a_package_is_one_line(path: Path) -> None:
    write_epub(path, [("One", "<p>Text.</p>")])
    rewrite_entry(path, "META-INF/container.xml", "<container/>")
    with pytest.raises(Qwen2Error, match="is a damaged EPUB file"):
        read_document(path)


def test_a_chapter_that_the_spine_names_again_is_read_once(path: Path) -> None:
    write_epub(path, [("", "<p>Text.</p>")])
    rewrite_entry(
        path,
        "OEBPS/content.opf",
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        '<item id="c" href="chapter1.xhtml"/></manifest><spine>'
        + '<itemref idref="c"/>' * 100_000
        + '<itemref idref="absent"/></spine></package>',
    )
    document = read_document(path)
    assert document.text == "Text.\n\n"
    assert document.warnings == ("1 chapter is named in the book but not in it",)
