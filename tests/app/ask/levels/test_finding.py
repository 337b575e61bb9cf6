"""Findings: which is better, what remains of one, and several as one."""

from app.ask.answer import Citation, Sentence
from app.ask.documents.document import Place
from app.ask.levels.finding import Finding, better, joined, strict


def citation(number: int, start: int) -> Citation:
    return Citation(
        number, 1, "a.txt", Place("line", 1, "", 1), start, start + 9, "It rained", "exact", 100.0
    )


NONE = Finding("read", not_found=True)
GUESS = Finding("read", (Sentence("It snowed.", ()),))
SUPPORTED = Finding("read", (Sentence("It rained.", (1,)), Sentence("So it was wet.", ())), (citation(1, 5),))


def test_a_supported_answer_is_better_than_a_guess_and_that_better_than_none() -> None:
    for worse, good in ((NONE, GUESS), (GUESS, SUPPORTED), (NONE, SUPPORTED)):
        assert better(worse, good) is good
        assert better(good, worse) is good
    assert better(None, NONE) is NONE


def test_of_two_equally_good_answers_the_newer_knew_more() -> None:
    newer = Finding("read", GUESS.sentences)
    assert better(GUESS, newer) is newer


def test_strict_keeps_what_is_supported_and_finds_nothing_where_nothing_is() -> None:
    assert [sentence.text for sentence in strict(SUPPORTED).sentences] == ["It rained."]
    assert strict(GUESS).not_found
    chain = Finding("reason", (Sentence("Not in the document: Who?", ()),), not_found=True)
    assert strict(chain) is chain


def test_joined_findings_number_each_quote_and_say_each_sentence_once() -> None:
    other = Finding(
        "read",
        (Sentence("It rained.", (1,)), Sentence("The mill burned.", (2, 1))),
        (citation(1, 40), citation(2, 5)),
    )
    both = joined("digest", [SUPPORTED, other])
    assert [(one.number, one.start) for one in both.citations] == [(1, 5), (2, 40)]
    assert both.sentences == (
        Sentence("It rained.", (1, 2)),
        Sentence("So it was wet.", ()),
        Sentence("The mill burned.", (1, 2)),
    )
    assert both.supported
    assert not joined("digest", [NONE, GUESS]).supported
