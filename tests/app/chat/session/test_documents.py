"""Questions of a chat that has documents go to them, and their answers are stored with what they rest on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.ask.answer import Answer, Citation, Coverage, Sentence
from app.ask.documents.document import Place
from app.ask.events import Draft, Final, Text
from app.chat.engine.messages import Ask, Finished, Generate, Told
from app.chat.session.changes import CitationsChanged, MessageChanged
from app.chat.store import Store
from tests.app.chat.session.reader import Reader
from tests.app.chat.waiting import PATIENCE

QUOTE = "The code of Ab is 5."


def until_ready(reader: Reader) -> None:
    """Waits for the librarian, which works on its own thread."""
    deadline = time.monotonic() + PATIENCE
    while not reader.session.documents.ready:
        assert time.monotonic() < deadline, "the document was never ready"
        reader.pump()
        time.sleep(0.01)


@pytest.fixture
def reader(store: Store, tmp_path: Path) -> Iterator[Reader]:
    """A chat with one document."""
    letter = tmp_path / "letter.txt"
    letter.write_text(f"{QUOTE}\nIt rained.\n")
    reader = Reader(store, library=tmp_path / "library.sqlite")
    reader.session.attach(str(letter))
    yield reader
    reader.session.close(5.0)


def answer(reader: Reader, text: str = QUOTE) -> Answer:
    file = reader.session.documents.items[0].stored
    assert file is not None
    cited = Citation(1, file.id, file.name, Place("line", 1, "", 1), 0, len(QUOTE), QUOTE, "exact", 100.0)
    return Answer(
        "What is the code?",
        "What is the code of Ab?",
        "found",
        f"{text} [1]",
        "retrieve",
        (Sentence(text, (1,)),),
        (cited,),
        dropped=0,
        coverage=Coverage(100, 60, 1, 1),
    )


def test_a_question_goes_to_the_documents_and_its_answer_rests_on_them(reader: Reader) -> None:
    until_ready(reader)
    assert reader.ask("What is the code?")
    asked = reader.engine.of(Ask)[-1]
    assert (asked.question, asked.files) == ("What is the code?", (reader.session.documents.items[0].file,))
    assert reader.engine.of(Generate) == []
    reader.engine.emit(Told(asked.turn, Text("The code")), Told(asked.turn, Final(answer(reader))))
    reader.engine.emit(Finished(asked.turn, "stop"))
    reader.pump()
    last = reader.last
    assert (last.content, last.state) == (f"{QUOTE} [1]", "complete")
    assert [(cited.number, cited.quote) for cited in last.citations] == [(1, QUOTE)]
    assert last.document is not None
    assert last.document["status"] == "found"


def test_the_next_question_may_follow_up_the_last_answer(reader: Reader) -> None:
    until_ready(reader)
    reader.ask("What is the code?")
    turn = reader.engine.of(Ask)[-1].turn
    reader.engine.emit(Told(turn, Final(answer(reader))), Finished(turn, "stop"))
    reader.pump()
    reader.ask("And why?")
    assert reader.engine.of(Ask)[-1].previous == ("What is the code of Ab?", QUOTE)


def test_a_question_is_refused_while_the_document_is_opened(reader: Reader) -> None:
    assert not reader.ask("What is the code?")
    assert reader.session.path == []
    assert "still being opened" in reader.notices[-1]


def test_stopping_keeps_the_best_answer_so_far(reader: Reader) -> None:
    until_ready(reader)
    reader.ask("What is the code?")
    turn = reader.engine.of(Ask)[-1].turn
    reader.engine.emit(Told(turn, Text("The")), Told(turn, Draft(answer(reader))))
    reader.pump()
    assert reader.heard(MessageChanged)[-1].message.content == f"{QUOTE} [1]"
    assert reader.heard(CitationsChanged)[-1].best_so_far
    assert reader.session.message(reader.session.path[-1].id).citations
    reader.session.stop()
    reader.pump()
    assert (reader.last.content, reader.last.state) == (f"{QUOTE} [1]", "stopped")
    assert reader.last.citations


def test_going_on_with_such_an_answer_asks_the_documents_again(reader: Reader) -> None:
    until_ready(reader)
    reader.ask("What is the code?")
    turn = reader.engine.of(Ask)[-1].turn
    reader.engine.emit(Told(turn, Draft(answer(reader))))
    reader.pump()
    reader.session.stop()
    reader.pump()
    old = reader.last
    assert reader.session.resume(old.id)
    again = reader.engine.of(Ask)[-1]
    assert (again.turn, again.question) == (turn + 1, "What is the code of Ab?")
    assert reader.last.siblings == 2
    assert reader.session.store.message(old.id).content == f"{QUOTE} [1]"


def test_quitting_keeps_the_best_answer_so_far(reader: Reader, store: Store) -> None:
    until_ready(reader)
    reader.ask("What is the code?")
    turn = reader.engine.of(Ask)[-1].turn
    reader.engine.emit(Told(turn, Draft(answer(reader))))
    message = reader.session.path[-1].id
    reader.session.close(0.3)
    assert (store.message(message).content, store.message(message).state) == (f"{QUOTE} [1]", "stopped")


def test_without_its_document_a_chat_asks_the_model_again(reader: Reader) -> None:
    until_ready(reader)
    file = reader.session.documents.items[0].file
    assert file is not None
    reader.session.detach(file)
    reader.ask("Hello?")
    assert reader.engine.of(Generate)
