"""PDF files made by ReportLab: reading order, pages, and what is left out."""

import re
from pathlib import Path

import pytest
from reportlab.pdfgen.canvas import Canvas

from app.ask.documents.document import Document
from app.ask.documents.pdf import page_ranges
from app.ask.documents.pdf_flow import plain_letters
from app.ask.documents.pdf_layout import Line
from app.ask.documents.pdf_margins import margins_of, without_running
from app.ask.documents.read import read_document
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents import prose
from tests.app.ask.documents.files import HEIGHT, MARGIN, WIDTH, Pdf, write_pdf


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "report.pdf"


@pytest.mark.parametrize("row_by_row", [False, True])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_columns_are_read_one_after_the_other_in_whatever_order_the_file_has_them(
    path: Path, columns: int, row_by_row: bool
) -> None:
    text = prose.paragraphs(8, seed=columns)
    pdf = Pdf(path)
    pdf.page(text, columns, title="The Harbour Report", row_by_row=row_by_row)
    pdf.save()
    document = read_document(path)
    assert flat(document.text) == flat(f"The Harbour Report {text}")


def test_a_paragraph_is_one_line_and_the_next_one_another(path: Path) -> None:
    text = prose.paragraphs(5, seed=3)
    document = read_document(write_pdf(path, [text]))
    assert [line for line in document.text.split("\n") if line] == text.split("\n")


def test_words_cut_at_the_end_of_a_line_are_whole_again(path: Path) -> None:
    pdf = Pdf(path)
    lines = [
        "The well-known keeper of the northern lantern wrote every evening of his long life with a remark-",
        "able steadiness about the winds and the tides of the harbour, kept the book of all the measure-",
        "ments that the council had asked for since the year of the flood, and was in this way as well-",
        "known abroad as he was at home, above all to the captains and the owners of the Franco-",
        "German trade, whose ships he had counted with the same patience in all of the years 1990-",
        "1995, until the winter of the great ice put an end to it.",
    ]
    pdf.lines((72, 700 - 12 * row, line) for row, line in enumerate(lines))
    pdf.save()
    text = flat(read_document(path).text)
    for whole in ("remarkable steadiness", "measurements that", "Franco-German trade", "1990-1995,"):
        assert whole in text
    assert text.count("well-known") == 2


def test_page_labels_and_page_numbers_are_those_of_the_file(path: Path) -> None:
    pdf = Pdf(path)
    pdf.labels(1, "ROMAN_LOWER", 1)
    pdf.labels(4, "ARABIC", 1)
    sentences = [f"The {name} lantern was lit on this page only." for name in prose.NAMES[:9]]
    for number, sentence in enumerate(sentences):
        pdf.page(prose.paragraphs(3, seed=number) + "\n" + sentence)
    pdf.save()
    document = read_document(path)
    places = [str(document.place(document.text.index(sentence))) for sentence in sentences]
    assert places[:4] == ["page 1 (i)", "page 2 (ii)", "page 3 (iii)", "page 4 (1)"]
    assert places[8] == "page 9 (6)"


def header_and_footer(canvas: Canvas, number: int) -> None:
    canvas.setFont("Times-Italic", 9)
    title = "Annals of the Harbour" if number % 2 else "The Year of the Flood"
    canvas.drawString(MARGIN, HEIGHT - 40, title)
    canvas.drawRightString(WIDTH - MARGIN, HEIGHT - 40, f"{number + 16}")
    canvas.drawCentredString(WIDTH / 2, 30, f"Page {number} of 7")


@pytest.mark.parametrize("columns", [1, 2])
def test_headers_footers_and_page_numbers_are_left_out(path: Path, columns: int) -> None:
    pages = [prose.paragraphs(6, seed=number) for number in range(7)]
    pdf = Pdf(path)
    pdf.decorate(header_and_footer)
    for text in pages:
        pdf.page(text, columns)
    pdf.save()
    document = read_document(path)
    assert [flat(document.text[page.start : page.end]) for page in document.pages] == [*map(flat, pages)]


