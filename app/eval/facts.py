"""How often a model answers right about facts in a text, and how often it makes one up.

Chronicles with known facts are written by the seeded grammar and fill most of the
model's trained length. Half of the questions ask for a fact that stands in the text;
the other half ask for one that does not. An answer counts only if it is exact.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from app.ask.not_found import says_not_found
from app.ask.prompts import whole_document
from app.eval.chronicle import TRAINING_SEEDS, Fact, absent_fact, filler_sentence, invent_facts, weave
from qwen2_mlx.models import Model
from qwen2_mlx.session import ChatSession
from qwen2_mlx.tokenizer import Tokenizer

#: Tokens of the trained length that a document leaves for the answer.
ANSWER_ROOM = 32

FACTS_A_DOCUMENT = 8
QUESTIONS_A_DOCUMENT = 5  # of each kind; the document's cache serves them all


@dataclass(frozen=True)
class Question:
    """A question, the one right answer, and whether the text holds it."""

    text: str
    answer: str
    present: bool
    relation: str


@dataclass
class Score:
    """Counts of questions asked and answered, by kind."""

    asked: int = 0
    exact: int = 0
    absent_asked: int = 0
    false_answers: int = 0
    wrong: list[tuple[Question, str]] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """Share of facts in the text that were stated exactly."""
        return self.exact / self.asked if self.asked else 0.0

    @property
    def false_rate(self) -> float:
        """Share of facts not in the text for which something else than "not found" was said."""
        return self.false_answers / self.absent_asked if self.absent_asked else 0.0

    def add(self, question: Question, answer: str) -> None:
        if question.present:
            right = answer.strip() == question.answer
            self.asked += 1
            self.exact += right
        else:
            right = says_not_found(answer)
            self.absent_asked += 1
            self.false_answers += not right
        if not right:
            self.wrong.append((question, answer))


def evaluate(model: Model, tokenizer: Tokenizer, questions: int, seed: int) -> Iterator[Score]:
    """Asks `questions` of each kind; yields the running score after every document."""
    score = Score()
    session = ChatSession(model, tokenizer, max_tokens=ANSWER_ROOM)
    room = model.args.trained_length - ANSWER_ROOM
    while score.asked < questions:
        rng = Random(TRAINING_SEEDS + seed)  # never one of the training seeds
        seed += 1
        document, asked = write_document(rng, tokenizer, room)
        for question in asked:
            session.messages[:] = []
            events = session.send(whole_document(document, question.text), temperature=0.0)
            score.add(question, "".join(event.text for event in events))
        yield score


def write_document(rng: Random, tokenizer: Tokenizer, length: int) -> tuple[str, list[Question]]:
    """A document whose prompts are at most `length` tokens, and its questions, both kinds in turn."""
    facts = invent_facts(rng, FACTS_A_DOCUMENT)
    stated = [fact.sentence(rng) for fact in facts]
    questions = []
    for fact in rng.sample(facts, QUESTIONS_A_DOCUMENT):
        missing = absent_fact(rng, facts)
        questions += [_question(rng, fact, True), _question(rng, missing, False)]

    longest = max((question.text for question in questions), key=len)
    filler: list[str] = []
    while True:
        document = weave(Random(rng.random()), stated, filler)
        content = whole_document(document, longest)
        left = length - len(tokenizer.encode_chat([{"role": "user", "content": content}]))
        sentence = filler_sentence(rng)
        if left < len(tokenizer.encode(f" {sentence}")) + 4:
            return document, questions
        filler.append(sentence)


def _question(rng: Random, fact: Fact, present: bool) -> Question:
    return Question(
        fact.question(rng), fact.answer if present else fact.missing, present, fact.relation.label
    )
