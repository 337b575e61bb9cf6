"""Questions about all of the text: notes of every window, counted by us."""

from itertools import count

import pytest

from app.ask.events import Working
from app.ask.passage import Passage
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import COUNT, FACTS, LIST, OTHER_POTTER, OVERVIEW, TEACHERS_TRADE
from tests.app.ask.levels.oracle import Oracle
from tests.app.ask.levels.test_read import ticking
from tests.app.ask.levels.writing import chronicle


def potters(number: int) -> list[str]:
    names = [
        f"{first}{last}" for first in ("Ana", "Ben", "Cor", "Dil", "Eno") for last in ("no", "ka", "ri", "to")
    ]
    return [f"The trade of {name} Telun is potter." for name in names[:number]]


@pytest.mark.parametrize("number", [1, 2, 10, 20])
def test_a_count_is_the_number_of_sentences_that_say_so(desk: Desk, number: int) -> None:
    desk.put(chronicle([*potters(number), *FACTS[3:4]], 400), pages=True)
    answer = desk.ask(COUNT, mode="digest")
    said = "1 sentence says so" if number == 1 else f"{number} sentences say so"
    assert answer.text.startswith(said)
    assert "answer" not in desk.oracle.calls
    assert [citation.quote for citation in answer.citations] == potters(number)
    assert answer.sentences[0].citations == tuple(range(1, number + 1))
    assert_valid(answer, desk.library)


def test_a_short_count_lists_what_was_counted(desk: Desk) -> None:
    desk.put(chronicle(potters(3), 400))
    answer = desk.ask(COUNT, mode="digest")
    assert [sentence.text for sentence in answer.sentences[1:]] == potters(3)
    desk.files.clear()
    desk.put(chronicle(potters(20), 400), "more.txt")
    assert len(desk.ask(COUNT, mode="digest").sentences) == 1


def test_a_list_is_answered_in_groups_that_fit_the_evidence(desk: Desk) -> None:
    desk.put(chronicle(potters(20), 400))
    answer = desk.ask(LIST, mode="digest")
    assert desk.oracle.calls.count("answer") > 1
    for parts in desk.oracle.shown:
        assert sum(desk.oracle.count(part.text) for part in parts) <= desk.oracle.sizes.evidence
    assert [sentence.text for sentence in answer.sentences] == potters(20)
    assert [citation.number for citation in answer.citations] == list(range(1, 21))
    assert_valid(answer, desk.library)


def test_a_list_misses_no_note_that_the_model_leaves_out(desk: Desk) -> None:
    answered = desk.oracle.answer
    desk.oracle.answer = lambda question, parts, on_text=None: answered(question, parts[:-1])
    desk.put(chronicle(potters(4), 400))
    answer = desk.ask(LIST, mode="digest")
    assert sorted(sentence.text for sentence in answer.sentences) == sorted(potters(4))
    assert [citation.number for citation in answer.citations] == [1, 2, 3, 4]
    assert_valid(answer, desk.library)


def test_a_sentence_in_two_windows_or_said_twice_counts_once(desk: Desk) -> None:
    said = potters(3)
    desk.put(chronicle([*said, *said[:2]], 300))
    desk.put(chronicle(said[:1], 100, 1), "again.txt")
    answer = desk.ask(COUNT, mode="digest")
    assert answer.text.startswith("3 sentences say so")


def test_a_sentence_of_which_one_window_shows_less_counts_once(desk: Desk) -> None:
    names = [
        f"{one}{two}" for one in ("Ana", "Ben", "Cor", "Dil", "Eno") for two in "no ka ri to le ma".split()
    ]
    desk.put(chronicle([f"The trade of {name} Telun is potter." for name in names], 120))
    noted = desk.oracle.notes

    def notes(question: str, window: Passage) -> list[Passage]:
        found = noted(question, window)
        early = [note for note in found if note.start - window.start < 300]
        return [note.span(4, len(note.text)) if note in early and window.start else note for note in found]

    desk.oracle.notes = notes
    assert desk.ask(COUNT, mode="digest").text.startswith("30 sentences say so")


