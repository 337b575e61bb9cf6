"""Answers: journalled while they are written, finished once, and never overwritten."""

import dataclasses
import threading

import pytest

from app.chat.store import Chat, Generation, Store
from qwen2_mlx.errors import Qwen2Error
from tests.app.chat.store.samples import CITATION, GENERATION, check, say, texts

FINAL = dataclasses.replace(GENERATION, output_tokens=12, output_tps=63.5, stop_reason="stop")


def test_an_answer_grows_by_its_journal_and_is_folded_when_it_ends(store: Store, chat: Chat) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    assert (answer.state, answer.content, answer.finished) == ("streaming", "", None)
    journal = store.journal()
    for piece in ("two", "", " and\0", " \ud800three"):
        journal.append(answer.id, piece)
    assert store.message(answer.id).content == "two and\0 \ufffdthree"
    done = store.finish_answer(answer.id, "complete", generation=FINAL)
    assert done == store.message(answer.id)
    assert (done.state, done.content, done.generation) == ("complete", "two and\0 \ufffdthree", FINAL)
    assert store.path(chat.id)[-1].characters == len(done.content)
    assert done.finished is not None
    journal.close()
    check(store)


def test_what_comes_too_late_is_dropped(store: Store, chat: Chat) -> None:
    answer = store.begin_answer(chat.id, None, GENERATION)
    journal = store.journal()
    journal.append(answer.id, "in time")
    store.finish_answer(answer.id, "stopped")
    journal.append(answer.id, " too late")
    journal.append(99, "to nobody")
    assert store.message(answer.id).content == "in time"
    journal.close()
    journal.append(answer.id, "closed")
    check(store)


def test_the_journal_is_written_on_another_thread(store: Store, chat: Chat) -> None:
    answer = store.begin_answer(chat.id, None, GENERATION)
    journal = store.journal()

    def write() -> None:
        for number in range(500):
            journal.append(answer.id, f"{number} ")

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():  # the chat goes on being used
        store.update_chat(chat.id, draft="typing")
    journal.close()
    assert store.finish_answer(answer.id, "complete").content.split() == [str(n) for n in range(500)]


def test_an_answer_from_documents_keeps_all_that_belongs_to_it(store: Store, chat: Chat) -> None:
    answer = store.begin_answer(chat.id, None, Generation("tiny"))
    document = {"status": "found", "coverage": {"windows": 3}}
    done = store.finish_answer(
        answer.id, "complete", document=document, citations=[CITATION], content="Ninety days [1]."
    )
    assert (done.document, done.citations, done.content) == (document, (CITATION,), "Ninety days [1].")
    assert done.generation == Generation("tiny")
    assert store.message(answer.id) == done


def test_an_error_is_one_line_and_keeps_what_was_written(store: Store, chat: Chat) -> None:
    answer = store.begin_answer(chat.id, None, GENERATION)
    journal = store.journal()
    journal.append(answer.id, "half an ans")
    done = store.finish_answer(answer.id, "error", error="no room\nfor more")
    assert (done.state, done.error, done.content) == ("error", "no room for more", "half an ans")


@pytest.mark.parametrize("state", ["complete", "stopped", "length", "error", "interrupted"])
def test_a_finished_answer_cannot_be_finished_again(store: Store, chat: Chat, state) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    store.finish_answer(answer.id, "complete", content="two")
    with pytest.raises(ValueError, match="cannot become"):
        store.finish_answer(answer.id, state, content="overwritten")
    with pytest.raises(ValueError, match="cannot become"):
        store.finish_answer(question.id, state, content="overwritten")
    assert texts(store, chat.id) == ["one", "two"]
    with pytest.raises(Qwen2Error):
        store.finish_answer(99, "complete")


def test_going_on_makes_a_version_that_holds_the_old_text(store: Store, chat: Chat) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    store.finish_answer(answer.id, "length", content="two and")
    more = store.resume_answer(answer.id, FINAL)
    assert (more.state, more.content, more.edited_from) == ("streaming", "two and", answer.id)
    assert (more.sibling, more.siblings) == (2, 2)
    journal = store.journal()
    journal.append(more.id, " three")
    store.finish_answer(more.id, "complete")
    assert texts(store, chat.id) == ["one", "two and three"]
    assert store.message(answer.id).content == "two and"
    check(store)


def test_readings_of_an_answer_take_the_last_score(store: Store, chat: Chat) -> None:
    from app.chat.store import Reading

    answer = store.begin_answer(chat.id, None, GENERATION)
    store.add_readings(answer.id, [Reading(1, 0, 10, 0.5), Reading(1, 10, 20, 0.25)])
    store.add_readings(answer.id, [Reading(1, 0, 10, 0.75)])
    assert store.readings(answer.id) == [Reading(1, 0, 10, 0.75), Reading(1, 10, 20, 0.25)]
    with pytest.raises(Qwen2Error):
        store.add_readings(99, [])