def test_first_lines_that_only_look_alike_are_text(path: Path) -> None:
    first_lines = [
        f"Station {number} reported {name}." for number, name in zip((7, 9, 2, 4), prose.NAMES, strict=False)
    ]
    first_lines += [f"Station {number} was closed." for number in (3, 8, 5, 1)]
    pdf = Pdf(path)
    for number, line in enumerate(first_lines):
        body = prose.paragraphs(2, seed=number).split(". ")
        pdf.lines(
            [(72, HEIGHT - 60, line), *((72, HEIGHT - 100 - 12 * i, row) for i, row in enumerate(body))]
        )
    pdf.save()
    document = read_document(path)
    for number, line in enumerate(first_lines, 1):
        assert document.page_at(document.text.index(line)).number == number


def test_headings_in_large_type_that_count_chapters_are_text(path: Path) -> None:
    pages = [prose.paragraphs(3, seed=number) for number in range(5)]
    pdf = Pdf(path)
    for number, text in enumerate(pages, 1):
        pdf.page(text, title=f"Chapter {number}")
    pdf.save()
    document = read_document(path)
    for number, (page, text) in enumerate(zip(document.pages, pages, strict=True), 1):
        assert flat(document.text[page.start : page.end]) == flat(f"Chapter {number} {text}")


def test_a_header_beside_the_page_number_is_left_out_even_of_a_single_page(path: Path) -> None:
    def header(canvas: Canvas, number: int) -> None:
        canvas.setFont("Times-Italic", 9)
        canvas.drawString(MARGIN, HEIGHT - 40, f"The tale of {prose.NAMES[number]}")
        canvas.drawRightString(WIDTH - MARGIN, HEIGHT - 40, str(number))

    pages = [prose.paragraphs(3, seed=number) for number in range(4)]
    pdf = Pdf(path)
    pdf.decorate(header)
    for text in pages:
        pdf.page(text)
    pdf.save()
    assert flat(read_document(path).text) == flat("\n".join(pages))


def test_page_numbers_that_start_elsewhere_are_left_out(path: Path) -> None:
    pages = [prose.paragraphs(2, seed=number) for number in range(3)]
    pdf = Pdf(path)
    pdf.decorate(lambda canvas, number: canvas.drawCentredString(WIDTH / 2, 30, str(number + 316)))
    for text in pages:
        pdf.page(text)
    pdf.save()
    assert flat(read_document(path).text) == flat("\n".join(pages))


def test_the_same_first_sentence_on_every_page_is_text(path: Path) -> None:
    pages = ["The keeper was at sea. " + prose.paragraphs(3, seed=number) for number in range(5)]
    pdf = Pdf(path)
    for text in pages:
        lines = [text[:22], *text[23:].split(". ")]
        pdf.lines((72, HEIGHT - 60 - 12 * row, line) for row, line in enumerate(lines))
    pdf.save()
    assert read_document(path).text.count("The keeper was at sea.") == 5


def test_a_page_number_is_left_out_of_a_file_of_one_page(path: Path) -> None:
    pdf = Pdf(path)
    pdf.decorate(lambda canvas, number: canvas.drawCentredString(WIDTH / 2, 30, f"- {number} -"))
    text = prose.paragraphs(2, seed=1)
    pdf.page(text)
    pdf.save()
    assert flat(read_document(path).text) == flat(text)


def test_the_cells_of_a_table_stay_on_the_line_of_their_row(path: Path) -> None:
    rows = [(name, str(100 + 7 * index), f"{index}.5 t") for index, name in enumerate(prose.NAMES[:12])]
    pdf = Pdf(path)
    pdf.lines(
        (x, 700 - 14 * index, cell)
        for index, row in enumerate(rows)
        for x, cell in zip((72, 220, 400), row, strict=True)
    )
    pdf.save()
    lines = [re.split(r" {2,}", line) for line in read_document(path).text.strip().split("\n")]
    assert lines == [list(row) for row in rows]


