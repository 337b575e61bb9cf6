"""`qwen2-ask` on a generated document of a million tokens: time, tokens, memory, kills, answers, and level 2.

    python -m benchmarks.document_qa [--parts index,questions,memory,kills,quality,level2]
        [--tokens 1000000] [--tokenizer FOLDER] [--model tiny] [--out FILE]

- index: reading, storing, cutting and indexing a text file.
- questions: the first `retrieve` answer and the second, each with its tokens as a share of the document.
- memory: the peak of whole processes at a tenth of the length and at all of it, for indexing, retrieving
  and reading.
- kills: a reading that is killed at random moments, and how many windows were begun twice.
- quality: `auto` on needles, absent facts and chains of two, with its citations.
- level2: the published level-2 procedure beside `auto` on the first questions of each kind.

`--tokenizer` adds rows for index, questions and memory with that tokenizer and the sizes of Qwen2, where a
rule reads in place of a model (`benchmarks/document_qa_script.py`). Finished answers of quality and level2
are kept in `--work`, so that an interrupted run goes on.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from app.eval.ask.agents import open_agent
from app.eval.ask.baseline import open_level2
from app.eval.ask.cast import Cast
from app.eval.ask.question import Question
from app.eval.ask.report import totals
from app.eval.ask.run import FIELDS, Result, result_of
from app.eval.ask.setup import Setup
from app.eval.ask.sheet import Sheet, sheet_of
from app.eval.ask.tasks import lookup, several
from app.eval.ask.workplace import Workplace, workplace
from app.eval.chronicle import TRAINING_SEEDS
from app.eval.store import Store
from qwen2_mlx.resolve import resolve
from qwen2_mlx.tokenizer import Tokenizer

PARTS = ("index", "questions", "memory", "kills", "quality", "level2")
_ROOT = Path(__file__).resolve().parents[1]


def sheet(tokenizer: Tokenizer, tokens: int, needles: int, absent: int, chains: int, seed: int) -> Sheet:
    """One document with needles at even depths and chains of two anywhere, and questions for absent facts."""
    rng = Random(f"{TRAINING_SEEDS + seed}/benchmark")
    cast = Cast(rng)
    asked: list[Question] = [lookup.needle(cast, 100 * (i + 0.5) / needles) for i in range(needles)]
    asked += [several.chain(cast, 2) for _ in range(chains)]
    asked += [lookup.absent(cast) for _ in range(absent)]
    named = [(f"{question.task}/{number}", question) for number, question in enumerate(asked)]
    return sheet_of(tokenizer, tokens, named, rng)


class Bench:
    """The parts, all on documents made alike."""

    def __init__(self, args: argparse.Namespace, work: Path):
        self.args, self.work = args, work
        self.tokenizer = Tokenizer.from_folder(resolve(args.model))
        self.found: dict[str, Any] = {"tokens": args.tokens, "model": args.model}

    def note(self, part: str, **values: Any) -> None:
        """Keeps and shows one row."""
        self.found.setdefault(part, []).append(values)
        shown = "  ".join(f"{k} {_shown(v)}" for k, v in values.items())
        print(f"{part:10} {shown}", flush=True)
        if self.args.out:
            self.args.out.write_text(json.dumps(self.found, indent=2) + "\n")

    def readers(self) -> list[tuple[str, Tokenizer, dict[str, str | None]]]:
        """Who answers: the model, and with `--tokenizer` the script."""
        known: list[tuple[str, Tokenizer, dict[str, str | None]]] = [
            (Path(self.args.model).name, self.tokenizer, {"model": self.args.model, "tokenizer": None})
        ]
        if folder := self.args.tokenizer:
            known.append(
                (folder.name, Tokenizer.from_folder(folder), {"model": None, "tokenizer": str(folder)})
            )
        return known

    def document(self, tokens: int, tokenizer: Tokenizer, name: str) -> tuple[Path, Sheet]:
        written = sheet(tokenizer, tokens, 20, 0, 10, self.args.seed)
        path = self.work / f"{name}-{tokens}.txt"
        path.write_bytes(written.files[0].text.encode())
        return path, written

    # Parts.

    def index(self) -> None:
        for name, tokenizer, reader in self.readers():
            path, written = self.document(self.args.tokens, tokenizer, name)
            library = self._fresh(f"{name}-index.sqlite")
            step = run_step("index", document=path, library=library, **reader)
            self.note(
                "index", reader=name, tokens=written.tokens, megabytes=path.stat().st_size / 1e6, **step
            )

    def questions(self) -> None:
        for name, tokenizer, reader in self.readers():
            path, written = self.document(self.args.tokens, tokenizer, name)
            library = self._fresh(f"{name}-questions.sqlite")
            run_step("index", document=path, library=library, **reader)
            needles = [asked for asked in written.questions if asked.question.task == "needle"]
            asked = needles[3], needles[-4]
            step = run_step(
                "ask", document=path, library=library, mode="retrieve",
                questions=[one.question.text for one in asked], **reader,
            )  # fmt: skip
            for number, (one, said) in enumerate(zip(asked, step["answers"], strict=True), 1):
                right = one.question.expected[0][0] in said["text"] and one.facts[0].page in said["pages"]
                self.note(
                    "questions", reader=name, question=number, right=right, seconds=said["seconds"],
                    load=step["load"], prefilled=said["prefilled"],
                    share_percent=100 * said["prefilled"] / written.tokens,
                )  # fmt: skip

    def memory(self) -> None:
        for name, tokenizer, reader in self.readers():
            for mode in ("index", "retrieve", "read"):
                if mode == "read" and reader["tokenizer"]:
                    continue
                peaks = [self._peak(tokens, mode, name, tokenizer, reader)
                         for tokens in (self.args.tokens // 10, self.args.tokens)]  # fmt: skip
                self.note(
                    "memory", reader=name, mode=mode, short_mb=peaks[0] / 1e6, long_mb=peaks[1] / 1e6,
                    ratio=peaks[1] / peaks[0],
                )  # fmt: skip

    def _peak(
        self, tokens: int, mode: str, name: str, tokenizer: Tokenizer, reader: dict[str, str | None]
    ) -> int:
        path, written = self.document(tokens, tokenizer, name)
        library = self._fresh(f"{name}-{tokens}-memory.sqlite")
        step = run_step("index", document=path, library=library, **reader)
        if mode != "index":
            needle = next(asked for asked in written.questions if asked.question.task == "needle")
            step = run_step(
                "ask", document=path, library=library, mode=mode, questions=[needle.question.text], **reader
            )
        return step["peak"]

    def kills(self) -> None:
        """Kills a reading that has no answer to find, so that all of it is read."""
        path, written = self.document(self.args.kill_tokens or self.args.tokens, self.tokenizer, "kills")
        library, log = self._fresh("kills.sqlite"), self._fresh("kills.log")
        reader = {"model": self.args.model, "tokenizer": None}
        run_step("index", document=path, library=library, **reader)
        job = {
            "step": "ask", "document": str(path), "library": str(library), "mode": "read", "log": str(log),
            "questions": ["What is the secret code of Nobody Atall?"], **reader,
        }  # fmt: skip
        rng, began = Random(self.args.seed), time.perf_counter()
        begun: list[Counter[str]] = [Counter()]  # windows, after each process
        for _ in range(self.args.kills):
            process = subprocess.Popen(_command(job), cwd=_ROOT, stdout=subprocess.DEVNULL)
            try:
                process.wait(timeout=rng.uniform(1.5, self.args.kill_after))
                break  # it came to its end before it was killed often enough
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
            begun.append(_lines(log))
        killed = len(begun) - 1
        step = run_step(**job)
        begun.append(_lines(log))
        twice = [(after - before) & before for before, after in pairwise(begun)]
        self.note(
            "kills", tokens=written.tokens, killed=killed, windows=len(begun[-1]),
            begun_again=sum(begun[-1].values()) - len(begun[-1]),
            most_after_one_kill=max(again.total() for again in twice),
            seconds=time.perf_counter() - began, status=step["answers"][0]["status"],
        )  # fmt: skip

    def quality(self) -> None:
        self._quality("auto", self.args.tokens, None)

    def level2(self) -> None:
        """The first `--level2` questions of each kind, to the baseline and to auto."""
        tokens = self.args.level2_tokens or self.args.tokens
        for level in ("auto", "level2"):
            self._quality(level, tokens, self.args.level2)

    def _quality(self, level: str, tokens: int, first: int | None) -> None:
        args = self.args
        written = sheet(self.tokenizer, tokens, args.needles, args.absent, args.chains, args.seed)
        taken: Counter[str] = Counter()
        todo = []
        for asked in written.questions:
            taken[asked.question.task] += 1
            if first is None or taken[asked.question.task] <= first:
                todo.append(asked)
        identity = {"tokens": tokens, "counts": [args.needles, args.absent, args.chains], "seed": args.seed,
                    "model": args.model, "max_time": args.max_time}  # fmt: skip
        with Store(self.work / f"quality-{tokens}", identity, FIELDS) as store:
            left = [asked for asked in todo if not store.get(level, asked.id)]
            if left:
                with workplace(written) as place:
                    self._ask(level, left, written, place, store)
            rows = [store.get(level, asked.id) for asked in todo]
        results = [Result(**{name: row[name] for name in FIELDS}) for row in rows if row]
        for task in dict.fromkeys(result.task for result in results):
            one = totals(level, [result for result in results if result.task == task])
            self.note("quality" if first is None else "level2", task=task, **asdict(one))
        self.note("quality" if first is None else "level2", task="all", **asdict(totals(level, results)))

    def _ask(self, level: str, left: Sequence[Any], written: Sheet, place: Workplace, store: Store) -> None:
        setup = Setup(self.args.model, max_time=self.args.max_time)
        silent = lambda share: None  # noqa: E731
        opened = (
            open_level2(self.args.model, silent)
            if level == "level2"
            else open_agent("auto", setup, place, silent)
        )
        with opened as contestant:
            for number, asked in enumerate(left, 1):
                outcome = contestant.ask(asked.question.text, place.files)
                result = result_of(level, written.tokens, asked, outcome, written.placed, written.tokens)
                store.append(asdict(result))
                cost = f"{result.seconds:.1f} s, {result.prefilled:,} prefilled"
                print(
                    f"  {level} {number}/{len(left)} {asked.id}: {result.score:.0f}, {cost}", file=sys.stderr
                )
                if result.score < 100:
                    print(
                        f"    {asked.question.text}\n    {outcome.text}\n    {outcome.trail}", file=sys.stderr
                    )

    def _fresh(self, name: str) -> Path:
        path = self.work / name
        for old in self.work.glob(f"{name}*"):
            old.unlink()
        return path


def run_step(step: str, **job: Any) -> dict[str, Any]:
    """Runs one step in a process of its own, which must end well."""
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in job.items()}
    done = subprocess.run(
        _command({"step": step, **plain}), cwd=_ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _lines(path: Path) -> Counter[str]:
    return Counter(path.read_text().splitlines() if path.exists() else ())


def _command(job: dict[str, Any]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.document_qa_steps", json.dumps(job)]


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _parts(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"there is no part {name!r}; there are {', '.join(PARTS)}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--parts", type=_parts, default=list(PARTS), help=",".join(PARTS))
    add("--tokens", type=int, default=1_000_000, help="of the document")
    add("--tokenizer", type=Path, help="folder of Qwen2's tokenizer")
    add("--model", default="tiny")
    add("--needles", type=int, default=40)
    add("--absent", type=int, default=40)
    add("--chains", type=int, default=20)
    add("--max-time", type=float, default=300.0, help="seconds for an answer of quality and level2")
    add("--level2", type=int, default=2, help="questions of each kind that the baseline is asked")
    add("--level2-tokens", type=int, help="length for that part (default: --tokens)")
    add("--kills", type=int, default=20)
    add("--kill-after", type=float, default=12.0, help="seconds that a process lives at most")
    add("--kill-tokens", type=int, help="length for that part (default: --tokens)")
    add("--seed", type=int, default=0)
    add("--work", type=Path, help="folder for documents and results (default: temporary)")
    add("--out", type=Path, help="file for everything as JSON, written after each row")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        bench = Bench(args, work)
        for part in args.parts:
            getattr(bench, part)()
        print(json.dumps(bench.found))


if __name__ == "__main__":
    main()
