"""Roles that know how facts are stated, and nothing else: what they are shown decides what they say."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

from app.ask.answer import Usage
from app.ask.passage import Passage
from app.ask.prompts import NOT_FOUND
from app.ask.roles.protocol import Kind, OnText, Sizes
from app.eval.hints import HINTS
from qwen2_mlx.resolve import resolve
from qwen2_mlx.tokenizer import Tokenizer

SIZES = Sizes(chunk=64, overlap=9, evidence=230, window=272, whole=290)

_NAME = r"[A-Z][a-z]+ [A-Z][a-z]+"
_LABEL = r"secret code|birth year|home town|trade|teacher"
_FACT = re.compile(rf"[Tt]he ({_LABEL}) of ({_NAME}) is ({_NAME}|\w+)\.")
_LOOKUP = re.compile(rf"\b({_LABEL})\b.*?\b(?:of|for) (?:the \w+ of )*({_NAME})")
_LINK = re.compile(rf"the (teacher) of ({_NAME})")
_VALUE = re.compile(rf"({_LABEL}) (?:is )?(\w+)[.?]$")


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_folder(resolve("tiny"))


@dataclass
class Fact:
    """A fact where it stands in a passage."""

    label: str
    name: str
    value: str
    start: int
    end: int
    text: str


def facts_in(text: str) -> list[Fact]:
    found = []
    for match in _FACT.finditer(text):
        ends = (text.rfind(end, 0, match.start()) for end in (". ", ".\n"))
        start = max((end + 2 for end in ends if end >= 0), default=0)
        found.append(Fact(match[1], match[2], match[3], start, match.end(), text[start : match.end()]))
    return found


@dataclass
class Oracle:
    """Plays all roles. `calls` names every call in order; `before` is told each name ahead of it.

    `seconds` is what a call of the scout takes. `blind` has the scout say no to everything.
    """

    sizes: Sizes = SIZES
    rows: int = 4
    seconds: float = 0.0
    blind: bool = False
    kinds: Kind | None = None
    before: Callable[[str], None] = lambda name: None
    model_name: str = "oracle"
    scout_name: str = "little oracle"
    scout_id: str = "oracle-1"
    usage: Usage = field(default_factory=Usage)
    calls: list[str] = field(default_factory=list)
    scored: list[Passage] = field(default_factory=list)
    shown: list[tuple[Passage, ...]] = field(default_factory=list)

    @property
    def tokenizer(self) -> Tokenizer:
        return tokenizer()

    def count(self, text: str) -> int:
        return len(tokenizer().encode(text))

    def kind(self, question: str) -> Kind:
        self._called("kind", question)
        if self.kinds:
            return self.kinds
        if re.search(r"How many|all the people|everybody|about\?", question):
            return "global"
        return "hops" if "of the teacher of" in question else "lookup"

    def keywords(self, question: str) -> list[str]:
        self._called("keywords", question)
        return [
            *(trade for trade, hints in HINTS.items() if any(hint in question for hint in hints)),
            "trade",
        ]

    def standalone(self, question: str, answer: str, follow_up: str) -> str:
        self._called("standalone", follow_up)
        if name := re.search(_NAME, follow_up.removeprefix("And ").removeprefix("What about ")):
            return re.sub(_NAME, name[0], question)
        label = re.search(_LABEL, follow_up)
        return re.sub(_LABEL, label[0], question) if label else follow_up

    def first(self, question: str) -> str:
        self._called("first", question)
        link = _LINK.search(question)
        return (
            f"Who is {link[0]}?"
            if link and not question.startswith("Who is the teacher of " + link[2])
            else question
        )

    def resolve(self, finding: str, question: str) -> str:
        self._called("resolve", question)
        fact = facts_in(finding)[0]
        return question.replace(f"the {fact.label} of {fact.name}", fact.value)

    def answer(self, question: str, parts: Sequence[Passage], on_text: OnText | None = None) -> str:
        self._called("answer", question, *parts)
        self.shown.append(tuple(parts))
        found = [(number, fact) for number, part in enumerate(parts, 1) for fact in facts_in(part.text)]
        said = [f"{fact.text[:-1]} [{number}]." for number, fact in self._wanted(question, found)]
        return self._said(" ".join(said) or NOT_FOUND, on_text)

    def answer_whole(self, question: str, document: Passage, on_text: OnText | None = None) -> str:
        self._called("answer_whole", question, document)
        self.shown.append((document,))
        wanted = self._wanted(question, [(1, fact) for fact in facts_in(document.text)])
        return self._said(" ".join(fact.text for _, fact in wanted) or NOT_FOUND, on_text)

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        self._called("relevance", question, *windows)
        self._take_time()
        self.scored += windows
        return [self._score(question, window) for window in windows]

    def relevance_rows(self, windows: Sequence[Passage]) -> int:
        return self.rows

    def notes(self, question: str, window: Passage) -> list[Passage]:
        self._called("notes", question, window)
        self._take_time()
        self.scored.append(window)
        wanted = self._wanted(question, [(1, fact) for fact in facts_in(window.text)])
        return [window.span(fact.start, fact.end) for _, fact in wanted]

    def quote(self, statement: str, part: Passage) -> Passage | None:
        self._called("quote", statement, part)
        return None

    def _called(self, name: str, question: str, *texts: Passage) -> None:
        self.before(name)
        self.calls.append(name)
        characters = len(question) + sum(len(text.text) for text in texts)
        self.usage += Usage(prefilled=characters // 2, generated=10)

    def _take_time(self) -> None:
        if self.seconds:
            time.sleep(self.seconds)

    def _score(self, question: str, window: Passage) -> float:
        found = self._wanted(question, [(1, fact) for fact in facts_in(window.text)])
        noise = len(window.text) % 100 / 100
        return noise + (5.0 if found and not self.blind else -5.0)

    def _said(self, reply: str, on_text: OnText | None) -> str:
        for word in re.findall(r"\S+\s*", reply):
            if on_text:
                on_text(word)
        return reply

    def _wanted(self, question: str, found: list[tuple[int, Fact]]) -> list[tuple[int, Fact]]:
        """The facts that a question asks for, all links of a chain or none."""
        for trade, hints in HINTS.items():
            if any(hint in question for hint in hints):
                return [one for one in found if one[1].label == "trade" and one[1].value == trade]
        if re.search(r"How many|all the people|everybody", question):
            wanted = _VALUE.search(question)
            return [one for one in found if wanted and (one[1].label, one[1].value) == wanted.groups()]
        if question.endswith("about?"):
            return found
        return self._chained(question, found)

    def _chained(self, question: str, found: list[tuple[int, Fact]]) -> list[tuple[int, Fact]]:
        asked = _LOOKUP.search(question)
        if not asked:
            return []
        links = question.count("of the teacher of")
        name, chain = asked[2], []
        for _ in range(links):
            step = [one for one in found if (one[1].label, one[1].name) == ("teacher", name)]
            if not step:
                return []
            chain.append(step[0])
            name = step[0][1].value
        last = [one for one in found if (one[1].label, one[1].name) == (asked[1], name)]
        return [*chain, *last] if last else []
