"""Contestants, answers and model replies from a script."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.ask.answer import Citation, Sentence, Usage
from app.ask.documents.document import Place
from app.eval.ask.outcome import Outcome
from app.eval.ask.sheet import Placed
from app.eval.ask.workplace import Workplace


def citation(quote: str, page: int, number: int = 1, name: str = "chronicle.txt") -> Citation:
    return Citation(number, 1, name, Place("page", page, "", 1), 0, len(quote), quote, "exact", 100.0)


def cited(*said: tuple[str, Placed]) -> Outcome:
    """An answer each sentence of which cites the statement beside it, on its page."""
    return Outcome(
        text=" ".join(text for text, _ in said),
        sentences=tuple(Sentence(text, (number,)) for number, (text, _) in enumerate(said, 1)),
        citations=tuple(
            citation(placed.statement.sentence, placed.page, number, placed.file)
            for number, (_, placed) in enumerate(said, 1)
        ),
        status="found",
        usage=Usage(100, 20, 10),
    )


@dataclass
class Script:
    """Answers as `say` does, given a question, the texts of all files and the turn before; notes all that."""

    say: Callable[[str, str, tuple[str, str] | None], Outcome]
    asked: list[tuple[str, str, tuple[str, str] | None]] = field(default_factory=list)
    opened: list[tuple[str, Workplace]] = field(default_factory=list)

    @contextmanager
    def open(self, level: str, place: Workplace, on_share: Callable[[float], None]) -> Iterator["Script"]:
        self.opened.append((level, place))
        yield self

    def ask(self, question: str, files: Sequence[Path], previous: tuple[str, str] | None = None) -> Outcome:
        text = "\f".join(path.read_bytes().decode() for path in files)
        self.asked.append((question, text, previous))
        return self.say(question, text, previous)


@dataclass
class Voice:
    """A model that replies as `say` does to the text of the last message."""

    say: Callable[[str], str]
    usage: Usage = field(default_factory=Usage)
    heard: list[tuple[str, int | None]] = field(default_factory=list)
    conversations: list[Sequence[Mapping[str, Any]]] = field(default_factory=list)

    def count(self, text: str) -> int:
        return len(text.split())

    def reply(self, messages: Sequence[Mapping[str, Any]], max_tokens: int, seed: int | None = None) -> str:
        content = messages[-1]["content"]
        self.heard.append((content, seed))
        self.conversations.append(messages)
        self.usage += Usage(self.count(content), 0, 1)
        return self.say(content)
