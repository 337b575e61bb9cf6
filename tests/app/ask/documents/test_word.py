"""Word files made by python-docx: order, pages, headings, tables, notes."""

import zipfile
from pathlib import Path

import docx
import pytest
from docx.enum.text import WD_BREAK
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls

from app.ask.documents.read import read_document
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents import prose
from tests.app.ask.documents.files import rewrite_entry, write_docx


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.docx"


@pytest.mark.parametrize("rendered", [True, False])
def test_pages_are_those_of_the_page_breaks(path: Path, rendered: bool) -> None:
    sentences = [f"The {name} lantern was lit." for name in prose.NAMES[:4]]
    write_docx(path, [f"{prose.paragraphs(3, seed=n)}\n{s}" for n, s in enumerate(sentences)], rendered)
    document = read_document(path)
    assert document.unit == "page"
    assert [document.place(document.text.index(s)).number for s in sentences] == [1, 2, 3, 4]
    assert [(h.title, h.level) for h in document.headings] == [(f"Part {n}", 1) for n in (1, 2, 3, 4)]
    assert all(document.page_at(h.start).number == n for n, h in enumerate(document.headings, 1))


def test_without_page_breaks_lines_are_cited(path: Path) -> None:
    write_docx(path, ["First.\nSecond."])
    document = read_document(path)
    assert (document.unit, len(document.pages)) == ("line", 1)
    assert str(document.place(document.text.index("Second"))) == "line 5"


def test_breaks_set_by_hand_make_no_pages_when_a_part_is_longer_than_a_page(path: Path) -> None:
    write_docx(path, ["Short.", prose.paragraphs(60, seed=1)], rendered=False)
    assert read_document(path).unit == "line"


def test_a_break_within_a_sentence_splits_it_over_two_pages(path: Path) -> None:
    file = docx.Document()
    run = file.add_paragraph().add_run("The sentence begins here")
    run._r.append(OxmlElement("w:lastRenderedPageBreak"))
    run.add_text(" and ends on the next page.")
    file.save(str(path))
    document = read_document(path)
    assert document.text.strip() == "The sentence begins here and ends on the next page."
    assert document.place(document.text.index("begins")).number == 1
    assert document.place(document.text.index("ends on")).number == 2


def test_a_break_set_by_hand_and_noted_by_word_is_one_break(path: Path) -> None:
    file = docx.Document()
    file.add_paragraph("One.").add_run().add_break(WD_BREAK.PAGE)
    paragraph = file.add_paragraph()
    paragraph.add_run()._r.append(OxmlElement("w:lastRenderedPageBreak"))
    paragraph.add_run("Two.")
    file.save(str(path))
    document = read_document(path)
    assert document.place(document.text.index("Two")).number == 2


def test_tables_stand_where_they_stood_one_row_a_line(path: Path) -> None:
    file = docx.Document()
    file.add_paragraph("Before.")
    table = file.add_table(2, 3)
    for cell, text in zip(
        (cell for row in table.rows for cell in row.cells),
        ("Ship", "Cargo", "Tons", "Calder", "barley", "40"),
        strict=True,
    ):
        cell.text = text
    inner = table.rows[1].cells[1].add_table(1, 2)
    inner.rows[0].cells[0].text, inner.rows[0].cells[1].text = "and", "rye"
    file.add_paragraph("After.")
    file.save(str(path))
    assert read_document(path).text == (
        "Before.\n\nShip | Cargo | Tons\nCalder | barley and rye | 40\n\nAfter.\n\n"
    )


def test_a_page_break_in_a_table_divides_its_rows(path: Path) -> None:
    file = docx.Document()
    table = file.add_table(3, 1)
    for number, row in enumerate(table.rows):
        run = row.cells[0].paragraphs[0].add_run()
        if number == 2:
            run._r.append(OxmlElement("w:lastRenderedPageBreak"))
        run.add_text(f"row {number}")
    file.save(str(path))
    document = read_document(path)
    assert [document.place(document.text.index(f"row {n}")).number for n in range(3)] == [1, 1, 2]


