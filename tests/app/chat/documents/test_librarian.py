"""The thread that opens documents: files of every sort, and leaving it at any moment."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ask.chunking import Cutter
from app.ask.library import File, Library
from app.ask.roles.open import open_roles
from app.chat.documents import desk
from app.chat.documents.librarian import Librarian
from app.chat.documents.reports import (
    Check,
    Checked,
    Ended,
    Indexed,
    Open,
    Opened,
    Price,
    Priced,
    Refused,
    Reopen,
    Report,
    Said,
    Use,
    Working,
)
from app.chat.options import Setup
from tests.app.ask.documents.files import write_pdf
from tests.app.chat.documents.waiting import until

PAGES = ["The bridge was closed.", "The code of Ab is 5.", "It rained."]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "library.sqlite"


@pytest.fixture
def librarian(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Librarian]:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    librarian = Librarian(place)
    yield librarian
    assert librarian.close(10)


def ended(librarian: Librarian, job: int = 1) -> list[Report]:
    """All reports, once the job has ended."""
    until(lambda: Ended(job) in librarian.reports)
    return list(librarian.reports)


def only(reports: list[Report], kind: type) -> list:
    return [report for report in reports if isinstance(report, kind)]


def opened(librarian: Librarian, name: str, job: int = 1) -> list[Report]:
    librarian.post(Open(job, name))
    return ended(librarian, job)


def test_a_text_is_read_and_indexed_for_the_model_in_use(librarian: Librarian) -> None:
    Path("letter.txt").write_text("The code of Ab is 5.\nIt rained.\n")
    librarian.post(Use(Setup("tiny")))
    reports = opened(librarian, "letter.txt")
    (report,) = only(reports, Opened)
    (indexed,) = only(reports, Indexed)
    assert (report.file.name, report.file.unit, report.pages, report.starts) == ("letter.txt", "line", 3, ())
    assert indexed.file == report.file.id
    assert indexed.tokens > 5


def test_without_a_model_it_is_read_and_not_indexed(librarian: Librarian) -> None:
    Path("notes.md").write_text("# Head\n\nText.\n")
    reports = opened(librarian, "notes.md")
    assert [report.file.kind for report in only(reports, Opened)] == ["markdown"]
    assert not only(reports, Indexed)


def test_the_chunk_sets_are_those_that_the_agent_will_ask_for(librarian: Librarian, place: Path) -> None:
    Path("letter.txt").write_text("The code of Ab is 5. " * 400)
    librarian.post(Use(Setup("tiny")))
    (report,) = only(opened(librarian, "letter.txt"), Opened)
    roles = open_roles("tiny")
    with Library.open(place) as library:
        before = library.entries()[0].cuts
        library.cut(report.file.id, Cutter(roles.tokenizer, roles.sizes.chunk, roles.sizes.overlap))
        assert library.entries()[0].cuts == before


def test_a_pdf_says_where_its_pages_begin_and_how_far_it_is(librarian: Librarian) -> None:
    write_pdf(Path("report.pdf"), PAGES)
    reports = opened(librarian, "report.pdf")
    (report,) = only(reports, Opened)
    assert report.pages == 3
    assert report.starts[0] == 0
    assert len(report.starts) == 3
    stages = [(work.name, work.stage, work.done, work.total) for work in only(reports, Working)]
    assert stages[0] == ("report.pdf", "reading", 1, 3)
    assert stages[-1] == ("report.pdf", "reading", 3, 3)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gone.txt", "there is no file gone.txt"),
        ("picture.pdf", "picture.pdf is a picture"),
        ("empty", "there is no document in"),
        ("-", "there is no file"),
        ("", "give the name of a file"),
        ("a\0b", "give the name of a file"),
        ("~nobody-here/x", "~nobody-here/x"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_one_line(librarian: Librarian, name: str, line: str) -> None:
    Path("picture.pdf").write_bytes(b"\x89PNG\r\n")
    Path("empty").mkdir()
    reports = opened(librarian, name)
    (refused,) = only(reports, Refused)
    assert refused.line.startswith(line)
    assert "\n" not in refused.line
    assert not only(reports, Opened)


def test_a_folder_gives_its_documents_and_refuses_the_bad_ones(librarian: Librarian) -> None:
    folder = Path("docs")
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"This is text {number}.")
    (folder / "bad.pdf").write_bytes(b"no pdf")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    reports = opened(librarian, "docs")
    assert [report.file.name for report in only(reports, Opened)] == [f"docs/{n}.txt" for n in range(3)]
    assert [report.name for report in only(reports, Refused)] == ["bad.pdf"]
    assert "1 file skipped" in only(reports, Said)[0].text


def test_a_pattern_opens_what_matches_it(librarian: Librarian) -> None:
    Path("docs").mkdir()
    for name in ("a.txt", "b.md", "c.txt"):
        Path("docs", name).write_text(f"This is {name}.")
    reports = opened(librarian, "docs/*.txt")
    assert [report.file.name for report in only(reports, Opened)] == ["docs/a.txt", "docs/c.txt"]


def test_many_bad_files_of_a_folder_do_not_flood_the_list(librarian: Librarian) -> None:
    Path("docs").mkdir()
    Path("docs", "good.txt").write_text("Text.")
    for number in range(9):
        Path("docs", f"{number}.pdf").write_bytes(b"no pdf")
    reports = opened(librarian, "docs")
    assert len(only(reports, Refused)) == 5
    assert "4 more files of docs could not be read" in [said.text for said in only(reports, Said)]


def test_a_stored_file_is_opened_without_reading_it_again(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("letter.txt").write_text("Text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    monkeypatch.setattr("app.ask.documents.read.read_document", None)
    librarian.post(Reopen(2, first.file.id, first.file.path, "letter.txt"))
    reports = ended(librarian, 2)
    assert only(reports, Opened)[-1] == Opened(2, first.file, first.pages, first.starts)


def test_an_edited_file_is_read_anew_and_that_is_said(librarian: Librarian) -> None:
    path = Path("letter.txt")
    path.write_text("The old text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    path.write_text("The new and longer text.")
    librarian.post(Reopen(2, first.file.id, first.file.path, "letter.txt"))
    reports = ended(librarian, 2)
    second = only(reports, Opened)[-1]
    assert second.replaces == first.file.id != second.file.id
    assert "letter.txt has changed since it was attached and was read again" in [
        said.text for said in only(reports, Said)
    ]


def test_a_file_that_is_gone_is_asked_about_as_it_was(librarian: Librarian) -> None:
    path = Path("letter.txt")
    path.write_text("The old text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    path.unlink()
    librarian.post(Reopen(2, first.file.id, first.file.path, "letter.txt"))
    reports = ended(librarian, 2)
    assert only(reports, Opened)[-1].file == first.file
    assert "using the text as it was" in only(reports, Said)[-1].text


def test_a_file_that_is_nowhere_any_more_is_refused(librarian: Librarian, place: Path) -> None:
    path = Path("letter.txt")
    path.write_text("The old text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    path.unlink()
    with Library.open(place) as library:
        library.remove(first.file.id)
    librarian.post(Reopen(2, first.file.id, first.file.path, "letter.txt"))
    (refused,) = only(ended(librarian, 2), Refused)
    assert "letter.txt" in refused.line


def test_a_check_finds_what_has_changed_and_only_once(librarian: Librarian) -> None:
    path = Path("letter.txt")
    path.write_text("The old text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    librarian.post(Check((first.file,)))
    until(lambda: Checked() in librarian.reports)
    assert len(only(list(librarian.reports), Opened)) == 1
    path.write_text("The new and longer text.")
    librarian.post(Check((first.file,)))
    until(lambda: len(only(list(librarian.reports), Opened)) == 2)
    second = only(list(librarian.reports), Opened)[-1]
    assert second.replaces == first.file.id
    librarian.post(Check((second.file,)))
    until(lambda: list(librarian.reports).count(Checked()) == 3)
    assert len(only(list(librarian.reports), Opened)) == 2


def test_files_that_have_not_changed_are_not_looked_up_again(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("letter.txt").write_text("The old text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    looked_up: list[Path] = []
    monkeypatch.setattr(Library, "find", lambda self, path: looked_up.append(path))
    librarian.post(Check((first.file,)))
    until(lambda: Checked() in librarian.reports)
    assert looked_up == []


def test_a_file_that_is_being_asked_about_keeps_its_text(librarian: Librarian, place: Path) -> None:
    path = Path("letter.txt")
    path.write_text("The old text.")
    (first,) = only(opened(librarian, "letter.txt"), Opened)
    assert librarian.hold([first.file.path])
    path.write_text("The new and longer text.")
    librarian.post(Check((first.file,)))
    until(lambda: Checked() in librarian.reports)
    with Library.open(place) as library:
        assert library.passage(first.file.id, 0, 100).text == "The old text."
    (refused,) = only(opened(librarian, "letter.txt", 2), Refused)
    assert "read again when its question has been answered" in refused.line
    librarian.release()
    librarian.post(Check((first.file,)))
    until(lambda: len(only(list(librarian.reports), Opened)) == 2)


def test_no_question_comes_between_a_new_text_and_the_report_of_it(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, go_on = threading.Event(), threading.Event()
    real = desk.Desk._pages

    def pages(self: desk.Desk, file: File) -> tuple[int, tuple[int, ...]]:
        here.set()
        assert go_on.wait(30)
        return real(self, file)

    monkeypatch.setattr(desk.Desk, "_pages", pages)
    Path("letter.txt").write_text("Text.")
    librarian.post(Open(1, "letter.txt"))
    assert here.wait(30)
    assert not librarian.hold(["elsewhere.txt"])
    go_on.set()
    ended(librarian)
    assert librarian.hold(["elsewhere.txt"])


class Slow:
    """Stands in for the reader of a file that is long: it reports progress until it is left."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.left = threading.Event()

    def __call__(self, path: Path, progress: object) -> None:
        assert callable(progress)
        self.begun.set()
        try:
            for done in range(100_000):
                progress(done, 100_000)
                time.sleep(0.001)
        finally:
            self.left.set()


