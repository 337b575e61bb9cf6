"""Answers questions about documents, however long they are: one level of the ladder after another."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from app.ask.answer import Mode
from app.ask.budget import Clock
from app.ask.chunking import Cutter
from app.ask.events import Draft, Event, Final, Working
from app.ask.levels.assembly import assembled
from app.ask.levels.auto import auto
from app.ask.levels.digest import digest
from app.ask.levels.finding import Better, Finding, Happening, better
from app.ask.levels.pages import ranges_of
from app.ask.levels.read import Reader
from app.ask.levels.reason import reason
from app.ask.levels.retrieve import retrieve
from app.ask.levels.search_plan import earlier_chunks
from app.ask.levels.whole import whole
from app.ask.levels.words import same_question
from app.ask.levels.work import Models, Options, Stop, Work
from app.ask.library import Chunk, File, Library
from app.ask.speeds import Speeds

__all__ = ["Agent", "Options"]


class Agent:
    """One asker's models and documents.

    `stopped` is looked at between calls of the models: once it is true, the best answer so far is the
    last event. Events that cannot wait until a call is over, pieces of an answer and the progress of
    indexing, are handed to `on_event` at once if it is given, and are then not yielded.
    """

    def __init__(
        self,
        library: Library,
        roles: Models,
        options: Options = Options(),  # noqa: B008 - frozen
        stopped: Callable[[], bool] = lambda: False,
        *,
        on_event: Callable[[Event], None] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._library, self._roles, self._options = library, roles, options
        self._stopped, self._on_event, self._now = stopped, on_event, now
        self._cutter = Cutter(roles.tokenizer, roles.sizes.chunk, roles.sizes.overlap)

    def prepare(self, files: Sequence[File]) -> Generator[Event, None, list[int]]:
        """Cuts and indexes what is not yet, and returns the chunk sets.

        Interrupted, it goes on where it was the next time.
        """
        sets: list[int] = []
        for file in files:
            waiting: list[Event] = []
            tell = self._on_event or waiting.append

            def progress(done: int, total: int, name: str = file.name, tell=tell) -> None:
                tell(Working("indexing", done, total, "characters", best=name))

            sets.append(self._library.cut(file.id, self._cutter, progress))
            yield from waiting
        return sets

    def ask(
        self, question: str, files: Sequence[File], previous: tuple[str, str] | None = None
    ) -> Generator[Event, None, None]:
        """Answers; the last event is `Final`. `previous` is a standalone question and its answer.

        A KeyboardInterrupt within a model's call ends the search as `stopped` does.
        """
        files = list({file.id: file for file in files}.values())
        work = self._work(question, files, (yield from self.prepare(files)))
        try:
            finding = yield from self._shown(work, self._answered(work, previous))
        except KeyboardInterrupt:
            finding = replace(work.best or Finding(_level(self._options)), complete=False)
        finally:
            work.speeds.save()
        yield Final(assembled(work, finding))

    def _work(self, question: str, files: Sequence[File], sets: Sequence[int]) -> Work:
        return Work(
            question,
            self._library,
            self._roles,
            self._options,
            files,
            sets,
            ranges_of(self._library, files, self._options.pages),
            Clock(self._options.max_time, self._now),
            Speeds(self._library, self._roles.model_name, self._roles.scout_name),
            Stop(self._stopped),
            self._on_event,
        )

    def _answered(self, work: Work, previous: tuple[str, str] | None) -> Generator[Happening, None, Finding]:
        """What the chosen level finds for the question, which stands alone from here on."""
        if not work.chunks:
            return Finding(_level(self._options), not_found=True)
        carried: list[Chunk] = []
        if previous and not same_question(previous[0], work.question) and not work.stopped():
            yield Working("thinking", 0, 1, "questions")
            with work.clock.stage("question"):
                work.standalone = self._roles.standalone(*previous, work.question)
            carried = earlier_chunks(work, previous[1])
        match self._options.mode:
            case "auto":
                level = auto(work, work.standalone, carried)
            case "whole":
                level = whole(work, work.standalone)
            case "retrieve":
                level = retrieve(work, work.standalone, carried)
            case "read":
                level = Reader(work, work.standalone).run()
            case "reason":
                level = reason(work, work.standalone)
            case "digest":
                level = digest(work, work.standalone)
        return (yield from level)

    def _shown(
        self, work: Work, level: Generator[Happening, None, Finding]
    ) -> Generator[Event, None, Finding]:
        """The events of a level, what it has found so far as drafts, and the best of it in the end."""
        while True:
            try:
                happening = next(level)
            except StopIteration as end:
                finding: Finding = end.value
                return finding if finding.complete else replace(better(work.best, finding), complete=False)
            if not isinstance(happening, Better):
                yield happening
            elif work.offer(happening.finding) and happening.finding.rank:
                yield Draft(assembled(work, happening.finding))


def _level(options: Options) -> Mode:
    """The level that stands for an answer that no level gave."""
    return "retrieve" if options.mode == "auto" else options.mode
