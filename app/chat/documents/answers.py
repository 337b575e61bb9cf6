"""An answer from documents on its way into a message: what is shown, and what is stored in the end."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.ask.answer import Answer
from app.ask.answer import Citation as Located
from app.ask.events import Draft, Escalation, Event, Final, Read, Step, Text, Working
from app.ask.lines import one_line
from app.ask.not_found import NOT_YET
from app.ask.prompts import NOT_FOUND
from app.chat.session.changes import (
    Change,
    CitationsChanged,
    MessageChanged,
    Notice,
    Progress,
    TextAdded,
    WindowsRead,
)
from app.chat.store.records import Citation, Reading, State
from app.eval.progress import duration
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.ask.library import File
    from app.chat.store import Store

#: Windows that are stored at once at most.
_BATCH = 64

#: How an answer ended, by the reason that the engine gives.
_STATES: dict[str, State] = {"stopped": "stopped", "error": "error"}


@dataclass(frozen=True)
class Outcome:
    """Arguments of `Store.finish_answer`."""

    state: State
    content: str
    document: dict[str, Any]
    citations: tuple[Citation, ...]


@dataclass
class Answered:
    """The answer `message` about `files`, by their ids, while it is being found."""

    store: "Store"
    message: int
    files: "Mapping[int, File]"
    best: Answer | None = None
    is_final: bool = False
    _text: str = ""
    _reads: list[Reading] = field(default_factory=list)
    _done: int = 0
    _total: int = 0
    _unsaved: bool = False

    @property
    def line(self) -> str:
        """ "read 53 of 122 windows · best so far"."""
        parts = [f"read {self._done:,} of {self._total:,} windows"] if self._total else []
        if self.best and not self.is_final:
            parts.append("best so far")
        return " · ".join(parts)

    def told(self, event: Event) -> list[Change]:
        """What an event changes, in order."""
        if isinstance(event, Read):
            self._reads.append(Reading(event.file, event.start, event.end, event.score))
            return self._stored_reads() if len(self._reads) >= _BATCH else []
        changes = self._stored_reads()
        match event:
            case Working():
                changes += self._working(event)
            case Text(text):
                changes += self._written(text)
            case Step(number, hop):
                found = one_line(hop.finding) or "nothing found"
                changes.append(Notice(f"step {number}: {one_line(hop.question)} {found}"))
            case Escalation(mode, reason, seconds):
                changes += [*self._cleared(), Progress(f"going on with {mode}", left=seconds)]
                changes.append(Notice(_going_on(mode, reason, seconds)))
            case Draft(answer):
                changes += self._improved(answer)
            case Final(answer):
                self.best, self.is_final = answer, True
                citations = self._citations(answer)
                changes.append(CitationsChanged(self.message, citations, best_so_far=False))
        return changes

    def outcome(self, reason: str) -> Outcome:
        """How the answer is stored, whether or not its search came to an end."""
        self._stored_reads()
        state = _STATES.get(reason, "complete")
        if self.best is None:
            return Outcome(state, self._text, {"status": "partial"}, ())
        document = described(self.best, self.files)
        if not self.is_final:
            document["status"] = "partial"
        return Outcome(state, text_of(self.best), document, self._citations(self.best))

    def _working(self, event: Working) -> list[Change]:
        """A reply begins where the stage is "answering": what was shown of the one before goes."""
        cleared = self._cleared() if event.stage == "answering" else []
        if event.unit == "windows":
            self._done, self._total = event.done, event.total
        return [*cleared, _progress(event)]

    def _written(self, text: str) -> list[Change]:
        """Pieces of a reply are shown while there is no checked answer that they would spoil."""
        if self.best is not None:
            return []
        self._text += text
        return [TextAdded(self.message, text)]

    def _cleared(self) -> list[Change]:
        if not self._text or self.best is not None:
            return []
        self._text = ""
        return [MessageChanged(replace(self.store.message(self.message), content=""))]

    def _improved(self, answer: Answer) -> list[Change]:
        self.best, self._text = answer, ""
        citations = self._citations(answer)
        message = replace(
            self.store.message(self.message),
            content=text_of(answer),
            citations=citations,
            document=described(answer, self.files),
        )
        return [MessageChanged(message), CitationsChanged(self.message, citations, best_so_far=True)]

    def _stored_reads(self) -> list[Change]:
        """Stores what was read since the last time."""
        if not self._reads:
            return []
        readings = tuple(self._reads)
        self._reads.clear()
        changes: list[Change] = [WindowsRead(self.message, readings)]
        try:
            self.store.add_readings(self.message, readings)
        except Qwen2Error as error:  # a full disk: the answer goes on without it
            if not self._unsaved:
                changes.append(Notice(f"what was read is not kept with the answer: {error}", "error"))
            self._unsaved = True
        return changes

    def _citations(self, answer: Answer) -> tuple[Citation, ...]:
        return tuple(self._citation(one) for one in answer.citations)

    def _citation(self, one: Located) -> Citation:
        file = self.files.get(one.file)
        return Citation(
            one.number,
            one.file,
            file.sha256 if file else "",
            one.name,
            str(one.place),
            one.start,
            one.end,
            one.quote,
            one.match,
            one.score,
        )


def text_of(answer: Answer) -> str:
    """The answer with its marks; that something was not found comes with how much was read."""
    text = answer.text.strip()
    coverage = answer.coverage
    if text not in (NOT_FOUND, NOT_YET):
        return text
    if coverage.windows:
        read = f"read {coverage.windows_read:,} of {coverage.windows:,} windows"
    else:
        read = f"read {coverage.tokens_read:,} of {coverage.tokens:,} tokens"
    return f"{text.rstrip('.')} ({read})."


def described(answer: Answer, files: "Mapping[int, File]") -> dict[str, Any]:
    """What a message keeps of an answer besides its text and citations; plain values."""
    return {
        "status": answer.status,
        "mode": answer.mode,
        "question": answer.question,
        "standalone": answer.standalone,
        "coverage": asdict(answer.coverage),
        "dropped": answer.dropped,
        "hops": [asdict(hop) for hop in answer.hops],
        "escalations": list(answer.escalations),
        "usage": asdict(answer.usage),
        "seconds": {stage: round(value, 3) for stage, value in answer.seconds.items()},
        "warnings": list(answer.warnings),
        "files": [{"file": file.id, "sha256": file.sha256, "name": file.name} for file in files.values()],
    }


def _progress(event: Working) -> Progress:
    if event.total <= 1:
        return Progress(event.stage, left=event.left)
    what = event.best if event.unit == "characters" else event.unit  # of the indexing of a file
    return Progress(one_line(f"{event.stage} {what}"), event.done, event.total, event.left)


def _going_on(mode: str, reason: str, seconds: float | None) -> str:
    """ "no part of the evidence says so; going on with read, about 3:10 (Esc keeps the answer so far)"."""
    time_needed = "" if seconds is None else f", about {duration(seconds)}"
    return f"{one_line(reason)}; going on with {mode}{time_needed} (Esc keeps the answer so far)"
