"""The journal of an answer is written on the thread on which it arrives, and no further than its end."""

import threading
from collections.abc import Iterator

import pytest

from app.ask import events as ask
from app.chat.engine.messages import Text, Told
from app.chat.options import Options
from app.chat.session.scribe import Scribe
from app.chat.store import Generation, Message, Store


@pytest.fixture
def answer(store: Store) -> Message:
    chat = store.new_chat(Options())
    question = store.add_message(chat.id, None, "user", "Where?")
    return store.begin_answer(chat.id, question.id, Generation("tiny"))


@pytest.fixture
def scribe() -> Iterator[Scribe]:
    scribe = Scribe()
    yield scribe
    scribe.close()


def test_text_is_written_from_another_thread(store: Store, answer: Message, scribe: Scribe) -> None:
    scribe.begin(1, answer.id, store)
    thread = threading.Thread(target=lambda: [scribe(Text(1, piece)) for piece in ("The ", "harbour")])
    thread.start()
    thread.join()
    assert store.message(answer.id).content == "The harbour"


def test_other_turns_and_what_comes_after_the_end_are_not_written(
    store: Store, answer: Message, scribe: Scribe
) -> None:
    scribe(Text(1, "before"))
    scribe.begin(1, answer.id, store)
    scribe(Text(2, "other"))
    scribe(Text(1, "kept"))
    scribe.end()
    scribe(Text(1, "late"))
    assert store.message(answer.id).content == "kept"


def test_the_tries_of_the_document_agent_are_kept_apart(
    store: Store, answer: Message, scribe: Scribe
) -> None:
    scribe.begin(1, answer.id, store)
    for event in (
        ask.Working("answering", 0, 1, "tokens"),
        ask.Text("first"),
        ask.Escalation("read", "no part says so", None),
        ask.Working("answering", 0, 1, "tokens"),
        ask.Text("second"),
    ):
        scribe(Told(1, event))
    assert store.message(answer.id).content == "first\n\nsecond"
