"""PowerPoint files made by python-pptx."""

import time
from copy import deepcopy
from pathlib import Path

import pptx
import pytest
from pptx.util import Inches

from app.ask.documents.read import read_document
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents.files import add_slide_table, rewrite_entry, write_pptx


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "talk.pptx"


def test_each_slide_is_a_page_labelled_with_its_title(path: Path) -> None:
    write_pptx(path, [("Costs", "Copper is dear.", ""), ("The\vPlan", "We buy barley.\nWe sell rye.", "")])
    document = read_document(path)
    assert document.text == "Costs\n\nCopper is dear.\n\nThe Plan\n\nWe buy barley.\nWe sell rye.\n\n"
    assert str(document.place(document.text.index("Copper"))) == "slide 1 (Costs)"
    assert str(document.place(document.text.index("rye"))) == "slide 2 (The Plan)"
    assert [heading.title for heading in document.headings] == ["Costs", "The Plan"]


def test_speaker_notes_stand_on_their_slide(path: Path) -> None:
    write_pptx(path, [("Costs", "Copper.", "Mention the flood."), ("Plan", "Barley.", "")])
    document = read_document(path)
    assert "Notes: Mention the flood.\n" in document.text
    assert document.place(document.text.index("flood")).number == 1


def test_tables_are_rows_of_cells(path: Path) -> None:
    write_pptx(path, [("Costs", "Copper.", "")])
    add_slide_table(path, [["Ship", "Tons"], ["Calder", "40"]])
    document = read_document(path)
    assert "Ship | Tons\nCalder | 40\n" in document.text
    assert document.place(document.text.index("Calder")).number == 2


def test_shapes_in_groups_are_read_and_slide_numbers_are_not(path: Path) -> None:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    group = slide.shapes.add_group_shape()
    box = group.shapes.add_group_shape().shapes.add_textbox(Inches(1), Inches(1), Inches(2), Inches(1))
    box.text_frame.text = "Within two groups."
    presentation.save(str(path))
    assert read_document(path).text == "Within two groups.\n\n"


def test_a_presentation_without_text_is_refused(path: Path) -> None:
    write_pptx(path, [("", "", "")])
    with pytest.raises(Qwen2Error, match="holds no text"):
        read_document(path)


def test_a_damaged_file_is_one_line(path: Path) -> None:
    write_pptx(path, [("Costs", "Copper.", "")])
    rewrite_entry(path, "ppt/slides/slide1.xml", "<broken")
    with pytest.raises(Qwen2Error, match="is a damaged PowerPoint file"):
        read_document(path)


def test_a_table_of_thousands_of_rows_is_read_in_time(path: Path) -> None:
    write_pptx(path, [("Costs", "Copper.", "")])
    add_slide_table(path, [["Ship", "Tons"]])
    presentation = pptx.Presentation(str(path))
    table = next(shape for shape in presentation.slides[1].shapes if shape.has_table).element
    row = next(table.iter("{*}tr"))
    for _ in range(5000):
        row.addnext(deepcopy(row))
    presentation.save(str(path))
    start = time.process_time()
    assert read_document(path).text.count("Ship | Tons\n") == 5001
    assert time.process_time() - start < 5
