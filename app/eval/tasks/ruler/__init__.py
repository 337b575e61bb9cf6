"""RULER (arXiv 2404.06654): the eleven of its thirteen tasks that need no data set.

    Needles(NEEDLES[name], lengths, repeats, seed)     "niah_single_1" ... "niah_multiquery", eight of them
    Variables(lengths, repeats, seed)                  "vt"
    CommonWords(lengths, repeats, seed)                "cwe"
    FrequentWords(lengths, repeats, seed)              "fwe"
    tasks(lengths, repeats, seed, names=NAMES)         any of them by name

All are English, have no depths (RULER draws them), and score the share of the expected texts
that the reply contains, whatever the case. The paper uses 500 prompts a task and length, 4K to
128K; 20 to 50 show the same. The task names are RULER's with `ruler/` before them.

How ours differs: the left-out tasks are the two of question answering; the text comes before
everything that is said about it, as in qwen2-ask, and without a worked example; essays are the
generated chronicle; the word lists and phrases are our own; a length is what the prompt fills,
the answer not included.
"""

from collections.abc import Iterable, Mapping, Sequence

from app.eval.sample import Task
from app.eval.tasks.ruler.common_words import CommonWords
from app.eval.tasks.ruler.frequent_words import FrequentWords
from app.eval.tasks.ruler.needles import NEEDLES, Needles
from app.eval.tasks.ruler.variables import Variables
from qwen2_mlx.errors import Qwen2Error

__all__ = [
    "NAMES",
    "NEEDLES",
    "PASSING",
    "CommonWords",
    "FrequentWords",
    "Needles",
    "Variables",
    "effective_length",
    "tasks",
]

#: The score of Llama-2-7B at 4K, which the paper takes as its bar.
PASSING = 85.6

_OTHERS = {"vt": Variables, "cwe": CommonWords, "fwe": FrequentWords}

#: The tasks in the order of the paper.
NAMES = (*NEEDLES, *_OTHERS)


def tasks(lengths: Sequence[int], repeats: int, seed: int, names: Iterable[str] = NAMES) -> list[Task]:
    """The named tasks, by default all. Raises `Qwen2Error` for a name that is none of `NAMES`."""
    return [_task(name, lengths, repeats, seed) for name in names]


def _task(name: str, lengths: Sequence[int], repeats: int, seed: int) -> Task:
    if name in NEEDLES:
        return Needles(NEEDLES[name], lengths, repeats, seed)
    if name in _OTHERS:
        return _OTHERS[name](lengths, repeats, seed)
    raise Qwen2Error(f"there is no RULER task {name!r} here; there are {', '.join(NAMES)}")


def effective_length(averages: Mapping[int, float]) -> int | None:
    """The longest length whose average over the tasks passes; None where none does."""
    return max((length for length, average in averages.items() if average >= PASSING), default=None)
