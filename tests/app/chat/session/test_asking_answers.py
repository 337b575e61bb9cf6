"""Questions about documents: what each event of the agent changes, and what is stored in the end."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.ask.answer import Answer, Citation, Coverage, Hop, Sentence
from app.ask.documents.document import Place
from app.ask.events import Draft, Escalation, Event, Final, Read, Step, Text, Working
from app.ask.library import Library
from app.chat.documents.reports import Checked
from app.chat.options import Options
from app.chat.session import asking
from app.chat.session.changes import (
    Change,
    CitationsChanged,
    MessageChanged,
    Notice,
    Progress,
    TextAdded,
    WindowsRead,
)
from app.chat.store.records import Reading, Stub
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.documents.desk import CHAT, Desk
from tests.app.chat.documents.waiting import until

MESSAGE = 3


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A chat with one document, whose question is being answered."""
    monkeypatch.chdir(tmp_path)
    Path("letter.txt").write_text("The code of Ab is 5.\nIt rained.\n")
    desk = Desk(tmp_path / "library.sqlite")
    desk.attach("letter.txt")
    desk.store.put(MESSAGE)
    yield desk
    assert desk.documents.close(10)


@pytest.fixture
def asked(desk: Desk) -> Desk:
    desk.documents.command(1, "What is the code of Ab?", Options())
    desk.documents.begin(MESSAGE)
    desk.told.clear()
    return desk


def tell(desk: Desk, *events: Event) -> list[Change]:
    return [change for event in events for change in desk.documents.told(MESSAGE, event)]


def answer(desk: Desk, **values: object) -> Answer:
    file = desk.documents.items[0].stored
    assert file is not None
    quote = "The code of Ab is 5."
    citation = Citation(
        1, file.id, file.name, Place("line", 1, "", 1), 0, len(quote), quote, match="exact", score=100.0
    )
    made = Answer(
        "And the code?",
        "What is the code of Ab?",
        "found",
        f"{quote} [1]",
        "retrieve",
        (Sentence(quote, (1,)),),
        (citation,),
        dropped=2,
        coverage=Coverage(100, 60, 122, 53),
    )
    return replace(made, **values)  # type: ignore[arg-type]


def test_the_question_names_the_documents_that_are_ready(desk: Desk, tmp_path: Path) -> None:
    desk.documents.attach(CHAT, "gone.txt")
    options = Options(mode="read", max_time=60.0)
    command = desk.documents.command(4, "Why?", options, ("What?", "That."))
    assert command.files == (desk.documents.items[0].file,)
    assert (command.turn, command.question, command.previous) == (4, "Why?", ("What?", "That."))
    assert (command.mode, command.max_time) == ("read", 60.0)
    assert command.library == tmp_path / "library.sqlite"


def test_an_answer_begins_with_an_empty_strip(desk: Desk) -> None:
    desk.documents.command(1, "Why?", Options())
    desk.documents.begin(MESSAGE)
    assert WindowsRead(MESSAGE, (), fresh=True) in desk.told
    assert CitationsChanged(MESSAGE, (), best_so_far=False) in desk.told


def test_working_is_progress(asked: Desk) -> None:
    changes = tell(
        asked,
        Working("indexing", 300, 900, "characters", best="letter.txt"),
        Working("searching", 0, 1, "searches"),
        Working("reading", 53, 122, "windows", 190.0, "letter.txt, page 318"),
    )
    assert changes == [
        Progress("indexing letter.txt", 300, 900),
        Progress("searching"),
        Progress("reading windows", 53, 122, 190.0),
    ]
    assert asked.documents.line == "read 53 of 122 windows"


def test_windows_are_stored_and_told_a_batch_at_a_time(asked: Desk) -> None:
    reads = [Read(1, at, at + 10, float(at)) for at in range(3)]
    assert tell(asked, *reads) == []
    changes = tell(asked, Working("reading", 3, 9, "windows"))
    readings = tuple(Reading(1, at, at + 10, float(at)) for at in range(3))
    assert changes[0] == WindowsRead(MESSAGE, readings)
    assert asked.store.read[MESSAGE] == list(readings)
    assert asked.store.commits == 1


def test_a_replay_of_many_windows_is_told_while_it_goes_on(asked: Desk) -> None:
    changes = tell(asked, *(Read(1, at, at + 10, 0.0) for at in range(200)))
    assert sum(len(change.readings) for change in changes if isinstance(change, WindowsRead)) >= 128
    assert asked.store.commits <= 4
    asked.documents.finished(MESSAGE, "stopped")
    assert len(asked.store.read[MESSAGE]) == 200


