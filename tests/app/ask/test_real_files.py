"""A question about a file of each format is answered with the place where the file says so."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from app.eval.chronicle import TRAINING_SEEDS, Fact, filler_sentence, invent_facts
from tests.app.ask.documents.files import Pdf, write_docx, write_epub, write_pptx
from tests.app.programs import Run

PAGES = 4
#: Writes these pages into a file of a folder and returns its path.
Write = Callable[[Path, list[str]], Path]


def pages(facts: list[Fact], sentences: int = 24) -> list[str]:
    """A page of prose for each fact, which stands in the middle of it."""
    rng = Random(5)
    made = []
    for fact in facts:
        prose = [filler_sentence(rng) for _ in range(sentences)]
        made.append(" ".join([*prose[: sentences // 2], fact.answer, *prose[sentences // 2 :]]))
    return made


def pdf(folder: Path, texts: list[str]) -> Path:
    """Two columns, the first two pages labelled i and ii."""
    file = Pdf(folder / "report.pdf")
    file.labels(1, "ROMAN_LOWER", 1)
    file.labels(3, "ARABIC", 1)
    for text in texts:
        file.page(text, columns=2)
    file.save()
    return folder / "report.pdf"


def word(folder: Path, texts: list[str]) -> Path:
    return write_docx(folder / "letter.docx", texts)


def slides(folder: Path, texts: list[str]) -> Path:
    return write_pptx(folder / "talk.pptx", [(f"Slide {n}", text, "") for n, text in enumerate(texts, 1)])


def book(folder: Path, texts: list[str]) -> Path:
    chapters = [(f"Chapter {n}", f"<p>{text}</p>") for n, text in enumerate(texts, 1)]
    return write_epub(folder / "book.epub", chapters, reverse_files=True)


def web(folder: Path, texts: list[str]) -> Path:
    path = folder / "page.html"
    path.write_text("".join(f"<h2>Part {n}</h2><p>{text}</p>" for n, text in enumerate(texts, 1)))
    return path


def table(folder: Path, texts: list[str]) -> Path:
    path = folder / "rows.csv"
    path.write_text("number,text\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(texts, 1)))
    return path


@pytest.mark.parametrize(
    ("write", "places"),
    [
        (pdf, ["page 1 (i)", "page 2 (ii)", "page 3 (1)", "page 4 (2)"]),
        (word, ["page 1", "page 2", "page 3", "page 4"]),
        (slides, [f"slide {n} (Slide {n})" for n in range(1, 5)]),
        (book, [f"chapter {n} (Chapter {n})" for n in range(1, 5)]),
        (web, ["line 3", "line 7", "line 11", "line 15"]),
        (table, ["line 2", "line 3", "line 4", "line 5"]),
    ],
    ids=["pdf", "docx", "pptx", "epub", "html", "csv"],
)
def test_the_citation_names_the_place(run: Run, tmp_path: Path, write: Write, places: list[str]) -> None:
    facts = invent_facts(Random(TRAINING_SEEDS + 31), PAGES)
    path = write(tmp_path, pages(facts))
    for fact, place in zip(facts, places, strict=True):
        question = f"What is the {fact.relation.label} of {fact.name}?"
        outcome = run("qwen2-ask", question, path, "--max-time", 0, "--json")
        assert outcome.code == 0, outcome
        answer = json.loads(outcome.out)
        assert fact.value in answer["answer"]
        assert [citation["place"] for citation in answer["citations"]] == [place]
        assert all(fact.value in citation["quote"] for citation in answer["citations"])
