"""The ladder: which level answers, and when a slower one is tried."""

import pytest

from app.ask.events import Draft, Escalation, Read, Text, Working
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import (
    ABSENT,
    CHAIN,
    COUNT,
    FACTS,
    LIST,
    LOOKUP,
    OTHER_POTTER,
    OVERVIEW,
    PARAPHRASE,
    TEACHERS_TRADE,
    TOWN,
    TRADE,
)
from tests.app.ask.levels.writing import chronicle


@pytest.fixture
def long(desk: Desk) -> Desk:
    desk.take(400)
    return desk


@pytest.mark.parametrize(
    ("question", "mode", "quotes"),
    [
        (LOOKUP, "retrieve", {TRADE}),
        (PARAPHRASE, "retrieve", {TEACHERS_TRADE, OTHER_POTTER}),
        (CHAIN, "reason", {FACTS[1], TEACHERS_TRADE}),
        (COUNT, "digest", {TEACHERS_TRADE, OTHER_POTTER}),
        (LIST, "digest", {TEACHERS_TRADE, OTHER_POTTER}),
        (OVERVIEW, "digest", set(FACTS)),
    ],
)
def test_each_kind_of_question_is_answered_by_its_level(
    long: Desk, question: str, mode: str, quotes: set[str]
) -> None:
    answer = long.ask(question)
    assert (answer.status, answer.mode) == ("found", mode)
    assert {citation.quote for citation in answer.citations} == quotes
    assert_valid(answer, long.library)


def test_an_unsupported_answer_is_followed_by_reading(long: Desk) -> None:
    long.oracle.keywords = lambda question: []
    answer = long.ask(PARAPHRASE)
    assert (answer.status, answer.mode) == ("found", "read")
    assert answer.citations[0].quote == TEACHERS_TRADE
    assert answer.escalations == ("read: a search found no answer",)


def test_what_may_take_long_is_announced_before_it_begins_with_a_time(long: Desk) -> None:
    long.ask(ABSENT)
    (escalation,) = long.happened(Escalation)
    assert escalation.mode == "read"
    assert escalation.seconds > 0
    assert long.events.index(escalation) < next(
        at for at, event in enumerate(long.events) if isinstance(event, Read)
    )


def test_a_reading_is_announced_with_a_time_even_if_nothing_was_measured_before(
    long: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long.library, "search", lambda *query: [])  # so that the scout has rated nothing
    long.ask(ABSENT)
    (escalation,) = long.happened(Escalation)
    assert escalation.seconds > 0
    reads = long.happened(Read)
    assert len(reads) == len({(read.start, read.end) for read in reads})


def test_an_answer_about_somebody_of_whom_the_evidence_does_not_speak_is_none(long: Desk) -> None:
    long.oracle.answer = lambda question, parts, on_text=None: "The trade of Krepan Sholdri is baker [1]."
    assert long.ask("What is the trade of Krepan Sholdri?", mode="retrieve").status == "not_found"
    long.oracle.answer = lambda question, parts, on_text=None: "It must have been a baker [1]."
    assert long.ask(ABSENT, mode="retrieve").status == "unverified"


def test_a_digest_is_announced_with_a_time(long: Desk) -> None:
    long.ask(COUNT)
    (escalation,) = long.happened(Escalation)
    assert escalation.mode == "digest"
    assert escalation.seconds > 0
    assert long.oracle.calls.count("notes") == long.ask(COUNT).coverage.windows


def test_an_unverified_answer_is_shown_before_the_search_goes_on(long: Desk) -> None:
    answers = iter(["He was a weaver, I think.", "Perhaps."])
    oracle_answer = long.oracle.answer
    long.oracle.answer = lambda question, parts, on_text=None: (
        next(answers, None) or oracle_answer(question, parts, on_text)
    )
    answer = long.ask(LOOKUP)
    first = long.happened(Draft)[0]
    assert (first.answer.status, first.answer.mode) == ("unverified", "retrieve")
    assert long.events.index(first) < long.events.index(long.happened(Escalation)[0])
    assert answer.escalations == ("read: no quote supports the answer",)
    assert (answer.status, answer.mode) == ("found", "read")


def test_an_absent_fact_is_not_found_after_everything_was_read(long: Desk) -> None:
    answer = long.ask(ABSENT)
    assert (answer.status, answer.text) == ("not_found", "Not in the document.")
    coverage = answer.coverage
    assert coverage.windows_read == coverage.windows > 1
    assert coverage.tokens_read == coverage.tokens
    assert_valid(answer, long.library)


@pytest.mark.parametrize("question", [ABSENT, COUNT, LIST])
def test_no_time_means_no_slower_level(long: Desk, question: str) -> None:
    answer = long.ask(question, max_time=0.0)
    assert answer.mode == "retrieve"
    assert answer.status == ("not_found" if question == ABSENT else "found")
    assert not answer.escalations
    assert not long.happened(Escalation)
    assert "notes" not in long.oracle.calls
    assert answer.coverage.windows == 0


