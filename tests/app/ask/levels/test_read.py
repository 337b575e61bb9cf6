"""Reading everything: scores that stay, the best first, an answer at any time."""

from collections.abc import Callable
from itertools import count

import pytest

from app.ask.events import Draft, Read, Working
from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import ABSENT, LOOKUP, PARAPHRASE, TEACHERS_TRADE, TRADE
from tests.app.ask.levels.oracle import Oracle
from tests.app.ask.levels.writing import chronicle


@pytest.fixture
def long(desk: Desk) -> Desk:
    desk.take(1000)
    return desk


def ticking(desk: Desk, seconds: float) -> Callable[[], float]:
    """A clock that a call of any model takes forward by so many seconds."""
    now = [0.0]

    def tick(name: str) -> None:
        now[0] += seconds

    desk.oracle.before = tick
    return lambda: now[0]


def test_a_fact_that_no_word_leads_to_is_found(long: Desk) -> None:
    answer = long.ask(PARAPHRASE, mode="read")
    assert (answer.status, answer.mode) == ("found", "read")
    assert answer.citations[0].quote == TEACHERS_TRADE
    assert_valid(answer, long.library)


def test_windows_that_a_search_finds_are_read_first(long: Desk) -> None:
    long.ask(LOOKUP, mode="read")
    (file,) = long.files
    fact = long.library.passage(file.id, 0, file.characters).text.index(TRADE)
    first = long.happened(Read)[: long.oracle.rows]
    assert any(read.start <= fact < read.end for read in first)


def test_reading_ends_when_a_supported_answer_stays_the_best(long: Desk) -> None:
    answer = long.ask(LOOKUP, mode="read")
    assert answer.status == "found"
    assert 0.1 * answer.coverage.windows < answer.coverage.windows_read < 0.3 * answer.coverage.windows


def test_every_window_is_reported_once_with_its_score(long: Desk) -> None:
    answer = long.ask(ABSENT, mode="read")
    reads = long.happened(Read)
    assert len({(read.start, read.end) for read in reads}) == len(reads) == answer.coverage.windows
    assert all(read.score < 0 for read in reads)
    best = [read for read in long.happened(Read) if read.score > 0]
    assert not best


def test_an_answer_is_shown_as_soon_as_a_window_says_yes(long: Desk) -> None:
    long.ask(PARAPHRASE, mode="read")
    draft = long.events.index(long.happened(Draft)[0])
    first = next(at for at, event in enumerate(long.events) if isinstance(event, Read) and event.score > 0)
    reads_between = [event for event in long.events[first:draft] if isinstance(event, Read)]
    assert len(reads_between) <= long.oracle.rows
    assert long.happened(Draft)[0].answer.citations[0].quote == TEACHERS_TRADE


def test_the_best_place_so_far_is_shown_as_people_read_it(long: Desk) -> None:
    long.ask(LOOKUP, mode="read")
    reading = [event for event in long.happened(Working) if event.stage == "reading"]
    (file,) = long.files
    fact = long.library.passage(file.id, 0, file.characters).text.index(TRADE)
    window = next(read for read in long.happened(Read) if read.start <= fact < read.end)
    assert reading[-1].best == f"1000.txt, {long.library.place(file.id, window.start)}"


def test_scores_are_kept_for_the_same_question_and_text(long: Desk) -> None:
    first = long.ask(PARAPHRASE, mode="read")
    scored = len(long.oracle.scored)
    again = long.ask(PARAPHRASE, mode="read")
    assert again.text == first.text
    new = {(window.start, window.end) for window in long.oracle.scored[scored:]}
    assert not new & {(window.start, window.end) for window in long.oracle.scored[:scored]}


def test_a_question_that_was_read_to_the_end_is_read_again_without_a_model(long: Desk) -> None:
    long.ask(ABSENT, mode="read")
    scored = len(long.oracle.scored)
    answer = long.ask(ABSENT, mode="read")
    assert len(long.oracle.scored) == scored
    assert answer.coverage.windows_read == answer.coverage.windows
    assert answer.coverage.tokens_read == answer.coverage.tokens
    assert len(long.happened(Read)) == answer.coverage.windows


def test_another_scout_or_question_scores_for_itself(long: Desk) -> None:
    long.ask(ABSENT, mode="read")
    scored = len(long.oracle.scored)
    long.oracle.scout_id = "oracle-2"
    long.ask(ABSENT, mode="read")
    assert len(long.oracle.scored) == 2 * scored
    long.ask("What is the home town of Nobody Here?", mode="read")
    assert len(long.oracle.scored) > 2.9 * scored


def test_fresh_scores_everything_anew(long: Desk) -> None:
    long.ask(ABSENT, mode="read")
    scored = len(long.oracle.scored)
    long.ask(ABSENT, mode="read", fresh=True)
    assert len(long.oracle.scored) == 2 * scored


def test_of_an_edited_document_only_what_changed_is_read_again(desk: Desk) -> None:
    text = chronicle([], 1000)
    desk.put(text)
    first = desk.ask(ABSENT, mode="read")
    scored = len(desk.oracle.scored)
    desk.files.clear()
    desk.put(text + " Some words were added.")
    desk.ask(ABSENT, mode="read")
    assert 1 <= len(desk.oracle.scored) - scored <= 3 + first.coverage.windows // 10


