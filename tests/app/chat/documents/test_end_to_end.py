"""From attaching a file to the page of a citation, with the bundled model, and on after a restart."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from app.ask.events import Read, Working
from app.ask.library import Library
from app.chat.engine import Ask, Engine, Failed, Finished, Load, Stop, Told, thread_engine
from app.chat.options import Options, Setup
from app.chat.screens.reader import Reader
from app.chat.session.asking import Documents
from app.chat.session.changes import Change, CitationsChanged, Progress, WindowsRead
from app.chat.store import Store
from app.chat.store.records import Generation, Message
from app.eval.chronicle import TRAINING_SEEDS, Fact, filler_sentence, invent_facts
from tests.app.ask.documents.files import write_pdf
from tests.app.chat.documents.waiting import until
from tests.app.chat.screens.host import Hand, show
from tests.app.chat.waiting import PATIENCE


class Desk:
    """A chat with documents as the program runs it: store, library, librarian and engine."""

    def __init__(self, folder: Path) -> None:
        self._turns = itertools.count(1)
        self.library = folder / "library.sqlite"
        self.store = Store.open(folder / "chats.sqlite")
        self.changes: list[Change] = []
        self.events: list[object] = []
        self.documents = Documents(self.store, self.library, self.changes.append)
        self.engine: Engine = thread_engine()
        self.engine.post(Load(Setup("tiny")))
        self.documents.use(Setup("tiny"))

    def attach(self, chat: int, name: str) -> None:
        self.documents.attach(chat, name)
        self.settle()

    def settle(self) -> None:
        def settled() -> bool:
            return all(item.state != "opening" for item in self.documents.items)

        until(settled, self.documents.pump)

    def ask(
        self,
        chat: int,
        question: str,
        options: Options,
        cut: Message | None = None,
        stop_after: int | None = None,
    ) -> Message:
        """The stored answer; stopped once so many windows were read."""
        path = self.store.path(chat)
        if cut is None:
            parent = self.store.add_message(chat, path[-1].id if path else None, "user", question).id
        else:
            assert cut.parent is not None
            parent = cut.parent
        command = self.documents.command(
            next(self._turns), question, options, self.documents.previous(path), cut
        )
        answer = self.store.begin_answer(chat, parent, Generation("tiny"))
        self.documents.begin(answer.id)
        self.engine.post(command)
        reason = self._listen(command, answer.id, stop_after)
        end = self.documents.finished(answer.id, reason)
        return self.store.finish_answer(
            answer.id, end.state, document=end.document, citations=end.citations, content=end.content
        )

    def _listen(self, command: Ask, answer: int, stop_after: int | None) -> str:
        deadline = time.monotonic() + 4 * PATIENCE
        while time.monotonic() < deadline:
            while self.engine.events:
                match self.engine.events.popleft():
                    case Told(event=event):
                        self.events.append(event)
                        self.changes += self.documents.told(answer, event)
                        if isinstance(event, Read) and stop_after == self.read:
                            self.engine.post(Stop(command.turn))
                    case Finished(reason=reason):
                        return reason
                    case Failed(message=message):
                        raise AssertionError(message)
            time.sleep(0.005)
        raise AssertionError("no answer came")

    @property
    def read(self) -> int:
        """How many windows were reported."""
        return sum(isinstance(event, Read) for event in self.events)

    def close(self) -> None:
        assert self.documents.close(10)
        assert self.engine.close(60)
        self.store.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def desk(folder: Path) -> Iterator[Desk]:
    desk = Desk(folder)
    yield desk
    desk.close()


def pages(facts: list[Fact], sentences: int) -> list[str]:
    """A page of prose for each fact, which stands in the midst of it."""
    rng = Random(5)
    made = []
    for fact in facts:
        prose = [filler_sentence(rng) for _ in range(sentences)]
        made.append(" ".join([*prose[: sentences // 2], fact.answer, *prose[sentences // 2 :]]))
    return made


def test_a_question_about_an_attached_pdf_leads_to_the_page_that_answers_it(desk: Desk) -> None:
    facts = invent_facts(Random(TRAINING_SEEDS + 31), 4)
    write_pdf(Path("report.pdf"), pages(facts, 24))
    chat = desk.store.new_chat(Options()).id
    desk.attach(chat, "report.pdf")
    (item,) = desk.documents.items
    assert (item.state, item.pages) == ("ready", 4)
    fact = facts[2]
    question = f"What is the {fact.relation.label} of {fact.name}?"
    answer = desk.ask(chat, question, Options(max_time=0.0))
    assert answer.state == "complete"
    assert fact.value in answer.content
    (citation,) = answer.citations
    assert (citation.place, citation.file, citation.name) == ("page 3", item.file, "report.pdf")
    assert fact.value in citation.quote
    assert [change.citations for change in desk.changes if isinstance(change, CitationsChanged)][-1]
    with Library.open(desk.library) as library:
        (entry,) = library.entries()
        assert len(entry.cuts) == 1  # what was indexed beforehand is what the agent asked

    reader = Reader(desk.library, citation.file, citation.start, citation.end, citation.quote)

    async def play(hand: Hand[None]) -> None:
        await hand.sees("report.pdf · page 3 of 4", citation.quote[:40])

    show(reader, play)


def test_reading_goes_on_after_a_restart_where_it_stopped(desk: Desk, folder: Path) -> None:
    facts = invent_facts(Random(TRAINING_SEEDS + 31), 5)
    Path("long.txt").write_text("\n".join(pages(facts[:4], 90)))
    chat = desk.store.new_chat(Options()).id
    desk.attach(chat, "long.txt")
    absent = facts[4]
    question = f"What is the {absent.relation.label} of {absent.name}?"
    options = Options(mode="read")
    cut = desk.ask(chat, question, options, stop_after=2)
    assert cut.state == "stopped"
    assert cut.document is not None
    assert cut.document["status"] == "partial"
    before = {(one.start, one.end) for one in desk.store.readings(cut.id)}
    assert before

    again = Desk(folder)
    try:
        again.documents.open_chat(chat)
        again.settle()
        answer = again.ask(chat, question, options, cut=desk.store.message(cut.id))
        first = next(
            at
            for at, event in enumerate(again.events)
            if isinstance(event, Working) and event.stage == "reading"
        )
        replayed = {(one.start, one.end) for one in again.events[:first] if isinstance(one, Read)}
        assert before <= replayed
        assert answer.state == "complete"
        assert answer.sibling == 2
        assert before < {(one.start, one.end) for one in again.store.readings(answer.id)}
        assert answer.document is not None
        coverage = answer.document["coverage"]
        assert coverage["windows_read"] == coverage["windows"]
        assert f"(read {coverage['windows']} of {coverage['windows']} windows)" in answer.content
        assert any(isinstance(change, Progress) for change in again.changes)
        assert any(isinstance(change, WindowsRead) and change.readings for change in again.changes)
    finally:
        again.close()


def test_a_follow_up_knows_what_it_follows(desk: Desk) -> None:
    facts = invent_facts(Random(TRAINING_SEEDS + 31), 2)
    Path("letter.txt").write_text("\n".join(pages(facts, 12)))
    chat = desk.store.new_chat(Options()).id
    desk.attach(chat, "letter.txt")
    fact = facts[0]
    first = desk.ask(chat, f"What is the {fact.relation.label} of {fact.name}?", Options(max_time=0.0))
    assert desk.documents.previous(desk.store.path(chat)) == (
        f"What is the {fact.relation.label} of {fact.name}?",
        first.content.replace(" [1]", ""),
    )
