"""Plain text, Markdown and tables."""

import time
from pathlib import Path

import pytest

from app.ask.documents.document import Document
from app.ask.documents.read import read_document
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents import prose


def read(path: Path, content: str | bytes) -> Document:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_document(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_the_encoding_of_its_mark(tmp_path: Path, encoding: str) -> None:
    assert (
        read(tmp_path / "a.txt", "Öl und 铜\r\nnext\rlast".encode(encoding)).text == "Öl und 铜\nnext\nlast"
    )


def test_big_endian_text_is_read_by_its_mark(tmp_path: Path) -> None:
    assert read(tmp_path / "a.txt", b"\xfe\xff" + "Öl".encode("utf-16-be")).text == "Öl"


def test_another_encoding_is_refused_with_the_byte_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match=r"is no UTF-8 text \(byte 1\); save it as UTF-8.*iconv"):
        read(tmp_path / "a.txt", "Für".encode("cp1252"))


def test_characters_that_cannot_be_seen_are_removed(tmp_path: Path) -> None:
    hidden = "a\x1b[31mb\x07c\x9dd\u200be\ufefff\xadg\th"
    assert read(tmp_path / "a.txt", hidden).text == "a[31mbcdefg\th"


def test_lines_are_counted_in_a_text_without_pages(tmp_path: Path) -> None:
    document = read(tmp_path / "a.txt", "one\ntwo\nthree")
    assert (document.unit, len(document.pages)) == ("line", 1)
    assert str(document.place(document.text.index("three"))) == "line 3"


def test_form_feeds_separate_pages(tmp_path: Path) -> None:
    document = read(tmp_path / "a.txt", "one\n\ftwo\f\ffour\n\f")
    assert document.unit == "page"
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "one\n",
        "two\n",
        "",
        "four\n",
    ]
    assert str(document.place(document.text.index("four"))) == "page 4"


@pytest.mark.parametrize("content", ["", "\n \t\n", "\ufeff", "\f\f"])
def test_an_empty_text_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(Qwen2Error, match="holds no text"):
        read(tmp_path / "a.txt", content)


def test_a_million_tokens_are_read_in_well_under_a_second(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(prose.paragraphs(40, seed=1) * 280 + "Ö")
    assert path.stat().st_size > 4_000_000
    start = time.process_time()
    read_document(path)
    assert time.process_time() - start < 0.6


def test_markdown_keeps_its_text_and_knows_its_headings(tmp_path: Path) -> None:
    text = (
        "# Costs #\n\nCopper.\n\n"
        "```\n# no heading\n```\n\n## Ships\ntext\nUnder\n=====\n\nlower\n---\n\n---\n"
        "#hash\n- item\n---\n"
    )
    document = read(tmp_path / "a.md", text)
    assert (document.kind, document.unit, document.text) == ("markdown", "line", text)
    assert [(h.title, h.level, text[h.start :][:5]) for h in document.headings] == [
        ("Costs", 1, "# Cos"),
        ("Ships", 2, "## Sh"),
        ("Under", 1, "Under"),
        ("lower", 2, "lower"),
    ]


def test_a_row_of_a_table_stands_alone_on_the_line_of_its_number(tmp_path: Path) -> None:
    document = read(
        tmp_path / "a.csv", 'name,born,notes\nAda,1815,"first, ""the"" one\nof two"\n\nGrace,,x,extra\n'
    )
    assert document.text.split("\n") == [
        "name, born, notes",
        'name: Ada; born: 1815; notes: first, "the" one of two',
        "",
        "name: Grace; notes: x; column 4: extra",
        "",
    ]
    assert str(document.place(document.text.index("Grace"))) == "line 4"
    assert document.kind == "csv"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "name;price\nrye;1,50\noats;1,20"),
        ("a.tsv", "name\tprice\nrye\t1,50\noats\t1,20"),
        ("b.csv", "name|price\nrye|1,50"),
    ],
)
def test_the_separator_is_found(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path / name, content).text.split("\n")[1] == "name: rye; price: 1,50"


def test_a_table_of_numbers_has_no_header(tmp_path: Path) -> None:
    assert (
        read(tmp_path / "a.csv", "1,2.5\n3,4").text
        == "column 1: 1; column 2: 2.5\ncolumn 1: 3; column 2: 4\n"
    )


def test_a_quotation_mark_that_never_closes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Qwen2Error, match=r"is no table .*check its quotation marks"):
        read(tmp_path / "a.csv", 'a,b\n"open,' + "x" * 200_000)
