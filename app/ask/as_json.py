"""Answers and events as JSON; docs/documents.md explains every field.

Fields are only ever added. A change of what one means, or its removal, is a new `SCHEMA_VERSION`.
"""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from app.ask import events
from app.ask.answer import Answer, Citation
from app.ask.passage import Passage

if TYPE_CHECKING:
    from app.ask.library import File, Library

SCHEMA_VERSION = 1

#: Those control characters that JSON lets stand as they are.
_ESCAPES = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def dumps(value: object, indent: int | None = None) -> str:
    """JSON without any control character, whatever the documents hold: they are written as escapes."""
    return json.dumps(value, ensure_ascii=False, indent=indent).translate(_ESCAPES)


@dataclass(frozen=True)
class Context:
    """What an answer does not know of itself."""

    library: "Library"
    model: str
    scout: str
    seconds: float
    warnings: tuple[str, ...] = ()
    conversation: str | None = None


def answer_json(answer: Answer, context: Context) -> dict[str, Any]:
    """The object that `--json` prints."""
    library = context.library
    return {
        "schema_version": SCHEMA_VERSION,
        "question": answer.question,
        "standalone_question": answer.standalone,
        "status": answer.status,
        "answer": answer.text,
        "sentences": [
            {"text": sentence.text, "citations": list(sentence.citations)} for sentence in answer.sentences
        ],
        "citations": [_citation(citation, library) for citation in answer.citations],
        "dropped": answer.dropped,
        "evidence": [_evidence(passage, library) for passage in answer.evidence],
        "mode": answer.mode,
        "hops": [asdict(hop) for hop in answer.hops],
        "escalations": list(answer.escalations),
        "coverage": {
            "tokens_total": answer.coverage.tokens,
            "tokens_read": answer.coverage.tokens_read,
            "windows": answer.coverage.windows,
            "windows_read": answer.coverage.windows_read,
        },
        "tokens": asdict(answer.usage),
        "timings": {**_rounded(answer.seconds), "total": round(context.seconds, 3)},
        "model": context.model,
        "scout": context.scout,
        "conversation": context.conversation,
        "warnings": list(dict.fromkeys((*context.warnings, *answer.warnings))),
    }


def event_json(event: events.Event, library: "Library") -> dict[str, Any]:
    """The object that `--events` writes, without what belongs to the final answer alone."""
    match event:
        case events.Working():
            return {"event": "working", **asdict(event)}
        case events.Read(file, start, end, score):
            return {"event": "read", **_span(library.file(file), start, end), "score": score}
        case events.Text(text):
            return {"event": "text", "text": text}
        case events.Step(number, hop):
            return {"event": "step", "number": number, **asdict(hop)}
        case events.Escalation():
            return {"event": "escalation", **asdict(event)}
        case events.Draft(answer) | events.Final(answer):
            kind = "draft" if isinstance(event, events.Draft) else "final"
            return {"event": kind, "status": answer.status, "mode": answer.mode, "answer": answer.text}


def _citation(citation: Citation, library: "Library") -> dict[str, Any]:
    place = citation.place
    return {
        "id": citation.number,
        **_span(library.file(citation.file), citation.start, citation.end),
        "place": str(place),
        "unit": place.unit,
        "page_index": None if place.unit == "line" else place.number - 1,
        "page_label": place.label,
        "line": place.line,
        "quote": citation.quote,
        "verified": True,
        "match": citation.match,
        "match_score": citation.score,
    }


def _evidence(passage: Passage, library: "Library") -> dict[str, Any]:
    return {
        **_span(library.file(passage.file), passage.start, passage.end),
        "place": str(library.place(passage.file, passage.start)),
        "text": passage.text,
    }


def _span(file: "File", start: int, end: int) -> dict[str, Any]:
    return {
        "file": file.name,
        "path": file.path,
        "sha256": file.sha256,
        "char_start": start,
        "char_end": end,
    }


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {stage: round(value, 3) for stage, value in seconds.items()}