def test_a_list_of_options_is_read_row_by_row(path: Path) -> None:
    options = {"-c, --check": "checks the syntax only", "-o, --output": "writes the result to a file"}
    options |= {"-n, --name": "names the array in the result", "-h, --help": "displays this help and exits"}
    pdf = Pdf(path)
    pdf.lines(
        (x, 700 - 12 * row, text)
        for row, pair in enumerate(options.items())
        for x, text in zip((72, 160), pair, strict=True)
    )
    pdf.save()
    rows = [line.split("  ") for line in read_document(path).text.strip().split("\n")]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        list(pair) for pair in options.items()
    ]


def test_items_of_a_list_stay_lines_however_long_they_are(path: Path) -> None:
    items = ["• " + prose.paragraphs(1, seed=number)[:95] for number in range(4)]
    pdf = Pdf(path)
    pdf.lines((72, 700 - 12 * row, item) for row, item in enumerate(items))
    pdf.save()
    assert read_document(path).text == "\n".join(items) + "\n"


def test_short_lines_stay_lines(path: Path) -> None:
    poem = ["The keeper climbs", "the lantern stair", "and lights the lamp", "for no one there"]
    pdf = Pdf(path)
    pdf.lines((72, 700 - 12 * index, line) for index, line in enumerate(poem))
    pdf.save()
    assert read_document(path).text == "\n".join(poem) + "\n"


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_turned_page_is_read_like_any_other(path: Path, turn: int) -> None:
    pdf = Pdf(path)
    pdf.lines([(72, 500, "First line."), (72, 480, "Second line."), (72, 460, "Third line.")], turn=turn)
    pdf.save()
    assert read_document(path).text == "First line.\nSecond line.\nThird line.\n"


def test_sideways_writing_is_read_where_it_is_the_text_and_set_apart_where_it_is_a_stamp(path: Path) -> None:
    canvas = Canvas(str(path))
    for sideways, level in (
        (["One long line.", "Another long line."], ["stamp"]),
        (["stamp"], ["One long line.", "Another long line."]),
    ):
        for index, line in enumerate(level):
            canvas.drawString(100, 600 - 14 * index, line)
        canvas.rotate(90)
        for index, line in enumerate(sideways):
            canvas.drawString(100, -400 - 14 * index, line)
        canvas.showPage()
    canvas.save()
    document = read_document(path)
    assert document.text == "One long line.\nAnother long line.\n\nstamp\n" * 2


def test_pages_without_text_are_reported_by_number(path: Path) -> None:
    pdf = Pdf(path)
    pdf.page("Text of the first page.")
    for _ in range(3):
        pdf.scan()
    pdf.page("Text of the fifth page.")
    pdf.scan()
    pdf.save()
    document = read_document(path)
    assert document.warnings == ("4 pages have no text layer (scans?): 2-4, 6",)
    assert document.page_at(document.text.index("fifth")).number == 5
    assert len(document.pages) == 6


def test_an_empty_page_is_no_scan(path: Path) -> None:
    pdf = Pdf(path)
    pdf.page("Text.")
    pdf.lines([])
    pdf.save()
    document = read_document(path)
    assert (document.warnings, len(document.pages)) == ((), 2)


def test_a_scanned_file_is_refused_with_what_to_do(path: Path) -> None:
    pdf = Pdf(path)
    pdf.scan()
    pdf.save()
    with pytest.raises(Qwen2Error, match=r"has no text layer .* run text recognition"):
        read_document(path)


def test_an_encrypted_file_is_refused_with_what_to_do(path: Path) -> None:
    pdf = Pdf(path, password="secret")
    pdf.page("Text.")
    pdf.save()
    with pytest.raises(Qwen2Error, match=r"is encrypted; open it with its password and save a copy without"):
        read_document(path)


def test_the_outline_gives_the_headings(path: Path) -> None:
    pdf = Pdf(path)
    pdf.outline("Barley and Copper")
    pdf.page(prose.paragraphs(2, seed=1) + "\nBarley and\tCopper\n" + prose.paragraphs(2, seed=2))
    pdf.outline("Not printed", level=1)
    pdf.page("Last page.")
    pdf.save()
    document = read_document(path)
    first, second = document.headings
    assert (first.title, first.level, first.start) == (
        "Barley and Copper",
        1,
        document.text.index("Barley and"),
    )
    assert (second.title, second.level, second.start) == ("Not printed", 2, document.pages[1].start)