def test_notes_are_taken_once(desk: Desk) -> None:
    desk.take(400)
    first = desk.ask(LIST, mode="digest")
    windows = desk.oracle.calls.count("notes")
    assert windows == first.coverage.windows
    again = desk.ask(LIST, mode="digest")
    assert desk.oracle.calls.count("notes") == windows
    assert again.text == first.text
    desk.ask(LIST, mode="digest", fresh=True)
    assert desk.oracle.calls.count("notes") == 2 * windows


def test_notes_of_a_text_stay_true_where_it_has_moved(desk: Desk) -> None:
    text = chronicle(FACTS, 400)
    desk.put(text)
    desk.ask(LIST, mode="digest")
    desk.files.clear()
    desk.put(text + " " + chronicle([], 40, 5), "longer.txt")
    answer = desk.ask(LIST, mode="digest")
    assert {citation.quote for citation in answer.citations} == {TEACHERS_TRADE, OTHER_POTTER}
    assert {citation.name for citation in answer.citations} == {"longer.txt"}
    assert_valid(answer, desk.library)


def test_windows_that_a_search_finds_come_first_when_time_is_short(desk: Desk) -> None:
    desk.take(1000)
    answer = desk.ask(COUNT, max_time=9.0, now=ticking(desk, 1.0))
    assert answer.status == "partial"
    assert answer.text.startswith("At least 2 sentences say so")
    assert answer.coverage.windows_read <= 10 < answer.coverage.windows
    assert_valid(answer, desk.library)


def test_a_stop_gives_the_notes_so_far_without_another_call(desk: Desk) -> None:
    desk.take(400)
    polls = count()
    answer = desk.ask(LIST, mode="digest", stopped=lambda: next(polls) > 4)
    assert answer.status == "partial"
    assert {citation.quote for citation in answer.citations} == {TEACHERS_TRADE, OTHER_POTTER}
    assert desk.oracle.calls == ["notes"] * desk.oracle.calls.count("notes")
    assert_valid(answer, desk.library)


@pytest.mark.parametrize("answers", [-5, 4])
def test_answers_from_many_notes_end_at_the_limit(desk: Desk, answers: int) -> None:
    """The limit falls among the windows, or among the answers from groups of their notes."""
    desk.put(chronicle(potters(20), 400))
    desk.ask(LIST, mode="digest", evidence=64)
    assert desk.oracle.calls.count("answer") > 6
    limit = float(desk.oracle.calls.count("notes") + answers)
    desk.oracle = Oracle()
    answer = desk.ask(LIST, mode="digest", evidence=64, max_time=limit, fresh=True, now=ticking(desk, 1.0))
    assert answer.status == "partial"
    assert len(desk.oracle.calls) <= limit + 1
    assert answer.citations
    assert_valid(answer, desk.library)


def test_notes_that_are_said_twice_are_listed_where_they_stand_first(desk: Desk) -> None:
    said = potters(3)
    desk.put(chronicle([*said, said[0]], 300))
    answer = desk.ask(COUNT, mode="digest")
    assert [citation.quote for citation in answer.citations] == said


def test_an_interrupt_keeps_the_notes_that_were_taken(desk: Desk) -> None:
    desk.take(400)
    calls = count()

    def interrupt(name: str) -> None:
        if next(calls) == 4:
            raise KeyboardInterrupt

    desk.oracle.before = interrupt
    answer = desk.ask(COUNT, mode="digest")
    assert answer.status == "partial"
    assert answer.text.startswith("At least 2 sentences say so")


def test_nothing_to_count_is_not_found(desk: Desk) -> None:
    desk.put(chronicle(FACTS[:2], 400))
    answer = desk.ask(COUNT)
    assert (answer.status, answer.text) == ("not_found", "Not in the document.")
    assert answer.coverage.windows_read == answer.coverage.windows


def test_an_overview_without_notes_is_answered_from_the_beginnings(desk: Desk) -> None:
    desk.put(FACTS[0] + " " + chronicle([], 400))
    desk.oracle.notes = lambda question, window: []
    desk.oracle.keywords = lambda question: []
    answer = desk.ask(OVERVIEW)
    assert (answer.status, answer.mode) == ("found", "retrieve")


def test_progress_says_how_many_were_found_and_how_long_it_takes(desk: Desk) -> None:
    desk.take(400)
    desk.ask(LIST, mode="digest")
    last = [event for event in desk.happened(Working) if event.stage == "taking notes"][-1]
    assert (last.done, last.best, last.left) == (last.total, "2 found", 0.0)