def test_text_streams_until_there_is_a_checked_answer(asked: Desk) -> None:
    assert tell(asked, Text("The code"), Text(" is 5.")) == [
        TextAdded(MESSAGE, "The code"),
        TextAdded(MESSAGE, " is 5."),
    ]
    tell(asked, Draft(answer(asked)))
    assert tell(asked, Text("No, it")) == []


def test_a_reply_that_came_to_nothing_is_taken_back(asked: Desk) -> None:
    tell(asked, Text("Not in the document."))
    changes = tell(asked, Escalation("read", "no part of the evidence says so", 190.0))
    assert isinstance(changes[0], MessageChanged)
    assert changes[0].message.content == ""
    assert changes[1] == Progress("going on with read", left=190.0)
    assert changes[2] == Notice(
        "no part of the evidence says so; going on with read, about 3:10 (Esc keeps the answer so far)"
    )
    assert tell(asked, Text("The code")) == [TextAdded(MESSAGE, "The code")]
    again = tell(asked, Working("answering", 0, 1, "answers"))
    assert [type(change) for change in again] == [MessageChanged, Progress]


def test_a_draft_is_the_best_so_far(asked: Desk) -> None:
    tell(asked, Working("reading", 53, 122, "windows"))
    changed, cited = tell(asked, Draft(answer(asked)))
    assert isinstance(changed, MessageChanged)
    assert isinstance(cited, CitationsChanged)
    assert changed.message.content == "The code of Ab is 5. [1]"
    assert changed.message.citations == cited.citations
    assert cited.best_so_far
    (citation,) = cited.citations
    file = asked.documents.items[0].stored
    assert file is not None
    assert (citation.file, citation.sha256, citation.place) == (file.id, file.sha256, "line 1")
    assert asked.documents.line == "read 53 of 122 windows · best so far"


def test_the_final_answer_is_what_is_stored(asked: Desk) -> None:
    changes = tell(asked, Draft(answer(asked, text="Old. [1]")), Final(answer(asked)))
    assert isinstance(changes[-1], CitationsChanged)
    assert not changes[-1].best_so_far
    outcome = asked.documents.finished(MESSAGE, "stop")
    assert outcome.state == "complete"
    assert outcome.content == "The code of Ab is 5. [1]"
    assert [one.quote for one in outcome.citations] == ["The code of Ab is 5."]
    assert outcome.document["status"] == "found"
    assert outcome.document["standalone"] == "What is the code of Ab?"
    assert outcome.document["dropped"] == 2
    assert outcome.document["coverage"]["windows_read"] == 53
    assert asked.documents.line == ""


def test_a_step_of_reasoning_is_a_line(asked: Desk) -> None:
    assert tell(asked, Step(1, Hop("Who taught Ab?", "Cd did.")), Step(2, Hop("Where?", ""))) == [
        Notice("step 1: Who taught Ab? Cd did."),
        Notice("step 2: Where? nothing found"),
    ]


def test_not_found_says_how_much_was_read(asked: Desk) -> None:
    nothing = answer(asked, status="not_found", text="Not in the document.", sentences=(), citations=())
    tell(asked, Final(replace(nothing, coverage=Coverage(900, 900, 122, 122))))
    outcome = asked.documents.finished(MESSAGE, "stop")
    assert outcome.content == "Not in the document (read 122 of 122 windows)."
    assert outcome.document["status"] == "not_found"


def test_not_found_by_a_search_says_so_in_tokens(asked: Desk) -> None:
    nothing = answer(
        asked, status="partial", text="Not in the part that was read.", sentences=(), citations=()
    )
    tell(asked, Final(replace(nothing, coverage=Coverage(41_000, 6_000))))
    outcome = asked.documents.finished(MESSAGE, "stop")
    assert outcome.content == "Not in the part that was read (read 6,000 of 41,000 tokens)."


def test_a_stopped_search_keeps_its_best_answer(asked: Desk) -> None:
    tell(asked, Draft(answer(asked)), Final(answer(asked, status="partial")))
    outcome = asked.documents.finished(MESSAGE, "stopped")
    assert (outcome.state, outcome.document["status"]) == ("stopped", "partial")
    assert outcome.content == "The code of Ab is 5. [1]"


def test_an_error_keeps_the_best_answer_and_the_windows(asked: Desk) -> None:
    tell(asked, Read(1, 0, 10, 2.0), Draft(answer(asked)), Read(1, 10, 20, 1.0))
    outcome = asked.documents.finished(MESSAGE, "error")
    assert (outcome.state, outcome.document["status"]) == ("error", "partial")
    assert outcome.content == "The code of Ab is 5. [1]"
    assert len(asked.store.read[MESSAGE]) == 2


