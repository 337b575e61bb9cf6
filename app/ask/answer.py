"""What `qwen2-ask` finds out: sentences, the quotes that support them, and how much was read."""

from dataclasses import dataclass, field
from typing import Literal

from app.ask.documents.document import Place
from app.ask.passage import Passage

#: `whole` to `digest` are the levels of the ladder, `auto` climbs it.
Mode = Literal["auto", "whole", "retrieve", "read", "reason", "digest"]

#: `found`: at least one sentence is supported by a located quote. `unverified`: answered, but no quote
#: was located, or the scout found the answer in no passage. `partial`: a limit or an interrupt ended the
#: search before it was complete.
Status = Literal["found", "unverified", "not_found", "partial"]


@dataclass(frozen=True)
class Citation:
    """A quote that was located in a document.

    `start` and `end` are characters of the document's text and `quote` is what stands there. `match`
    says how it was located: "exact", or "fuzzy" with `score` in percent below 100.
    """

    number: int
    file: int
    name: str
    place: Place
    start: int
    end: int
    quote: str
    match: Literal["exact", "fuzzy"]
    score: float


@dataclass(frozen=True)
class Sentence:
    """A sentence of an answer without its marks, and the numbers of the citations that support it."""

    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True)
class Coverage:
    """How much of the documents was looked at, in tokens and in windows of the reading level."""

    tokens: int
    tokens_read: int
    windows: int = 0
    windows_read: int = 0


@dataclass(frozen=True)
class Usage:
    """Tokens that models computed as prompts, took from stored prefixes, and generated."""

    prefilled: int = 0
    reused: int = 0
    generated: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prefilled + other.prefilled,
            self.reused + other.reused,
            self.generated + other.generated,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prefilled - other.prefilled,
            self.reused - other.reused,
            self.generated - other.generated,
        )


@dataclass(frozen=True)
class Hop:
    """One step of reasoning: a sub-question and the sentence found for it ("" where there was none)."""

    question: str
    finding: str


@dataclass(frozen=True)
class Answer:
    """An answer as it stands now; a later one for the same question may be better.

    `text` is what people read, its sentences ending in marks like [1] that name citations. `dropped`
    counts quotes that could not be located or do not support their sentence. `escalations` are one-line
    reasons why another level was tried; `seconds` is time by stage.
    """

    question: str
    standalone: str
    status: Status
    text: str
    mode: Mode
    sentences: tuple[Sentence, ...] = ()
    citations: tuple[Citation, ...] = ()
    dropped: int = 0
    evidence: tuple[Passage, ...] = ()
    hops: tuple[Hop, ...] = ()
    escalations: tuple[str, ...] = ()
    coverage: Coverage = Coverage(0, 0)
    usage: Usage = Usage()
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
