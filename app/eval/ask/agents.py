"""`qwen2-ask` as a contestant, in one of its modes, and as a plain search for the question's words."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import mlx.core as mx

from app.ask.agent import Agent, Options
from app.ask.answer import Answer, Mode
from app.ask.documents.read import read_document
from app.ask.events import Event, Final, Working
from app.ask.levels.work import Models
from app.ask.library import File, Library
from app.ask.marks import without_marks
from app.ask.passage import Passage
from app.ask.roles.open import open_roles
from app.eval.ask.outcome import Outcome
from app.eval.ask.setup import Setup
from app.eval.ask.workplace import Workplace
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.settings import size_limit

#: Told the share of a question that is done, from 0 to 1, as far as that is known.
OnShare = Callable[[float], None]


class AgentContestant:
    """The document agent with a library and models of its own."""

    def __init__(self, library: Library, roles: Models, options: Options, on_share: OnShare):
        self._library, self._on_share = library, on_share
        self._agent = Agent(library, roles, options)

    def ask(self, question: str, files: Sequence[Path], previous: tuple[str, str] | None = None) -> Outcome:
        began = time.perf_counter()
        stored = prepared(self._library, self._agent, files)
        answer = self._final(self._agent.ask(question, stored, previous))
        return outcome_of(answer, time.perf_counter() - began)

    def _final(self, events: Iterator[Event]) -> Answer:
        for event in events:
            if isinstance(event, Working) and event.total:
                self._on_share(event.done / event.total)
            elif isinstance(event, Final):
                return event.answer
        raise RuntimeError("the agent ended without a final answer")


def prepared(library: Library, agent: Agent, files: Sequence[Path]) -> list[File]:
    """The files as the library holds them; what is new or changed is read and indexed."""
    stored = [library.find(path) or library.add(read_document(path), path) for path in files]
    for _ in agent.prepare(stored):
        pass
    return stored


def outcome_of(answer: Answer, seconds: float) -> Outcome:
    """What evaluations look at in an answer."""
    return Outcome(
        text=without_marks(answer.text),
        sentences=answer.sentences,
        citations=answer.citations,
        dropped=answer.dropped,
        status=answer.status,
        standalone=answer.standalone,
        usage=answer.usage,
        seconds=seconds,
        read=answer.coverage.tokens_read,
        trail=(
            *(f"-> {reason}" for reason in answer.escalations),
            *(f"{hop.question} = {hop.finding}" for hop in answer.hops),
        ),
    )


@contextmanager
def open_agent(
    mode: Mode, setup: Setup, place: Workplace, on_share: OnShare, plain: bool = False
) -> Iterator[AgentContestant]:
    """The agent in one mode on a workplace; `plain`: it searches for the question's words only."""
    mx.clear_cache()  # of whoever was asked before
    library_of_its_own = place.prepared(lambda path: index(path, setup, place))
    folder = Folder(place.new_folder(f"{mode}-prefixes"), size_limit())
    with Library.open(library_of_its_own) as library:
        opened = _open_roles(setup, folder)
        roles = _question_words_only(opened) if plain else opened
        yield AgentContestant(library, roles, Options(mode=mode, max_time=setup.max_time), on_share)


def index(path: Path, setup: Setup, place: Workplace) -> None:
    """Reads and indexes the files of a workplace into a new library."""
    with Library.open(path) as library:
        prepared(library, Agent(library, _open_roles(setup, None)), place.files)


def _open_roles(setup: Setup, prefixes: Folder | None) -> Models:
    return open_roles(
        setup.model,
        setup.scout,
        rope="auto",
        kv_bits="auto",
        memory_limit=setup.memory_limit,
        max_tokens=setup.max_tokens,
        prefixes=prefixes,
        notify=lambda message: None,
    )


class _QuestionWords:
    """Roles that add no word to those of a question, and rate no passage."""

    def __init__(self, roles: Models):
        self._roles = roles

    def __getattr__(self, name: str) -> Any:
        return getattr(self._roles, name)

    def keywords(self, question: str) -> list[str]:
        return []

    def relevance(self, question: str, windows: Sequence[Passage]) -> list[float]:
        return [0.0] * len(windows)


def _question_words_only(roles: Models) -> Models:
    return cast(Models, _QuestionWords(roles))
