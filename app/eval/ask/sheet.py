"""The questions of one document: a function of seed, length, repetition and depths alone.

A document always holds the facts of all tasks, whichever of them are asked, so that a run with more
tasks goes on from an earlier one. Only `files` has documents of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from app.eval.ask.cast import Cast
from app.eval.ask.document import write
from app.eval.ask.question import Question, Statement
from app.eval.ask.tasks import TASKS, circumstances, lookup, several
from app.eval.chronicle import TRAINING_SEEDS
from app.eval.haystack import Stated
from qwen2_mlx.tokenizer import Tokenizer

#: The document of all tasks but `files`.
MAIN = "chronicle.txt"


@dataclass(frozen=True)
class Placed:
    """A statement in a file, and its page there, counted from 1."""

    statement: Statement
    file: str
    page: int


@dataclass(frozen=True)
class File:
    """A text to be asked about."""

    name: str
    text: str
    tokens: int
    placed: tuple[Placed, ...]


@dataclass(frozen=True)
class Asked:
    """A question with an id of its own in the run, and where the facts of its answer stand."""

    id: str
    question: Question
    facts: tuple[Placed, ...]


@dataclass(frozen=True)
class Sheet:
    """Files and the questions that are asked about all of them together."""

    files: tuple[File, ...]
    questions: tuple[Asked, ...]

    @property
    def tokens(self) -> int:
        return sum(file.tokens for file in self.files)

    @property
    def placed(self) -> list[Placed]:
        """Every statement in every file."""
        return [placed for file in self.files for placed in file.placed]


def question_ids(task: str, length: int, repeat: int, depths: Sequence[float]) -> list[str]:
    """The ids of a task's questions about one document, without writing it."""
    if task in ("needle", "paraphrase"):
        return [f"{task}/{length}/{depth:g}/{repeat}" for depth in depths]
    count = len(depths) if task == "absent" else several_files(task)
    return [f"{task}/{length}/{repeat}/{number}" for number in range(count)]


def several_files(task: str) -> int:
    """How many questions of a task without depths one document has."""
    return 3 if task == "files" else 1


def main_sheet(tokenizer: Tokenizer, seed: int, length: int, repeat: int, depths: Sequence[float]) -> Sheet:
    """One document of `length` tokens with the facts of all tasks but `files`."""
    rng = _rng(seed, length, repeat, "main")
    cast = Cast(rng)
    questions = [lookup.needle(cast, depth) for depth in depths]
    questions += [lookup.paraphrase(cast, depth) for depth in depths]
    questions.append(lookup.near_miss(cast))
    questions += [several.chain(cast, hops) for hops in several.HOPS]
    questions += [several.count(cast), several.list_all(cast), several.conflict(cast)]
    questions += [circumstances.after(cast), circumstances.injection(cast), circumstances.stale(cast)]
    questions += [lookup.absent(cast) for _ in depths]
    by_task = {task: [q for q in questions if q.task == task] for task in TASKS if task != "files"}
    named = [
        (identity, question)
        for task, asked in by_task.items()
        for identity, question in zip(question_ids(task, length, repeat, depths), asked, strict=True)
    ]
    return sheet_of(tokenizer, length, named, rng)


def files_sheet(tokenizer: Tokenizer, seed: int, length: int, repeat: int) -> Sheet:
    """Files of `length` tokens together; each question's fact stands in one, facts like it in the others."""
    rng = _rng(seed, length, repeat, "files")
    cast = Cast(rng)
    number = circumstances.FILES
    asked = [circumstances.one_of_many(cast) for _ in range(several_files("files"))]
    answers = rng.sample(range(number), len(asked))
    held: list[list[Statement]] = [[] for _ in range(number)]
    for question, answer in zip(asked, answers, strict=True):
        others = iter(question.others)
        for index in range(number):
            held[index] += question.facts if index == answer else [next(others)]
    files = tuple(
        _file(tokenizer, f"letters-{index + 1:02}.txt", length // number, held[index], rng)
        for index in range(number)
    )
    ids = question_ids("files", length, repeat, ())
    return _sheet(files, list(zip(ids, asked, strict=True)))


def sheet_of(tokenizer: Tokenizer, length: int, named: Sequence[tuple[str, Question]], rng: Random) -> Sheet:
    """One document of `length` tokens for these questions, each with its id."""
    statements = [statement for _, question in named for statement in question.statements]
    return _sheet((_file(tokenizer, MAIN, length, statements, rng),), named)


def _rng(seed: int, length: int, repeat: int, what: str) -> Random:
    return Random(f"{TRAINING_SEEDS + seed}/{length}/{repeat}/{what}")  # never one of the training seeds


def _file(tokenizer: Tokenizer, name: str, tokens: int, statements: Sequence[Statement], rng: Random) -> File:
    written = write(tokenizer, tokens, [Stated(s.sentence, s.depth) for s in statements], rng)
    placed = [
        Placed(statement, name, spot.page) for statement, spot in zip(statements, written.spots, strict=True)
    ]
    return File(name, written.text, written.tokens, tuple(placed))


def _sheet(files: tuple[File, ...], named: Sequence[tuple[str, Question]]) -> Sheet:
    where = {id(placed.statement): placed for file in files for placed in file.placed}
    questions = [
        Asked(identity, question, tuple(where[id(statement)] for statement in question.facts))
        for identity, question in named
    ]
    return Sheet(files, tuple(questions))