def test_headings_take_their_level_from_the_style_or_the_one_it_is_based_on(path: Path) -> None:
    file = docx.Document()
    file.add_heading("The Title", 0)
    file.add_heading("A Part", 1)
    own = file.styles.add_style("House Style", 1)
    own.base_style = file.styles["Heading 2"]  # type: ignore[attr-defined]
    file.add_paragraph("A Section", style="House Style")
    file.add_paragraph("Text.")
    file.save(str(path))
    assert [(h.title, h.level) for h in read_document(path).headings] == [
        ("The Title", 1),
        ("A Part", 1),
        ("A Section", 2),
    ]


def test_lists_keep_their_marks(path: Path) -> None:
    file = docx.Document()
    for text in ("barley", "rye"):
        paragraph = file.add_paragraph(text)
        paragraph._p.get_or_add_pPr().append(OxmlElement("w:numPr"))
    file.add_paragraph("Text.")
    file.save(str(path))
    assert read_document(path).text == "- barley\n- rye\n\nText.\n\n"


def test_deleted_text_is_gone_and_inserted_text_is_read_once(path: Path) -> None:
    file = docx.Document()
    file.add_paragraph()._p.append(parse_xml(f"<w:ins {nsdecls('w')}><w:r><w:t>inserted</w:t></w:r></w:ins>"))
    file.add_paragraph()._p.append(
        parse_xml(f"<w:del {nsdecls('w')}><w:r><w:delText>deleted</w:delText></w:r></w:del>")
    )
    file.save(str(path))
    assert read_document(path).text == "inserted\n\n"


def test_a_footnote_follows_its_paragraph(path: Path) -> None:
    file = docx.Document()
    first = file.add_paragraph("It weighed 40 tons.")
    first.add_run()._r.append(parse_xml(f'<w:footnoteReference {nsdecls("w")} w:id="2"/>'))
    file.add_paragraph("Next.")
    file.save(str(path))
    add_footnotes(
        path, '<w:footnote w:id="2"><w:p><w:r><w:t>By the old measure.</w:t></w:r></w:p></w:footnote>'
    )
    assert read_document(path).text == "It weighed 40 tons.\n\n[1] By the old measure.\n\nNext.\n\n"


def add_footnotes(path: Path, notes: str) -> None:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    with zipfile.ZipFile(path) as archive:
        types = archive.read("[Content_Types].xml").decode()
        relations = archive.read("word/_rels/document.xml.rels").decode()
    override = f'<Override PartName="/word/footnotes.xml" ContentType="{kind}"/></Types>'
    rewrite_entry(path, "[Content_Types].xml", types.replace("</Types>", override))
    link = f'<Relationship Id="rId99" Type="{relation}" Target="footnotes.xml"/></Relationships>'
    rewrite_entry(path, "word/_rels/document.xml.rels", relations.replace("</Relationships>", link))
    rewrite_entry(path, "word/footnotes.xml", f"<w:footnotes {nsdecls('w')}>{notes}</w:footnotes>")


@pytest.mark.parametrize("content", ["", "<nothing", "<w:document xmlns:w='x'/>", "\0\1\2"])
def test_a_damaged_file_is_one_line(path: Path, content: str) -> None:
    write_docx(path, ["Text."])
    rewrite_entry(path, "word/document.xml", content)
    with pytest.raises(Qwen2Error, match="is a damaged Word file"):
        read_document(path)


def test_a_text_box_in_a_table_is_read_once(path: Path) -> None:
    file = docx.Document()
    boxed = parse_xml(
        f"<w:p {nsdecls('w')}><w:r><w:t>around</w:t></w:r><w:r><w:pict><w:txbxContent><w:p><w:r>"
        "<w:t>boxed</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>"
    )
    file.add_table(1, 1).cell(0, 0)._tc.append(boxed)
    file.save(str(path))
    assert read_document(path).text == "around boxed\n\n"


@pytest.mark.parametrize(("value", "seen"), [("", False), (" w:val='1'", False), (" w:val='0'", True)])
def test_hidden_text_is_left_out(path: Path, value: str, seen: bool) -> None:
    file = docx.Document()
    run = f"<w:r {nsdecls('w')}><w:rPr><w:vanish{value}/></w:rPr><w:t>hidden</w:t></w:r>"
    file.add_paragraph("Text. ")._p.append(parse_xml(run))
    file.save(str(path))
    assert ("hidden" in read_document(path).text) == seen
