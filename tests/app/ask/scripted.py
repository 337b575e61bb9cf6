"""An engine that says what a test has written down, in place of models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.ask.agent import Options
from app.ask.answer import Answer, Citation, Coverage, Sentence
from app.ask.asking import Previous
from app.ask.events import Event, Final, Working
from app.ask.library import File, Library


@dataclass(frozen=True)
class Call:
    """One question as it reached the agent."""

    question: str
    files: tuple[str, ...]
    previous: Previous | None
    options: Options


#: Makes the events of an answer: the question, its documents, and whether Ctrl-C was pressed.
Script = Callable[[str, Sequence[File], Library, Callable[[], bool]], Iterator[Event]]


class ScriptedEngine:
    """Answers every question by its `script`, and remembers the calls."""

    model, scout = "scripted", "scout"

    def __init__(self, script: Script):
        self.script = script
        self.calls: list[Call] = []
        self.library: Library | None = None

    def agent(
        self, options: Options, stopped: Callable[[], bool], on_event: Callable[[Event], None]
    ) -> "ScriptedAgent":
        return ScriptedAgent(self, options, stopped)


class ScriptedAgent:
    def __init__(self, engine: ScriptedEngine, options: Options, stopped: Callable[[], bool]):
        self._engine, self._options, self._stopped = engine, options, stopped

    def prepare(self, files: Sequence[File]) -> Iterator[Event]:
        yield Working("indexing", 1, 1, "files")

    def ask(self, question: str, files: Sequence[File], previous: Previous | None = None) -> Iterator[Event]:
        names = tuple(file.name for file in files)
        self._engine.calls.append(Call(question, names, previous, self._options))
        assert self._engine.library is not None
        yield from self._engine.script(question, files, self._engine.library, self._stopped)


def quoting(question: str, files: Sequence[File], library: Library) -> Answer:
    """Answers with the first sentence of the first document."""
    file = files[0]
    text = library.passage(file.id, 0, file.characters).text
    quote = text[: text.index(".") + 1]
    citation = Citation(
        1, file.id, file.name, library.place(file.id, 0), 0, len(quote), quote, match="exact", score=100.0
    )
    return Answer(
        question,
        question,
        "found",
        f"{quote[:-1]} [1].",
        "retrieve",
        (Sentence(quote, (1,)),),
        (citation,),
        coverage=Coverage(100, 10),
    )


def found(question: str, files: Sequence[File], library: Library, _: Callable[[], bool]) -> Iterator[Event]:
    """The script of a question that is answered at once."""
    yield Final(quoting(question, files, library))


def ended(**changes: object) -> Script:
    """The script of an answer that differs from `quoting` in some fields."""

    def script(question: str, files: Sequence[File], library: Library, _: object) -> Iterator[Event]:
        yield Final(replace(quoting(question, files, library), **changes))  # type: ignore[arg-type]

    return script
