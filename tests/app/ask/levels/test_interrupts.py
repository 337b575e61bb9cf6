"""Whenever a search is ended, there is a valid answer, and what was stored helps the next one."""

import sqlite3
from itertools import count

import pytest

from app.ask.answer import Answer
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import ABSENT, BROKEN_CHAIN, CHAIN, COUNT, LIST, LOOKUP, PARAPHRASE
from tests.app.ask.levels.oracle import Oracle

CASES = [
    ("auto", LOOKUP),
    ("auto", ABSENT),
    ("auto", CHAIN),
    ("auto", BROKEN_CHAIN),
    ("auto", COUNT),
    ("auto", LIST),
    ("retrieve", ABSENT),
    ("read", PARAPHRASE),
    ("reason", CHAIN),
    ("digest", LIST),
]


@pytest.fixture
def long(desk: Desk) -> Desk:
    desk.take(120)
    return desk


def ask(desk: Desk, mode: str, question: str, stop_at: float = float("inf")) -> tuple[Answer, int, int]:
    """The answer, how often it was asked whether to stop, and the models' calls after it was told to."""
    polls, before = count(), []
    desk.oracle.calls.clear()

    def stopped() -> bool:
        ended = next(polls) >= stop_at
        if ended and not before:
            before.append(len(desk.oracle.calls))
        return ended

    answer = desk.ask(question, mode=mode, stopped=stopped, previous=("Who was it?", "Nobody."))
    return answer, next(polls), len(desk.oracle.calls) - before[0] if before else 0


@pytest.mark.parametrize(("mode", "question"), CASES)
def test_a_stop_at_any_point_gives_a_valid_answer_after_one_more_call_at_most(
    long: Desk, mode: str, question: str
) -> None:
    long.oracle.standalone = lambda question, answer, follow_up: follow_up
    whole, polls, _ = ask(long, mode, question)
    assert polls > 1
    for stop_at in range(polls):
        answer, _, calls = ask(long, mode, question, stop_at)
        assert calls <= 1
        assert_valid(answer, long.library)
        assert answer.status == "partial" or answer.text == whole.text


@pytest.mark.parametrize(("mode", "question"), CASES)
def test_an_interrupt_within_any_call_gives_a_valid_answer_and_loses_nothing(
    long: Desk, mode: str, question: str
) -> None:
    whole = long.ask(question, mode=mode, fresh=True)
    total = len(long.oracle.calls)
    for interrupted_at in range(total):
        calls = count()

        def interrupt(name: str, calls=calls, interrupted_at=interrupted_at) -> None:
            if next(calls) == interrupted_at:
                raise KeyboardInterrupt

        long.oracle = Oracle(before=interrupt)
        answer = long.ask(question, mode=mode, fresh=True)
        assert answer.status == "partial"
        assert_valid(answer, long.library)
    long.oracle = Oracle()
    assert long.ask(question, mode=mode).text == whole.text


def test_a_damaged_library_is_no_answer(long: Desk) -> None:
    """A bug or a full disk must not look like a partial answer."""

    def fail(scores: object) -> None:
        raise sqlite3.OperationalError("disk full")

    long.library.save_scores = fail
    with pytest.raises(sqlite3.OperationalError):
        long.ask(ABSENT, mode="read")
