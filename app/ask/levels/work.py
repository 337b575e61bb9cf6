"""What every level works with: the question's documents, the models, the clock, and what was found so far."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.ask.answer import Mode, Usage
from app.ask.budget import Clock, window_tokens
from app.ask.events import Event, Text
from app.ask.levels.finding import Finding, better
from app.ask.levels.material import Material
from app.ask.library import File, Library, Range
from app.ask.roles.protocol import OnText, Roles
from app.ask.speeds import Speeds
from qwen2_mlx.tokenizer import Tokenizer

#: Share of a time limit that is kept for the last answer at most.
_MOST_RESERVE = 0.3


@dataclass(frozen=True)
class Options:
    """What the asker chose. `max_time` is in seconds, None for no limit, 0 for no slower level.

    `evidence` and `window` are tokens, None for what suits the model. `pages` are first and last numbers.
    `strict` leaves out sentences without a located quote; `fresh` ignores saved scores and notes.
    """

    mode: Mode = "auto"
    max_time: float | None = 300.0
    evidence: int | None = None
    window: int | None = None
    pages: tuple[tuple[int, int], ...] = ()
    strict: bool = False
    fresh: bool = False


class Models(Roles, Protocol):
    """The roles, and who plays them."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def model_name(self) -> str: ...

    @property
    def scout_name(self) -> str: ...


class Stop:
    """Whether the search was ended: once it was, it stays so."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped, self._seen = stopped, False

    def __call__(self) -> bool:
        self._seen = self._seen or self._stopped()
        return self._seen

    def now(self) -> None:
        """Ends the search."""
        self._seen = True


class Work(Material):
    """One question, and how it is worked on.

    `best` is the best answer so far. Events that cannot wait for their turn, pieces of an answer, go to
    `on_event` if it is given.
    """

    def __init__(
        self,
        question: str,
        library: Library,
        roles: Models,
        options: Options,
        files: Sequence[File],
        sets: Sequence[int],
        ranges: Sequence[Range] | None,
        clock: Clock,
        speeds: Speeds,
        stopped: Stop,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.question = self.standalone = question
        window = window_tokens(roles.sizes, options.window)
        super().__init__(library, files, sets, ranges, window, roles.count)
        self.roles, self.options = roles, options
        self.clock, self.speeds, self.stopped = clock, speeds, stopped
        self._on_event = on_event
        self.best: Finding | None = None
        self.escalations: list[str] = []
        self.aside = False  # what is being answered is not the question itself
        self._usage = roles.usage

    @property
    def evidence_tokens(self) -> int:
        """Tokens that all parts of an answer's evidence may have."""
        return self.options.evidence or self.roles.sizes.evidence

    def must_end(self) -> bool:
        """Whether the search was stopped or its time is up.

        A limit of 0 keeps slower levels from beginning, and ends none.
        """
        return self.stopped() or (self.clock.limit > 0 and self.clock.over())

    def must_answer(self) -> bool:
        """Whether the search was stopped or has no more time left than its last answer takes."""
        answering = self.speeds.answering(self.evidence_tokens) or 0.0
        limit = self.clock.limit
        return self.stopped() or (limit > 0 and self.clock.over(min(answering, _MOST_RESERVE * limit)))

    @property
    def usage(self) -> Usage:
        """What the models computed for this question."""
        return self.roles.usage - self._usage

    def streamed(self, call: Callable[[OnText], str]) -> Generator[Event, None, str]:
        """The reply of `call`, which is given a function to tell pieces of it to."""
        waiting: list[Event] = []
        tell = self._on_event or waiting.append
        if self.aside:
            return call(lambda piece: None)
        reply = call(lambda piece: tell(Text(piece)))
        yield from waiting
        return reply

    def offer(self, finding: Finding) -> bool:
        """Notes a finding as what the answer is if nothing better comes; whether it is the best so far."""
        self.best = better(self.best, finding)
        return self.best is finding
