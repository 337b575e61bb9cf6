"""A perfect reader of chronicles, without weights: what is wrong with it in place is wrong elsewhere.

It knows the grammar of the facts and of the questions, sees only what a model would be shown, and
replies as the bundled model is trained to.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.ask import prompts
from app.ask.answer import Usage
from app.ask.passage import Passage
from app.ask.roles.protocol import Kind, OnText, Sizes
from app.eval.hints import HINTS
from qwen2_mlx.tokenizer import Tokenizer

#: About those of `tiny`.
SIZES = Sizes(chunk=64, overlap=9, evidence=230, window=250, whole=270)

_LABELS = "secret code|birth year|home town|trade|teacher"
_NAME = "[A-Z][a-z]+ [A-Z][a-z]+"
_SENTENCE = re.compile(rf"[^.\n\f]*[Tt]he ({_LABELS}) of ({_NAME}) is ({_NAME}|\w+)\.")
_CHAIN = re.compile(rf"({_LABELS}) (?:of|does the text give for) ((?:the teacher of )*)({_NAME})")
_GROUP = re.compile(rf"(?:whose|have the) ({_LABELS}) (?:is )?(\w+)")
_LABEL = re.compile(rf"({_LABELS})")


@dataclass(frozen=True)
class _Found:
    label: str
    name: str
    value: str
    start: int
    end: int

    def said(self, number: int) -> str:
        return f"The {self.label} of {self.name} is {self.value} [{number}]."


def _facts(text: str) -> Iterator[_Found]:
    for match in _SENTENCE.finditer(text):
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        yield _Found(match[1], match[2], match[3], start, match.end())


class Oracle:
    """All roles; `usage` counts prompts with a real tokenizer."""

    def __init__(self, tokenizer: Tokenizer, sizes: Sizes = SIZES):
        self.tokenizer, self.sizes, self.usage = tokenizer, sizes, Usage()
        self.model_name = self.scout_name = self.scout_id = "oracle"

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))

    def kind(self, question: str) -> Kind:
        self._prompted(prompts.kind(question))
        if _GROUP.search(question):
            return "global"
        match = _CHAIN.search(question)
        return "hops" if match and match[2] else "lookup"

    def keywords(self, question: str) -> list[str]:
        self._prompted(prompts.keywords(question))
        if trade := _trade(question):
            return [trade, "trade"]
        match = _CHAIN.search(question)
        return [match[3], match[1]] if match else []

    def standalone(self, question: str, answer: str, follow_up: str) -> str:
        self._prompted(prompts.standalone(question, answer, follow_up))
        old = _CHAIN.search(question)
        if _CHAIN.search(follow_up) or not old:
            return follow_up
        label, name = (
            _LABEL.search(follow_up),
            re.search(rf"\b(?!And )({_NAME})", follow_up.replace("And ", "")),
        )
        return f"What is the {label[1] if label else old[1]} of {name[1] if name else old[3]}?"

    def first(self, question: str) -> str:
        self._prompted(prompts.first(question))
        match = _CHAIN.search(question)
        return f"Who is the teacher of {match[3]}?" if match and match[2] else question

    def resolve(self, finding: str, question: str) -> str:
        self._prompted(prompts.resolve(finding, question))
        (fact,) = _facts(finding)
        return question.replace(f"the teacher of {fact.name}", fact.value)

    def answer(self, question: str, parts: Sequence[Passage], on_text: OnText | None = None) -> str:
        self._prompted(prompts.answer([part.text for part in parts], question))
        known = [(number, fact) for number, part in enumerate(parts, 1) for fact in _facts(part.text)]
        return self._reply(question, known)

    def answer_whole(self, question: str, document: Passage, on_text: OnText | None = None) -> str:
        self._prompted(prompts.whole_document(document.text, question))
        return re.sub(r" \[1\]", "", self._reply(question, [(1, fact) for fact in _facts(document.text)]))

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        for window in windows:
            self._prompted(prompts.relevance(window.text, question))
        return [3.0 if self._wanted(question, list(_facts(w.text))) else -3.0 for w in windows]

    def relevance_rows(self, windows: Sequence[Passage]) -> int:
        return 1

    def notes(self, question: str, window: Passage) -> list[Passage]:
        self._prompted(prompts.notes(window.text, question))
        return [window.span(f.start, f.end) for f in self._wanted(question, list(_facts(window.text)))]

    def quote(self, statement: str, part: Passage) -> Passage | None:
        self._prompted(prompts.quote(part.text, statement))
        said = list(_facts(statement))
        for fact in _facts(part.text):
            if any((fact.label, fact.name, fact.value) == (s.label, s.name, s.value) for s in said):
                return part.span(fact.start, fact.end)
        return None

    def _reply(self, question: str, known: list[tuple[int, _Found]]) -> str:
        match = _CHAIN.search(question)
        if match and match[2] and not _GROUP.search(question):
            return self._chain(match, known)
        wanted = {id(fact) for fact in self._wanted(question, [fact for _, fact in known])}
        said = [fact.said(number) for number, fact in known if id(fact) in wanted]
        if said:
            return " ".join(said)
        return f"The {match[1]} of {match[3]} is not in the document." if match else prompts.NOT_FOUND

    def _chain(self, match: re.Match[str], known: list[tuple[int, _Found]]) -> str:
        name, said = match[3], []
        for label in ["teacher"] * match[2].count("teacher") + [match[1]]:
            step = next(((n, f) for n, f in known if (f.label, f.name) == (label, name)), None)
            if step is None:
                return " ".join([*said, f"The {label} of {name} is not in the document."])
            said.append(step[1].said(step[0]))
            name = step[1].value
        return " ".join(said)

    def _wanted(self, question: str, facts: Sequence[_Found]) -> list[_Found]:
        if trade := _trade(question):
            return [fact for fact in facts if (fact.label, fact.value) == ("trade", trade)]
        if group := _GROUP.search(question):
            return [fact for fact in facts if (fact.label, fact.value) == (group[1], group[2])]
        match = _CHAIN.search(question)
        if not match or match[2]:
            return []
        return [fact for fact in facts if (fact.label, fact.name) == (match[1], match[3])]

    def _prompted(self, prompt: str) -> None:
        ids = self.tokenizer.encode_chat([{"role": "user", "content": prompt}])
        self.usage += Usage(len(ids), 0, 1)


def _trade(question: str) -> str | None:
    return next((trade for trade, hints in HINTS.items() if any(hint in question for hint in hints)), None)
