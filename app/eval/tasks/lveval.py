"""Questions about the texts of LV-Eval, from files that the user supplies.

    LVEval(lengths, files, tokenizer, on_document=None)    raises Qwen2Error for unfit files
    .skipped                                               documents longer than the longest length

A file is JSON lines as published (huggingface.co/datasets/Infinigence/LVEval): each row has
`input` (the question), `context`, `answers` (a list), `dataset`, `language` ("en" or "zh") and,
for most sets, `answer_keywords`; `length` and `confusing_facts` are not needed here.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.eval.haystack import prompt_length
from app.eval.sample import Cell, Sample
from app.eval.tasks.keyword_recall import keyword_recall, tokens
from qwen2_mlx.errors import Qwen2Error, first_line
from qwen2_mlx.tokenizer import Tokenizer

#: Tokens of an answer, as in LV-Eval: fewer for its two sets of fact recall.
ANSWER_TOKENS = 64
RECALL_TOKENS = 16

_ANSWER_ONLY = {"en": "Give the answer only, without any explanation. ", "zh": "请只给出答案，不要解释。"}


@dataclass(frozen=True)
class Row:
    """One question of a file. `keywords` holds one or more texts, the best of which counts."""

    dataset: str
    language: str
    context: str
    question: str
    keywords: tuple[str, ...]
    digest: str  # of the whole row: a changed file makes other cells

    @property
    def asked(self) -> str:
        """The question with what is said before it."""
        return _ANSWER_ONLY[self.language] + self.question

    def score(self, reply: str) -> float:
        """Keyword recall (ours), 0 to 100."""
        return max(keyword_recall(self.language, reply, keywords) for keywords in self.keywords)


class LVEval:
    """LV-Eval (arXiv 2402.05136) scored by keyword recall (ours); never compare it with other scores.

    The score is 100 x the share of the tokens of the annotated keywords, or of the answer where a
    set has none, that the reply contains. The official metric is an F1 score behind a threshold on
    the recall: 25.3 for Qwen2-72B at 16K, where the Qwen2 report has 58.8 by a keyword recall whose
    recipe is not published. Ours also has its own prompt, and pairs of characters instead of a Chinese
    word segmenter.

    The texts have the lengths they have: a row counts under the shortest of `lengths` that holds
    its whole prompt. Nothing is cut; rows longer than all of them are skipped and counted. Finding
    out takes the tokenizer and a few minutes for the whole set; `on_document` gets the number of
    rows read so far.
    """

    name = "lveval"

    def __init__(
        self,
        lengths: Sequence[int],
        files: Sequence[Path],
        tokenizer: Tokenizer,
        on_document: Callable[[int], None] | None = None,
    ):
        self.skipped = 0
        self._rows: dict[str, tuple[Path, int]] = {}  # by cell: the file, and the byte where the row starts
        self._cells: list[Cell] = []
        for path in _different(files):
            for line, start, row in _read(path):
                self._add(path, line, start, row, sorted(lengths), tokenizer)
                if on_document:
                    on_document(len(self._cells) + self.skipped)
        if not self._cells:
            raise Qwen2Error(
                f"none of the {self.skipped} documents fits into {max(lengths)} tokens; give a longer length"
            )
        self._cells.sort(key=lambda cell: cell.length)

    def cells(self) -> Iterator[Cell]:
        """Shortest lengths first, then as in the files."""
        yield from self._cells

    def sample(self, cell: Cell, tokenizer: Tokenizer) -> Sample:
        """The row of a cell, read again. `tokenizer` made the cells and is not needed any more."""
        path, start = self._rows[cell.id]
        with path.open("rb") as file:
            file.seek(start)
            row = _row(file.readline(), cell.id)
        return Sample(
            cell=cell,
            document=row.context,
            question=row.asked,
            expected=row.keywords,
            max_tokens=RECALL_TOKENS if row.dataset.startswith("factrecall") else ANSWER_TOKENS,
            score=row.score,
        )

    def _add(
        self, path: Path, line: int, start: int, row: Row, lengths: Sequence[int], tokenizer: Tokenizer
    ) -> None:
        used = prompt_length(tokenizer, row.context, row.asked)
        length = next((length for length in lengths if used <= length), None)
        if length is None:
            self.skipped += 1
            return
        name = f"{self.name}/{path.stem}/{length}/{line}-{row.digest}"
        self._rows[name] = (path, start)
        self._cells.append(Cell(name, f"{self.name}/{row.dataset}", length, None))


def _different(files: Sequence[Path]) -> Sequence[Path]:
    stems = [path.stem for path in files]
    for stem in stems:
        if stems.count(stem) > 1:
            raise Qwen2Error(f"two of the files are named {stem}; rename one, for results go by that name")
    return files


def _read(path: Path) -> Iterator[tuple[int, int, Row]]:
    """Every row with its line, from 1, and the byte where it starts. Empty lines are passed over."""
    try:
        with path.open("rb") as file:
            start, found = 0, False
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, start, _row(line, f"{path} line {number}")
                    found = True
                start += len(line)
    except FileNotFoundError:
        raise Qwen2Error(f"there is no file {path}; give the .jsonl files of LV-Eval") from None
    except IsADirectoryError:
        raise Qwen2Error(f"{path} is a folder; give the .jsonl files in it") from None
    except OSError as error:
        raise Qwen2Error(f"{path} cannot be read: {error.strerror}") from None
    if not found:
        raise Qwen2Error(f"{path} is empty; give the .jsonl files of LV-Eval")


def _row(line: bytes, place: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Qwen2Error(
            f"{place} is no JSON ({first_line(error)}); give the .jsonl files of LV-Eval"
        ) from None
    if not isinstance(value, dict):
        raise Qwen2Error(f"{place} is no JSON object; give the .jsonl files of LV-Eval")
    language = _text(value, "language", place)
    if language not in _ANSWER_ONLY:
        raise Qwen2Error(f"{place} has the language {language!r}; this task knows en and zh")
    return Row(
        dataset=_text(value, "dataset", place),
        language=language,
        context=_text(value, "context", place),
        question=_text(value, "input", place),
        keywords=_keywords(value, language, place),
        digest=sha256(line.strip()).hexdigest()[:12],
    )


def _text(row: dict[str, Any], field: str, place: str) -> str:
    text = row.get(field)
    if not isinstance(text, str) or not text.strip():
        raise Qwen2Error(f"{place} has no text in {field!r}, which every row of LV-Eval has; check the file")
    return text


def _keywords(row: dict[str, Any], language: str, place: str) -> tuple[str, ...]:
    """The annotated keywords, else every answer, as far as they have tokens."""
    annotated, answers = row.get("answer_keywords"), row.get("answers")
    for texts in ([annotated], answers if isinstance(answers, list) else [answers]):
        useful = tuple(text for text in texts if isinstance(text, str) and tokens(language, text))
        if useful:
            return useful
    raise Qwen2Error(f"{place} has neither 'answer_keywords' nor 'answers' to score by; check the file")
