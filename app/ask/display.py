"""An answer as people read it: on stdout the text and its citations, on stderr what it rests on."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from app.ask.answer import Answer, Citation
from app.ask.events import Read
from app.ask.lines import one_line, shorten
from app.ask.marks import without_marks
from app.cli import clean
from app.eval.progress import duration

if TYPE_CHECKING:
    from app.ask.library import File, Library

#: Columns of a quote; the whole of it is in the JSON output.
_QUOTE = 200
_EVIDENCE = 160
#: Characters shown before and after a citation.
_AROUND = 600
_MOST_SCORES = 10


def answer_lines(answer: Answer, cite: str, stream: TextIO | None = None) -> Iterator[str]:
    """The answer, then its citations as `cite` ("quote", "page" or "none") asks, for `stream` or stdout."""
    text = clean(answer.text).strip()
    yield text if cite != "none" else without_marks(text)
    if cite == "none" or not answer.citations:
        return
    dim = _dim(stream or sys.stdout)
    yield ""
    for citation in answer.citations:
        yield dim(citation_line(citation, with_quote=cite == "quote"))


def show(answer: Answer, cite: str) -> None:
    """Prints an answer to stdout."""
    for line in answer_lines(answer, cite):
        print(line)
    sys.stdout.flush()


def citation_line(citation: Citation, with_quote: bool = True) -> str:
    """`[1] report.pdf, page 318 (xii): "short quote"`."""
    where = f"[{citation.number}] {one_line(citation.name)}, {one_line(str(citation.place))}"
    return f'{where}: "{shorten(citation.quote, _QUOTE)}"' if with_quote else where


def summary(answer: Answer, seconds: float) -> str:
    """One line: what was found, by which level, how much of the documents was read, and how long it took."""
    coverage = answer.coverage
    read = f"{coverage.tokens_read:,} of {coverage.tokens:,} tokens read"
    if coverage.windows:
        read += f" ({coverage.windows_read:,} of {coverage.windows:,} windows)"
    parts = [_STATUS[answer.status], answer.mode, read, duration(seconds)]
    if answer.dropped:
        parts.insert(1, _counted(answer.dropped, "unsupported quote") + " left out")
    return " | ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


_STATUS = {
    "found": "verified",
    "unverified": "not verified: check it",
    "not_found": "not found",
    "partial": "incomplete",
}


def evidence_lines(answer: Answer, library: "Library", reads: Sequence[Read]) -> Iterator[str]:
    """What the answer was made from, and the windows that the reader scored best."""
    for passage in answer.evidence:
        where = _where(library, passage.file, passage.start)
        yield f"evidence: {where}: {shorten(passage.text, _EVIDENCE)}"
    best = sorted(reads, key=lambda read: read.score, reverse=True)[:_MOST_SCORES]
    for read in best:
        yield f"score {read.score:+.2f}: {_where(library, read.file, read.start)}"
    for reason in answer.escalations:
        yield f"escalated: {one_line(reason)}"


def sources_lines(files: "Sequence[File]") -> Iterator[str]:
    """The documents, with their sizes."""
    for file in files:
        yield f"{one_line(file.name)}  {file.kind}, {file.characters:,} characters"


def as_markdown(answers: Sequence[Answer]) -> str:
    """A conversation: each question as a heading, its answer below it, then its citations as a list."""
    parts = []
    for answer in answers:
        parts.append(f"## {one_line(answer.question)}\n")
        parts.append(f"{clean(answer.text).strip()}\n")
        if answer.citations:
            parts.append("".join(f"- {citation_line(citation)}\n" for citation in answer.citations))
    return "\n".join(parts)


def page_lines(citation: Citation, library: "Library") -> Iterator[str]:
    """What stands around a citation: the lines before and after it, the cited ones marked."""
    around = library.passage(citation.file, max(0, citation.start - _AROUND), citation.end + _AROUND)
    first, last = citation.start - around.start, citation.end - around.start
    yield f"{one_line(citation.name)}, {one_line(str(citation.place))}"
    at = 0
    for line in around.text.splitlines(keepends=True):
        cited = at < last and at + len(line) > first
        yield f"{'>' if cited else ' '} {one_line(line)}"
        at += len(line)


def _where(library: "Library", file: int, position: int) -> str:
    return one_line(f"{library.file(file).name}, {library.place(file, position)}")


def _dim(stream: TextIO) -> Callable[[str], str]:
    """Makes text dim on a terminal that shows it, unless NO_COLOR (https://no-color.org) is set."""
    plain = not stream.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return (lambda text: text) if plain else (lambda text: f"\x1b[2m{text}\x1b[0m")