def test_opening_is_left_at_once_when_it_is_cancelled(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    Path("long.txt").write_text("Text.")
    monkeypatch.setattr("app.ask.documents.read.read_document", slow)
    librarian.post(Open(1, "long.txt"))
    assert slow.begun.wait(30)
    librarian.cancel(1)
    assert slow.left.wait(5)
    reports = ended(librarian)
    assert not only(reports, Opened)
    assert not only(reports, Refused)


def test_a_waiting_job_that_is_cancelled_never_begins(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    Path("long.txt").write_text("Text.")
    monkeypatch.setattr("app.ask.documents.read.read_document", slow)
    librarian.post(Open(1, "long.txt"))
    librarian.post(Open(2, "long.txt"))
    assert slow.begun.wait(30)
    slow.begun.clear()
    librarian.cancel(2)
    librarian.cancel(1)
    ended(librarian, 2)
    assert not slow.begun.is_set()


def test_closing_while_a_file_is_read_takes_no_longer_than_its_next_page(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.chdir(tmp_path)
    Path("long.txt").write_text("Text.")
    monkeypatch.setattr("app.ask.documents.read.read_document", slow)
    librarian = Librarian(place)
    librarian.post(Open(1, "long.txt"))
    assert slow.begun.wait(30)
    begun = time.monotonic()
    assert librarian.close(5)
    assert time.monotonic() - begun < 2


def test_progress_comes_ten_times_a_second_at_most_with_the_time_that_is_left(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(desk.time, "monotonic", lambda: clock[0])

    def read(path: Path, progress: object) -> None:
        assert callable(progress)
        for done in range(1, 101):
            clock[0] += 0.01
            progress(done, 100)
        librarian.cancel(1)
        progress(100, 100)

    Path("long.txt").write_text("Text.")
    monkeypatch.setattr("app.ask.documents.read.read_document", read)
    reports = opened(librarian, "long.txt")
    works = only(reports, Working)
    assert 9 <= len(works) <= 13
    assert works[5].left == pytest.approx(0.01 * (100 - works[5].done))


def test_a_library_that_cannot_be_opened_refuses_what_is_attached(tmp_path: Path) -> None:
    place = tmp_path / "library.sqlite"
    place.write_text("This is no library but a text that is long enough to be looked at.")
    librarian = Librarian(place)
    reports = opened(librarian, "letter.txt")
    (refused,) = only(reports, Refused)
    assert "is not a library" in refused.line
    assert librarian.close(5)


def test_a_bug_is_told_and_the_next_document_is_opened_all_the_same(
    librarian: Librarian, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("letter.txt").write_text("Text.")
    with monkeypatch.context() as patched:
        patched.setattr(desk.Desk, "_pages", lambda self, file: 1 / 0)
        (refused,) = only(opened(librarian, "letter.txt"), Refused)
    assert refused.line == "ZeroDivisionError: division by zero"
    assert only(opened(librarian, "letter.txt", 2), Opened)


def test_the_price_is_worked_out_beside_the_screen(librarian: Librarian) -> None:
    Path("letter.txt").write_text("The code of Ab is 5. " * 2000)
    librarian.post(Use(Setup("tiny")))
    (report,) = only(opened(librarian, "letter.txt"), Opened)
    librarian.post(Price((report.file.id,)))
    until(lambda: only(list(librarian.reports), Priced))
    (priced,) = only(list(librarian.reports), Priced)
    assert priced.line.endswith(" · search and read everything: time unknown until first used")
    assert " tokens · whole: no (takes " in priced.line
