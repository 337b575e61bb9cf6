"""Steps of the document benchmark, each in a process of its own so that its memory can be seen.

    python -m benchmarks.document_qa_steps '{"step": "index", ...}'

The last line of stdout is a JSON object.
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.ask.agent import Agent, Options
from app.ask.documents.read import read_document
from app.ask.events import Final
from app.ask.levels.work import Models
from app.ask.library import Library
from app.ask.passage import Passage
from app.ask.roles.open import open_roles
from app.eval.ask.peak_memory import peak_memory
from benchmarks.document_qa_script import ScriptedReader
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.tokenizer import Tokenizer

_PREFIX_BYTES = 20 * 10**9


def main() -> None:
    job = json.loads(sys.argv[1])
    result = _STEPS[job.pop("step")](**{k: Path(v) if k in _PATHS else v for k, v in job.items()})
    print(json.dumps({**result, "peak": peak_memory()}))


def index(document: Path, library: Path, model: str | None, tokenizer: str | None) -> dict[str, Any]:
    """Reads and indexes a file; seconds of both."""
    began = time.perf_counter()
    read = read_document(document)
    parsed = time.perf_counter()
    with Library.open(library) as opened:
        file = opened.add(read, document)
        del read
        added = time.perf_counter()
        roles = _roles(model, tokenizer, None)
        loaded = time.perf_counter()
        for _ in Agent(opened, roles).prepare([file]):
            pass
        done = time.perf_counter()
    return {
        "read": parsed - began,
        "stored": added - parsed,
        "loaded": loaded - added,
        "cut_and_indexed": done - loaded,
        "seconds": done - began - (loaded - added),
    }


def ask(
    document: Path,
    library: Path,
    model: str | None,
    tokenizer: str | None,
    mode: str,
    questions: Sequence[str],
    prefixes: Path | None = None,
    log: Path | None = None,
    max_time: float | None = None,
) -> dict[str, Any]:
    """Answers of one process, in turn. `log` gets a line for each window before it is scored."""
    began = time.perf_counter()
    roles = _roles(model, tokenizer, prefixes)
    if log:
        _note_windows(roles, log)
    loaded = time.perf_counter()
    answers = []
    with Library.open(library) as opened:
        for question in questions:
            start = time.perf_counter()
            file = opened.find(document)
            if file is None:
                raise SystemExit(f"{document} is not indexed or has changed")
            agent = Agent(opened, roles, Options(mode=mode, max_time=max_time))  # type: ignore[arg-type]
            answer = next(e.answer for e in agent.ask(question, [file]) if isinstance(e, Final))
            answers.append(
                {
                    "text": answer.text,
                    "pages": [citation.place.number for citation in answer.citations],
                    "status": answer.status,
                    "seconds": time.perf_counter() - start,
                    "tokens": answer.coverage.tokens,
                    "windows": answer.coverage.windows_read,
                    **asdict(answer.usage),
                }
            )
    return {"load": loaded - began, "answers": answers}


def _roles(model: str | None, tokenizer: str | None, prefixes: Path | None) -> Models:
    """A model, or where there is only a tokenizer the scripted reader."""
    if tokenizer:
        return ScriptedReader(Tokenizer.from_folder(Path(tokenizer)))
    folder = Folder(prefixes, _PREFIX_BYTES) if prefixes else None
    return open_roles(model or "tiny", prefixes=folder)


def _note_windows(roles: Models, log: Path) -> None:
    score = roles.relevance

    def noting(question: str, windows: Sequence[Passage]) -> list[float]:
        with log.open("a") as file:
            file.writelines(f"{window.start} {window.end}\n" for window in windows)
        return score(question, windows)

    roles.relevance = noting  # type: ignore[method-assign]


_STEPS = {"index": index, "ask": ask}
_PATHS = ("document", "library", "prefixes", "log")

if __name__ == "__main__":
    main()
