"""Paraphrases share no word with the facts that answer them, not even a stem."""

import re
from random import Random

import pytest

from app.eval.chronicle import RELATIONS, Fact
from app.eval.hints import HINTS, paraphrase_question

#: Words that say nothing about what is asked.
FUNCTION_WORDS = {"a", "an", "the", "of", "is", "as", "that", "for", "on", "with", "do", "you", "who", "in"}

TRADE = RELATIONS[3]


def stems(text: str) -> set[str]:
    """The content words of `text`, cut to at most five letters and without the commonest endings."""
    words = set(re.findall(r"[a-z]+", text.lower())) - FUNCTION_WORDS
    return {re.sub(r"(ers?|ing|ies|es|s|ed|y|e)$", "", word)[:5] for word in words}


def questions(trade: str) -> set[str]:
    return {paraphrase_question(Random(seed), trade) for seed in range(80)}


def test_every_trade_that_the_grammar_draws_has_hints() -> None:
    drawn = {TRADE.value(Random(seed)) for seed in range(500)}
    assert drawn == set(HINTS)


@pytest.mark.parametrize("trade", sorted(HINTS))
def test_a_question_shares_no_content_word_with_any_statement(trade: str) -> None:
    fact = Fact(TRADE, "Morvan Telun", trade)
    statements = {fact.sentence(Random(seed)) for seed in range(40)}
    assert len(statements) == 3
    for question in questions(trade):
        for statement in statements:
            assert not stems(question) & stems(statement), (question, statement)


def test_no_two_trades_have_a_hint_in_common() -> None:
    hints = [hint for trade in HINTS.values() for hint in trade]
    assert len(hints) == len(set(hints))


def test_a_trade_is_asked_for_in_several_ways() -> None:
    assert min(len(questions(trade)) for trade in HINTS) >= 6