def test_large_type_gives_the_headings_where_there_is_no_outline(path: Path) -> None:
    pdf = Pdf(path)
    pdf.page(prose.paragraphs(4, seed=1), title="The Harbour Report")
    pdf.save()
    (heading,) = read_document(path).headings
    assert (heading.title, heading.level, heading.start) == ("The Harbour Report", 1, 0)


def test_progress_counts_the_pages(path: Path) -> None:
    calls: list[tuple[int, int]] = []
    write_pdf(path, ["One.", "Two.", "Three."])
    read_document(path, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("keep", [20, 400, 1200])
def test_a_damaged_file_is_one_line_and_never_a_crash(path: Path, keep: int) -> None:
    write_pdf(path, [prose.paragraphs(3, seed=1)])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Qwen2Error, match=r"damaged PDF|holds no text"):
        read_document(path)


def test_writing_beside_the_page_is_not_read(path: Path) -> None:
    pdf = Pdf(path)
    pdf.lines([(72, 700, "On the page."), (-900, 700, "Beside it."), (72, HEIGHT + 50, "Above it.")])
    pdf.save()
    assert read_document(path).text == "On the page.\n"


def test_pages_follow_each_other_without_gaps(path: Path) -> None:
    document: Document = read_document(write_pdf(path, [prose.paragraphs(2, seed=n) for n in range(12)]))
    ends = [0, *(page.end for page in document.pages)]
    assert [page.start for page in document.pages] == ends[:-1]
    assert ends[-1] == len(document.text)
    assert [page.number for page in document.pages] == [*range(1, 13)]


@pytest.mark.parametrize(("pages", "text"), [([4], "4"), ([1, 2, 3], "1-3"), ([1, 3, 4, 9], "1, 3-4, 9")])
def test_page_ranges_read_as_people_write_them(pages: list[int], text: str) -> None:
    assert page_ranges(pages) == text


def test_ligatures_are_letters() -> None:
    assert plain_letters("ﬁne oﬃce ﬂow") == "fine office flow"


def test_a_page_that_cannot_be_read_does_not_cost_the_others(path: Path) -> None:
    write_pdf(path, ["One.", "Two.", "Three."])
    data = path.read_bytes()
    second = [match.start() for match in re.finditer(rb"/Type /Page\b", data)][1]
    path.write_bytes(data[:second] + b"/Type /Xage" + data[second + 11 :])
    document = read_document(path)
    assert "One." in document.text
    assert "Three." in document.text
    assert document.place(document.text.index("Three")).number == 3


def test_titles_and_labels_that_are_no_text_cost_nothing_else(path: Path) -> None:
    pdf = Pdf(path)
    pdf.outline("QQ")
    pdf.labels(1, "ROMAN_LOWER", 3)
    pdf.page("Text.")
    pdf.save()
    data = path.read_bytes()
    assert b"/Title (QQ)" in data
    path.write_bytes(data.replace(b"/Title (QQ)", b"/Title <FEFFD800>"))
    document = read_document(path)
    assert document.text == "Text.\n"
    assert document.headings == ()
    assert document.pages[0].label == "iii"


def test_words_that_look_like_roman_numbers_are_words() -> None:
    """A regular expression that ignores case takes the Turkish letters too."""
    page = margins_of([Line("İl ılık iv", 0, 10, 100, 20, 10)], 800, 1, "")
    assert page.edges[0].numbers == (4,)


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        *((text, True) for text in ("- 7 -", "Page 7 of 12", "p. 7", "7/12", "第 7 页 共 12 页")),
        *((text, False) for text in ("7 8 9", "7 ships")),
    ],
)
def test_a_footer_that_says_no_more_than_the_page_number_is_left_out(text: str, left_out: bool) -> None:
    lines = [Line("barley " * 10, 0, 100, 500, 110, 10), Line(text, 0, 780, 500, 790, 10)]
    page = margins_of(lines, 800, 7, "")
    assert (without_running(lines, page, []) == lines[:1]) == left_out
