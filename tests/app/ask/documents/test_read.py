"""All formats through one door."""

import contextlib
import hashlib
import io
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.ask.documents.read import STDIN, hash_file, read_document
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents import prose
from tests.app.ask.documents.files import write_docx, write_epub, write_pdf, write_pptx, write_zip

SENTENCES = [f"The {name} lantern was lit by its keeper." for name in prose.NAMES[:6]]
PAGES = [
    f"{prose.paragraphs(3, seed=number)}\n{sentence}\n{prose.paragraphs(2, seed=number + 50)}"
    for number, sentence in enumerate(SENTENCES)
]


def write_text(path: Path, pages: list[str]) -> None:
    path.write_text("\f".join(pages))


def write_html(path: Path, pages: list[str]) -> None:
    path.write_text("".join(f"<p>{line}</p>" for line in "\n".join(pages).split("\n")))


def write_csv(path: Path, pages: list[str]) -> None:
    path.write_text("part,text\n" + "".join(f'{n},"{page}"\n' for n, page in enumerate(pages)))


WRITERS: list[tuple[str, str, Callable[[Path], object]]] = [
    ("a.pdf", "page", lambda path: write_pdf(path, PAGES)),
    ("two columns.pdf", "page", lambda path: write_pdf(path, PAGES, columns=2)),
    ("a.docx", "page", lambda path: write_docx(path, PAGES)),
    ("a.pptx", "slide", lambda path: write_pptx(path, [("", page, "") for page in PAGES])),
    ("a.epub", "chapter", lambda path: write_epub(path, [("", f"<p>{page}</p>") for page in PAGES])),
    ("a.txt", "page", lambda path: write_text(path, PAGES)),
    ("a.html", "line", lambda path: write_html(path, PAGES)),
    ("a.csv", "line", lambda path: write_csv(path, PAGES)),
    ("a.md", "line", lambda path: path.write_text("\n".join(PAGES))),
]


@pytest.mark.parametrize(("name", "unit", "write"), WRITERS, ids=[name for name, *_ in WRITERS])
def test_a_known_sentence_is_found_on_its_known_page(
    tmp_path: Path, name: str, unit: str, write: Callable[[Path], object]
) -> None:
    path = tmp_path / name
    write(path)
    document = read_document(path)
    places = [document.place(document.text.index(sentence)) for sentence in SENTENCES]
    assert document.unit == unit
    if unit != "line":
        assert [place.number for place in places] == [1, 2, 3, 4, 5, 6]
    elif name == "a.csv":
        assert [place.line for place in places] == [2, 3, 4, 5, 6, 7]
    else:
        lines = document.text.split("\n")
        assert [lines[place.line - 1] for place in places] == SENTENCES
    assert document.name == str(path)
    assert document.pages[0].start == 0
    assert document.pages[-1].end == len(document.text)
    assert document.sha256 == hash_file(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "unit", "write"), WRITERS, ids=[name for name, *_ in WRITERS])
def test_a_document_on_stdin_is_read_by_its_content(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    unit: str,
    write: Callable[[Path], object],
) -> None:
    path = tmp_path / name
    write(path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
    document = read_document(STDIN)
    assert document.name == "stdin"
    if path.suffix not in (".html", ".csv", ".md"):  # which look like any other text
        assert document.text == read_document(path).text


def test_a_changed_file_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = hash_file(path)
    path.write_text("two")
    assert hash_file(path) != first


@pytest.mark.parametrize(
    ("name", "entries", "message"),
    [
        ("a.docx", {"xl/workbook.xml": "<x/>"}, "is a spreadsheet; export"),
        ("a.odt", {"content.xml": "<x/>"}, "is an OpenDocument file; save it"),
        ("a.zip", {"a.txt": "text"}, "is a zip archive and no document"),
    ],
)
def test_other_archives_are_refused_with_what_to_do(
    tmp_path: Path, name: str, entries: dict[str, str], message: str
) -> None:
    with pytest.raises(Qwen2Error, match=message):
        read_document(write_zip(tmp_path / name, entries))


def test_what_a_file_holds_counts_more_than_its_name(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    write_docx(path, ["In Word."])
    assert read_document(path).kind == "docx"
    path = tmp_path / "report.pdf"
    path.write_text("plain")
    with pytest.raises(Qwen2Error, match="is not what its name says"):
        read_document(path)
    path.write_bytes(b"")
    with pytest.raises(Qwen2Error, match="holds no text"):
        read_document(path)


def test_a_name_that_is_no_text_is_shown_with_replacement_characters(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.txt"))
    try:
        path.write_text("text")
    except OSError:
        pytest.skip("this file system wants names that are text")
    assert read_document(path).name == f"{tmp_path}/a\ufffd.txt"


def test_the_libraries_are_loaded_for_their_files_only(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    program = (
        "import sys; from pathlib import Path; from app.ask.documents.find import find_files;"
        "from app.ask.documents.read import read_document; read_document(Path(sys.argv[1]));"
        "print([name for name in ('lxml', 'docx', 'pptx', 'pypdfium2', 'mlx') if name in sys.modules])"
    )
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", program, str(tmp_path / "a.txt")]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_random_bytes_in_any_place_are_one_line_at_most(tmp_path: Path) -> None:
    """Whatever a damaged file does to a parser, the user sees a sentence or a document."""
    rng = random.Random(7)
    for name, _, write in WRITERS[:5]:
        path = tmp_path / name
        write(path)
        sound = path.read_bytes()
        for _ in range(12):
            data = bytearray(sound)
            for _ in range(rng.choice((1, 4, 200))):
                data[rng.randrange(len(data))] = rng.randrange(256)
            path.write_bytes(data)
            with contextlib.suppress(Qwen2Error):  # anything else would be a traceback
                read_document(path)
