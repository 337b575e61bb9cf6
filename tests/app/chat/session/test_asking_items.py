"""What is attached to a chat: opened beside the screen, kept with the chat, taken away again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ask.library import Library
from app.chat.documents import desk as librarians_desk
from app.chat.options import Setup
from app.chat.session import asking
from app.chat.session.changes import DocumentsChanged, Notice
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.documents.files import write_pdf
from tests.app.chat.documents.desk import CHAT, Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    desk = Desk(tmp_path / "library.sqlite")
    yield desk
    assert desk.documents.close(10)


def test_nothing_is_begun_for_a_chat_without_documents(desk: Desk) -> None:
    before = threading.active_count()
    desk.documents.open_chat(CHAT)
    desk.documents.pump()
    assert desk.documents.items == ()
    assert threading.active_count() == before


def test_a_document_becomes_ready_and_is_kept_with_the_chat(desk: Desk) -> None:
    Path("letter.txt").write_text("The code of Ab is 5.\n")
    desk.documents.use(Setup("tiny"))
    desk.documents.attach(CHAT, "letter.txt")
    (item,) = desk.documents.items
    assert (item.name, item.state, item.file) == ("letter.txt", "opening", None)
    desk.settle()
    (item,) = desk.documents.items
    assert item.state == "ready"
    assert item.tokens > 5
    assert list(desk.store.attached[CHAT]) == [item.file]
    assert desk.changes(DocumentsChanged)
    desk.until(lambda: desk.documents.price)
    assert desk.documents.price.startswith(f"{item.tokens} tokens · ")


def test_the_documents_of_a_chat_come_back_with_it(desk: Desk) -> None:
    for name in ("a.txt", "b.txt"):
        Path(name).write_text(f"This is {name}.\n")
        desk.attach(name)
    before = [item.file for item in desk.documents.items]
    desk.documents.open_chat(None)
    assert desk.documents.items == ()
    desk.documents.open_chat(CHAT)
    assert [item.name for item in desk.documents.items] == ["a.txt", "b.txt"]
    desk.settle()
    assert [item.file for item in desk.documents.items] == before


def test_a_folder_becomes_one_item_a_file(desk: Desk) -> None:
    Path("docs").mkdir()
    for name in ("a.txt", "b.md"):
        Path("docs", name).write_text("Text.")
    Path("docs", "c.pdf").write_bytes(b"no pdf")
    desk.attach("docs")
    assert [(item.name, item.state) for item in desk.documents.items] == [
        ("docs/a.txt", "ready"),
        ("docs/b.md", "ready"),
        ("c.pdf", "refused"),
    ]
    assert "c.pdf is not what its name says" in desk.documents.items[2].note


def test_a_refusal_goes_when_the_next_document_is_attached(desk: Desk) -> None:
    desk.attach("gone.txt")
    assert [item.state for item in desk.documents.items] == ["refused"]
    Path("a.txt").write_text("Text.")
    desk.attach("a.txt")
    assert [item.state for item in desk.documents.items] == ["ready"]


def test_the_same_document_is_attached_once(desk: Desk) -> None:
    Path("a.txt").write_text("Text.")
    desk.attach("a.txt")
    desk.attach("./a.txt")
    assert len(desk.documents.items) == 1


@pytest.mark.parametrize("by", ["key", "file"])
def test_detaching_takes_it_from_the_chat(desk: Desk, by: str) -> None:
    Path("a.txt").write_text("Text.")
    desk.attach("a.txt")
    (item,) = desk.documents.items
    key = item.key if by == "key" else item.file
    assert key is not None
    desk.documents.detach(CHAT, key)
    assert desk.documents.items == ()
    assert desk.store.attached[CHAT] == {}


def test_detaching_while_it_is_opened_leaves_nothing_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = librarians_desk.Desk._read

    def read(self: librarians_desk.Desk, job: int, path: Path, label: str) -> object:
        file = real(self, job, path, label)
        begun.set()
        assert go_on.wait(30)
        return file

    monkeypatch.setattr(librarians_desk.Desk, "_read", read)
    Path("a.txt").write_text("Text.")
    desk.documents.attach(CHAT, "a.txt")
    assert begun.wait(30)
    desk.documents.detach(CHAT, desk.documents.items[0].key)
    go_on.set()
    monkeypatch.setattr(librarians_desk.Desk, "_read", real)
    Path("b.txt").write_text("Text.")
    desk.attach("b.txt")
    assert [item.name for item in desk.documents.items] == ["b.txt"]
    assert len(desk.store.attached[CHAT]) == 1


def test_what_another_chat_is_opening_does_not_come_into_this_one(desk: Desk) -> None:
    Path("a.txt").write_text("Text.")
    desk.documents.attach(CHAT, "a.txt")
    desk.documents.open_chat(CHAT + 1)
    Path("b.txt").write_text("Text.")
    desk.documents.attach(CHAT + 1, "b.txt")
    desk.settle()
    assert [item.name for item in desk.documents.items] == ["b.txt"]
    assert list(desk.store.attached) == [CHAT + 1]


def test_an_edited_file_is_read_again_in_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_CHECK_EVERY", 0.0)
    path = Path("a.txt")
    path.write_text("The old text.")
    desk.attach("a.txt")
    before = desk.documents.items[0].file
    path.write_text("The new and longer text.")
    desk.until(lambda: desk.documents.items[0].file != before)
    (item,) = desk.documents.items
    assert item.state == "ready"
    assert list(desk.store.attached[CHAT]) == [item.file]
    assert "a.txt has changed and was read again" in [notice.text for notice in desk.changes(Notice)]


def test_a_file_that_was_edited_between_two_days_is_read_again_with_a_notice(desk: Desk) -> None:
    path = Path("a.txt")
    path.write_text("The old text.")
    desk.attach("a.txt")
    before = desk.documents.items[0].file
    desk.documents.open_chat(None)
    path.write_text("The new and longer text.")
    desk.documents.open_chat(CHAT)
    desk.settle()
    assert desk.documents.items[0].file != before
    assert list(desk.store.attached[CHAT]) == [desk.documents.items[0].file]
    assert "a.txt has changed since it was attached and was read again" in [
        notice.text for notice in desk.changes(Notice)
    ]


def test_another_model_has_the_documents_indexed_anew(desk: Desk, tmp_path: Path) -> None:
    Path("a.txt").write_text("Text. " * 50)
    desk.attach("a.txt")
    assert desk.documents.items[0].tokens == 0
    desk.documents.use(Setup("tiny"))
    desk.until(lambda: desk.documents.items[0].tokens)
    assert desk.documents.items[0].state == "ready"
    with Library.open(tmp_path / "library.sqlite") as library:
        assert len(library.entries()[0].cuts) == 1


def test_a_model_that_is_not_here_leaves_documents_usable(desk: Desk) -> None:
    desk.documents.use(Setup("7b"))
    Path("a.txt").write_text("Text.")
    desk.attach("a.txt")
    desk.attach("a.txt")
    assert [item.state for item in desk.documents.items] == ["ready"]
    assert [notice.text for notice in desk.changes(Notice)] == [
        "7b is not on this machine; documents are indexed when they are asked about"
    ]


def test_names_and_texts_cannot_write_to_the_terminal(desk: Desk) -> None:
    name = "a\x1b[31m\nb.txt"
    Path(name).write_text("Text.")
    desk.documents.attach(CHAT, name)
    assert desk.documents.items[0].name == "a[31m b.txt"
    desk.settle()
    assert desk.documents.items[0].name == "a[31m b.txt"
    assert desk.documents.items[0].state == "ready"


def test_a_pdf_tells_its_pages(desk: Desk) -> None:
    write_pdf(Path("report.pdf"), ["One.", "Two.", "Three."])
    desk.attach("report.pdf")
    (item,) = desk.documents.items
    assert (item.unit, item.pages, len(item.starts)) == ("page", 3, 3)


def test_asking_needs_a_document_that_is_open(desk: Desk) -> None:
    options = desk.options()
    with pytest.raises(Qwen2Error, match="no document is attached"):
        desk.documents.command(1, "Why?", options)
    desk.documents.attach(CHAT, "gone.txt")
    with pytest.raises(Qwen2Error, match=r"gone.txt is still being opened"):
        desk.documents.command(1, "Why?", options)
    desk.settle()
    with pytest.raises(Qwen2Error, match="there is no file"):
        desk.documents.command(1, "Why?", options)


def test_a_document_that_cannot_be_opened_any_more_can_be_detached(desk: Desk, tmp_path: Path) -> None:
    path = Path("a.txt")
    path.write_text("Text.")
    desk.attach("a.txt")
    file = desk.documents.items[0].file
    assert file is not None
    desk.documents.open_chat(None)
    path.unlink()
    with Library.open(tmp_path / "library.sqlite") as library:
        library.remove(file)
    desk.documents.open_chat(CHAT)
    desk.settle()
    (item,) = desk.documents.items
    assert item.state == "refused"
    Path("b.txt").write_text("Text.")
    desk.attach("b.txt")
    assert [item.state for item in desk.documents.items] == ["refused", "ready"]
    desk.documents.detach(CHAT, item.key)
    assert [one.name for one in desk.store.attachments(CHAT)] == ["b.txt"]


def test_a_document_can_be_detached_while_it_is_opened_again(desk: Desk) -> None:
    Path("a.txt").write_text("Text.")
    desk.attach("a.txt")
    desk.documents.open_chat(None)
    desk.documents.open_chat(CHAT)
    (item,) = desk.documents.items
    assert item.file is None
    desk.documents.detach(CHAT, item.key)
    assert desk.store.attachments(CHAT) == []