@pytest.mark.parametrize("limit", [1.0, 10.0, 25.0, 60.0])
def test_the_limit_is_kept_within_one_call_of_the_scout(long: Desk, limit: float) -> None:
    long.oracle = Oracle(rows=1)
    now = ticking(long, 1.0)
    answer = long.ask(ABSENT, mode="read", max_time=limit, now=now)
    assert long.oracle.calls.count("relevance") <= limit + 1
    if answer.coverage.windows_read < answer.coverage.windows:
        assert (answer.status, answer.text) == ("partial", "Not in the part that was read.")
    assert_valid(answer, long.library)


def test_at_the_limit_the_best_windows_so_far_answer(long: Desk) -> None:
    long.oracle = Oracle(rows=1)
    answer = long.ask(LOOKUP, mode="read", max_time=4.0, now=ticking(long, 1.0))
    assert answer.status == "partial"
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert answer.coverage.windows_read < answer.coverage.windows


@pytest.mark.parametrize("limit", [3.0, 8.0, 20.0])
@pytest.mark.parametrize("mode", ["auto", "read", "retrieve", "reason"])
def test_the_limit_is_kept_where_windows_exceed_the_evidence(desk: Desk, mode: str, limit: float) -> None:
    """Passages of the best windows are rated only while there is time for it."""
    question = "Who met Morvan Telun near the harbour, the mill and the bridge?"
    desk.put(chronicle([TRADE, TEACHERS_TRADE], 2000))
    desk.oracle = Oracle(rows=1)
    desk.oracle._score = lambda question, window: 1.0
    desk.oracle.answer = lambda question, parts, on_text=None: desk.oracle._called("answer", question) or ""
    answer = desk.ask(question, mode=mode, window=2000, max_time=limit, now=ticking(desk, 1.0))
    assert len(desk.oracle.calls) <= limit + 2
    assert answer.status == "partial"


def test_a_stop_is_obeyed_before_the_next_call_and_answers_from_the_best(long: Desk) -> None:
    answer = long.ask(PARAPHRASE, mode="read", stopped=lambda: "answer" in long.oracle.calls)
    assert answer.status == "partial"
    assert answer.coverage.windows_read < answer.coverage.windows
    assert answer.citations[0].quote == TEACHERS_TRADE
    assert long.oracle.calls[-1] == "answer"
    assert_valid(answer, long.library)


def test_a_stop_before_any_answer_makes_one_from_the_best_windows(long: Desk) -> None:
    answer = long.ask(LOOKUP, mode="read", stopped=lambda: "relevance" in long.oracle.calls)
    assert long.oracle.calls == ["relevance", "answer"]
    assert (answer.status, answer.coverage.windows_read) == ("partial", long.oracle.rows)
    assert [citation.quote for citation in answer.citations] == [TRADE]


def test_a_scout_that_says_no_to_everything_still_ranks(long: Desk) -> None:
    long.oracle.blind = True
    long.oracle._score = lambda question, window: -1.0 if TRADE in window.text else -2.0
    answer = long.ask(LOOKUP, mode="read")
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert answer.coverage.windows_read == answer.coverage.windows


def test_what_neither_scout_nor_quote_speaks_for_is_not_found(long: Desk) -> None:
    long.oracle.answer = lambda question, parts, on_text=None: "It may have been a baker."
    answer = long.ask(ABSENT, mode="read")
    assert (answer.status, answer.text) == ("not_found", "Not in the document.")
    long.oracle._score = lambda question, window: 1.0
    assert long.ask("Who was it?", mode="read").status == "unverified"


def test_evidence_is_the_best_part_of_windows_that_exceed_it(desk: Desk) -> None:
    desk.put(chronicle([TEACHERS_TRADE], 2000))
    answer = desk.ask(PARAPHRASE, mode="read", window=2000)
    assert [citation.quote for citation in answer.citations] == [TEACHERS_TRADE]
    assert sum(desk.oracle.count(part.text) for part in answer.evidence) <= desk.oracle.sizes.evidence


def test_a_window_too_small_for_a_passage_is_refused(long: Desk) -> None:
    with pytest.raises(Qwen2Error, match="a window of 63 tokens holds no passage; give --window 64 or more"):
        long.ask(LOOKUP, window=63)
    assert long.ask(LOOKUP, mode="read", window=64).status == "found"


def test_only_a_few_texts_are_in_memory_at_once(long: Desk) -> None:
    given: list[int] = []
    rows = long.oracle.relevance_rows
    long.oracle.relevance_rows = lambda windows: given.append(len(windows)) or rows(windows)
    long.ask(ABSENT, mode="read")
    assert max(given) <= 16


def test_answers_are_tried_now_and_then_not_at_every_window(long: Desk) -> None:
    """A scout that says yes to everything must not have every window answered."""
    long.oracle = Oracle(rows=1)
    scores = count()
    long.oracle._score = lambda question, window: 1.0 + next(scores) / 1e4  # each better than the last
    answer = long.ask(ABSENT, mode="read")
    assert answer.status == "not_found"
    assert 10 < long.oracle.calls.count("answer") <= 22 < answer.coverage.windows