def test_a_follow_up_is_made_to_stand_alone_first(long: Desk) -> None:
    answer = long.ask("And of Bralin Kotor?", previous=("What is the home town of Morvan Telun?", "Unknown."))
    assert long.oracle.calls[0] == "standalone"
    assert answer.question == "And of Bralin Kotor?"
    assert answer.standalone == "What is the home town of Bralin Kotor?"
    assert answer.citations[0].quote == TOWN


def test_a_question_that_is_asked_again_stands_alone_already(long: Desk) -> None:
    assert long.ask(LOOKUP, previous=(LOOKUP, "Unknown.")).standalone == LOOKUP
    assert "standalone" not in long.oracle.calls


def test_a_first_question_is_taken_as_it_is(long: Desk) -> None:
    assert long.ask(LOOKUP).standalone == LOOKUP
    assert "standalone" not in long.oracle.calls


@pytest.mark.parametrize("mode", ["auto", "retrieve", "read"])
def test_both_sides_of_a_conflict_are_in_evidence_and_answer(desk: Desk, mode: str) -> None:
    other = "People say that the trade of Morvan Telun is baker."
    desk.put(chronicle([TRADE, TOWN, other], 400))
    answer = desk.ask(LOOKUP, mode=mode)
    assert [citation.quote for citation in answer.citations] == [TRADE, other]
    shown = " ".join(part.text for part in answer.evidence)
    assert TRADE in shown
    assert other in shown


def test_the_one_document_of_many_that_holds_the_answer_is_named(desk: Desk) -> None:
    for number in range(12):
        desk.put(chronicle([TRADE] if number == 7 else [TOWN], 60, number), f"{number}.txt")
    answer = desk.ask(LOOKUP)
    assert [citation.name for citation in answer.citations] == ["7.txt"]
    assert_valid(answer, desk.library)


def test_a_document_that_is_named_twice_is_searched_once(long: Desk) -> None:
    long.files *= 2
    answer = long.ask(ABSENT)
    assert answer.coverage == Desk.ask(long, ABSENT).coverage
    assert len(long.happened(Read)) == answer.coverage.windows
    assert_valid(answer, long.library)


def test_a_wrong_kind_does_not_hide_the_answer(long: Desk) -> None:
    for kind in ("lookup", "hops", "global"):
        long.oracle.kinds = kind
        assert [citation.quote for citation in long.ask(LOOKUP).citations] == [TRADE]


def test_pieces_of_the_answer_are_told_before_it_is_checked(long: Desk) -> None:
    long.ask(LOOKUP)
    pieces = "".join(event.text for event in long.happened(Text))
    assert pieces.startswith("The trade of Morvan Telun is weaver")


def test_pieces_reach_a_listener_while_the_model_speaks(long: Desk) -> None:
    from app.ask.agent import Agent

    heard: list[object] = []
    spoken: list[int] = []
    answer = long.oracle.answer

    def slow_answer(question, parts, on_text=None):
        reply = answer(question, parts, on_text)
        spoken.append(sum(isinstance(event, Text) for event in heard))
        return reply

    long.oracle.answer = slow_answer
    agent = Agent(long.library, long.oracle, on_event=heard.append)
    yielded = list(agent.ask(LOOKUP, long.files))
    assert spoken[0] > 1
    assert not any(isinstance(event, Text) for event in yielded)


def test_every_answer_says_what_it_cost(long: Desk) -> None:
    answer = long.ask(ABSENT)
    assert answer.usage.prefilled > answer.coverage.tokens
    assert answer.usage.generated > 0
    assert {"question", "keywords", "search", "answer", "reading"} <= set(answer.seconds)
    again = long.ask(LOOKUP)
    assert again.usage.prefilled < answer.usage.prefilled / 10


def test_warnings_of_the_documents_come_with_the_answer(desk: Desk) -> None:
    from dataclasses import replace

    from tests.app.ask.levels.writing import document

    scan = replace(document(chronicle([TRADE], 3)), warnings=("2 pages have no text layer: 4-5",))
    desk.files.append(desk.library.add(scan, None))
    assert desk.ask(LOOKUP).warnings == ("chronicle.txt: 2 pages have no text layer: 4-5",)


def test_strict_leaves_out_what_no_quote_supports(long: Desk) -> None:
    said = long.oracle.answer
    long.oracle.answer = lambda question, parts, on_text=None: (
        said(question, parts, on_text) + " He was born in Ostavia in 1777."
    )
    assert len(long.ask(LOOKUP).sentences) == 2
    answer = long.ask(LOOKUP, strict=True)
    assert [sentence.text for sentence in answer.sentences] == [TRADE]
    assert "1777" not in answer.text


def test_progress_names_stage_and_unit(long: Desk) -> None:
    long.ask(ABSENT)
    stages = {(event.stage, event.unit) for event in long.happened(Working)}
    assert {("searching", "searches"), ("reading", "windows"), ("rating", "passages")} <= stages
    reading = [event for event in long.happened(Working) if event.stage == "reading"]
    assert [event.done for event in reading] == sorted(event.done for event in reading)
    assert reading[-1].done == reading[-1].total
