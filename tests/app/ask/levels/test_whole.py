"""Documents that fit the model as they are."""

import pytest

from qwen2_mlx.errors import Qwen2Error
from tests.app.ask.levels.checks import assert_valid
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import ABSENT, FACTS, LOOKUP, TOWN, TRADE
from tests.app.ask.levels.writing import chronicle


@pytest.mark.parametrize("mode", ["auto", "whole"])
def test_what_fits_is_one_prompt_and_its_answer_is_cited(desk: Desk, mode: str) -> None:
    desk.put(chronicle([TRADE, TOWN], 3))
    answer = desk.ask(LOOKUP, mode=mode)
    assert desk.oracle.calls == ["answer_whole"]
    assert (answer.status, answer.mode) == ("found", "whole")
    assert [citation.quote for citation in answer.citations] == [TRADE]
    assert answer.coverage.tokens_read == answer.coverage.tokens > 0
    assert_valid(answer, desk.library)


def test_an_absent_fact_is_not_found_after_one_prompt(desk: Desk) -> None:
    desk.put(chronicle([TRADE], 3))
    answer = desk.ask(ABSENT)
    assert (answer.status, answer.text) == ("not_found", "Not in the document.")
    assert desk.oracle.calls == ["answer_whole"]


def test_small_documents_are_shown_together_one_part_each(desk: Desk) -> None:
    desk.put(TOWN, "first.txt")
    desk.put(TRADE, "second.txt")
    answer = desk.ask(LOOKUP)
    assert desk.oracle.calls == ["answer"]
    assert [part.text for part in desk.oracle.shown[0]] == [TOWN, TRADE]
    assert (answer.mode, answer.citations[0].name) == ("whole", "second.txt")
    assert_valid(answer, desk.library)


def test_what_does_not_fit_is_refused_with_a_way_out(desk: Desk) -> None:
    desk.put(chronicle(FACTS, 60))
    with pytest.raises(Qwen2Error, match=r"tokens and this model takes 290 as a whole; use --mode auto"):
        desk.ask(LOOKUP, mode="whole")


def test_an_empty_document_holds_no_answer(desk: Desk) -> None:
    desk.put("")
    answer = desk.ask(LOOKUP)
    assert answer.status == "not_found"
    assert desk.oracle.calls == []
