"""How good an answer is, and how good its citations are.

An answer is right when it holds the expected strings, none of the forbidden ones and nothing that would
answer the same question about somebody else, and, where one statement answers and the contestant cites,
when one of its citations lies on that statement's page. "Not in the document" is the answer only where
nothing else is said.
A citation is right when its quote holds name and value of a fact that was put into the document, on the
page it names, and the sentence that bears its number says the same: the value, or where it is a person who
is asked for the name, and no other name or value of the document or the question. A sentence that counts
may cite any fact that is counted. A sentence is covered when it bears a citation; "not in the document"
needs none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from app.ask.answer import Citation
from app.ask.marks import without_marks
from app.ask.not_found import says_not_found
from app.eval.ask.outcome import Outcome
from app.eval.ask.sheet import Asked, Placed
from app.eval.chronicle import Fact

_NAME = re.compile(r"[A-Z][a-z]+ [A-Z][a-z]+")


@dataclass(frozen=True)
class Verdict:
    """One answer judged. `page` is None where no single page is asked for or the contestant cites nothing.

    `false_answer` is None for questions that have an answer. `citations` of which `precise` are right,
    `sentences` of which `covered` bear one.
    """

    text: bool
    page: bool | None
    false_answer: bool | None
    citations: int
    precise: int
    sentences: int
    covered: int

    @property
    def right(self) -> bool:
        return self.text and self.page is not False


def judge(asked: Asked, outcome: Outcome, placed: Sequence[Placed]) -> Verdict:
    """`placed` is every statement of the documents."""
    question = asked.question
    claims = [s for s in outcome.sentences if not says_not_found(s.text)]
    cited = {citation.number: citation for citation in outcome.citations}
    pairs = [(s, cited[number]) for s in claims for number in s.citations if number in cited]
    page = None
    if len(asked.facts) == 1 and outcome.cites:
        page = any(_on_page(citation, asked.facts[0]) for _, citation in pairs)
    return Verdict(
        text=_text_is_right(asked, outcome, placed),
        page=page,
        false_answer=None if question.expected else not outcome.not_found,
        citations=len(pairs),
        precise=sum(_is_precise(asked, sentence.text, citation, placed) for sentence, citation in pairs),
        sentences=len(claims),
        covered=sum(any(number in cited for number in s.citations) for s in claims),
    )


def _text_is_right(asked: Asked, outcome: Outcome, placed: Sequence[Placed]) -> bool:
    if not asked.question.expected:
        return outcome.not_found
    said = without_marks(outcome.text)
    whole = any(all(_holds(said, part) for part in group) for group in asked.question.expected)
    return whole and not any(
        _holds(said, part) for part in {*asked.question.forbidden, *_rivals(asked, placed)}
    )


def _rivals(asked: Asked, placed: Sequence[Placed]) -> set[str]:
    """What would answer the same question about somebody else: who lists everything knows nothing."""
    fact = asked.facts[-1].statement.fact if asked.facts else None
    if fact is None:
        return set()
    expected = {part for group in asked.question.expected for part in group}
    if fact.name in expected:
        others = {other.name for other in _known(placed)}
    else:
        others = {other.value for other in _known(placed) if other.relation == fact.relation}
    return {other for other in others - expected if not _holds(asked.question.text, other)}


def _is_precise(asked: Asked, sentence: str, citation: Citation, placed: Sequence[Placed]) -> bool:
    quoted = [
        fact
        for one in placed
        if (fact := one.statement.fact) is not None
        and _on_page(citation, one)
        and _holds(citation.quote, fact.name)
        and _holds(citation.quote, fact.value)
    ]
    if not quoted:
        return False
    known = _known(placed)
    names = {*(fact.name for fact in known), *_NAME.findall(asked.question.text)}
    named = {name for name in names if _holds(sentence, name)}
    if not named and _counts(asked, sentence):
        return any(fact == one.statement.fact for fact in quoted for one in asked.facts)
    return any(_states(sentence, asked, fact, known) and (not named or fact.name in named) for fact in quoted)


def _known(placed: Sequence[Placed]) -> list[Fact]:
    return [one.statement.fact for one in placed if one.statement.fact is not None]


def _counts(asked: Asked, sentence: str) -> bool:
    """Whether a sentence says how many facts answer the question."""
    number = str(len(asked.facts))
    return (number,) in asked.question.expected and any(
        len(group) == 1 and _holds(sentence, group[0]) for group in asked.question.expected
    )


def _states(sentence: str, asked: Asked, fact: Fact, known: Sequence[Fact]) -> bool:
    """Whether a sentence gives the value of `fact`, or where that is asked for its name without another."""
    if _holds(sentence, fact.value):
        return not _holds(asked.question.text, fact.value) or _holds(sentence, fact.name)
    asks_who = any(fact.name in group for group in asked.question.expected)
    others = {other.value for other in known if other.relation == fact.relation}
    return asks_who and _holds(sentence, fact.name) and not any(_holds(sentence, value) for value in others)


def _on_page(citation: Citation, placed: Placed) -> bool:
    return (PurePath(citation.name).name, citation.place.number) == (placed.file, placed.page)


def _holds(text: str, part: str) -> bool:
    """Whether a text holds a string as whole words, whatever the case."""
    return re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text, re.IGNORECASE) is not None