def test_what_belongs_to_an_older_answer_changes_nothing(asked: Desk) -> None:
    assert asked.documents.told(MESSAGE + 1, Text("Late.")) == []


def test_going_on_asks_the_standalone_question_again(asked: Desk) -> None:
    tell(asked, Final(answer(asked, status="partial")))
    outcome = asked.documents.finished(MESSAGE, "stopped")
    cut = asked.store.put(MESSAGE, content=outcome.content, document=outcome.document)
    command = asked.documents.command(2, "And the code?", Options(), ("Who?", "Ab."), unfinished=cut)
    assert command.question == "What is the code of Ab?"
    assert command.previous is None
    plain = asked.store.put(MESSAGE, content="")
    command = asked.documents.command(3, "And the code?", Options(), ("Who?", "Ab."), unfinished=plain)
    assert (command.question, command.previous) == ("And the code?", ("Who?", "Ab."))


def test_a_follow_up_is_told_the_last_answer_from_documents(desk: Desk) -> None:
    document = {"standalone": "Who taught Ab?", "status": "found"}
    desk.store.put(10, content="Cd did [1].", document=document)
    desk.store.put(11, content="I am a model.")
    path = [
        Stub(9, "user", "complete", 5, 1, 1),
        Stub(10, "assistant", "complete", 5, 1, 1),
        Stub(11, "assistant", "complete", 5, 1, 1),
        Stub(12, "user", "complete", 5, 1, 1),
    ]
    assert desk.documents.previous(path) == ("Who taught Ab?", "Cd did.")
    assert desk.documents.previous(path[:1]) is None
    assert desk.documents.previous(path[2:]) is None


def test_a_file_keeps_its_text_while_it_is_asked_about(
    asked: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(asking, "_CHECK_EVERY", 0.0)
    before = asked.documents.items[0].file
    assert before is not None
    Path("letter.txt").write_text("Another and longer text than it was before.")
    for _ in range(50):
        asked.documents.pump()
    with Library.open(tmp_path / "library.sqlite") as library:
        assert library.file(before).id == before
    asked.documents.finished(MESSAGE, "stop")
    asked.until(lambda: asked.documents.items[0].file != before)


def test_a_question_takes_the_ids_that_files_have_by_now(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may be read again, and the screen not know of it yet, when a question comes."""
    monkeypatch.setattr(asking, "_CHECK_EVERY", 0.0)
    before = desk.documents.items[0].file
    Path("letter.txt").write_text("Another and longer text than it was before.")
    desk.documents.pump()  # asks for a check
    librarian = desk.documents._librarian
    assert librarian is not None
    until(lambda: any(isinstance(report, Checked) for report in librarian.reports))
    assert desk.documents.items[0].file == before
    command = desk.documents.command(1, "Why?", Options())
    assert command.files == (desk.documents.items[0].file,)
    assert command.files != (before,)


def test_a_question_that_was_never_asked_keeps_no_file_from_being_read_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_CHECK_EVERY", 0.0)
    desk.documents.command(1, "Why?", Options())
    before = desk.documents.items[0].file
    Path("letter.txt").write_text("Another and longer text than it was before.")
    desk.until(lambda: desk.documents.items[0].file != before)


def test_a_full_disk_is_told_once_and_the_answer_goes_on(
    asked: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Qwen2Error("the disk is full")

    monkeypatch.setattr(asked.store, "add_readings", full)
    changes = tell(asked, *(Read(1, at, at + 10, 0.0) for at in range(200)), Final(answer(asked)))
    assert sum(len(change.readings) for change in changes if isinstance(change, WindowsRead)) == 200
    told = [change.text for change in changes if isinstance(change, Notice)]
    assert told == ["what was read is not kept with the answer: the disk is full"]
    assert asked.documents.finished(MESSAGE, "stop").content == "The code of Ab is 5. [1]"


def test_a_document_that_cannot_be_kept_can_be_asked_about(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise Qwen2Error("the disk is full")

    monkeypatch.setattr(desk.store, "attach", full)
    Path("more.txt").write_text("More.")
    desk.attach("more.txt")
    assert [item.state for item in desk.documents.items] == ["ready", "ready"]
    assert "more.txt is not kept with the chat: the disk is full" in [
        notice.text for notice in desk.changes(Notice)
    ]
