"""The tasks that run over a grid: their flags, and how they are made of them."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from app import cli
from app.eval.grid import fact_counts

if TYPE_CHECKING:
    from app.eval.run import Result
    from app.eval.sample import Task
    from qwen2_mlx.tokenizer import Tokenizer

#: What a task is made of: the flags, the lengths, the depths, and the model's tokenizer.
MakeTasks = Callable[[argparse.Namespace, Sequence[int], Sequence[float], "Tokenizer"], "list[Task]"]


@dataclass(frozen=True)
class GridTask:
    """What `qwen2-eval` must know of a task besides the task itself.

    `parameters` are flags of its own that change its texts without changing the names of its
    samples. `weights` are those of its parts in the means, where they do not count the same.
    `summary` makes numbers of its own from the results of one mode.
    """

    name: str
    help: str
    make: MakeTasks
    add_flags: Callable[[Callable[..., Any]], None]
    parameters: Sequence[str] = ()
    has_lengths: bool = True
    has_depths: bool = True
    weights: Callable[[], Mapping[str, float]] = dict
    summary: "Callable[[Sequence[Result]], dict[str, Any]]" = lambda results: {}


def _needle_flags(add: Callable[..., Any]) -> None:
    add("--needles", dest="repeats", type=cli.positive_int, default=3, metavar="N",
        help="prompts for each length and depth, each with a needle of its own (default: 3)")  # fmt: skip
    add("--haystack", choices=("en", "zh"), default="en", help="language of the text (default: en)")


def _needle(
    args: argparse.Namespace, lengths: Sequence[int], depths: Sequence[float], _: Any
) -> "list[Task]":
    from app.eval.tasks.needle import Needle

    return [Needle(lengths, depths, args.repeats, args.seed, args.haystack)]


def _passkey_flags(add: Callable[..., Any]) -> None:
    add("--repeats", type=cli.positive_int, default=3, metavar="N",
        help="prompts for each length and depth (default: 3)")  # fmt: skip


def _passkey(
    args: argparse.Namespace, lengths: Sequence[int], depths: Sequence[float], _: Any
) -> "list[Task]":
    from app.eval.tasks.passkey import Passkey

    return [Passkey(lengths, depths, args.repeats, args.seed)]


def _needlebench_flags(add: Callable[..., Any]) -> None:
    add("--repeats", type=cli.positive_int, default=1, metavar="N",
        help="prompts of each kind for each length and depth (default: 1; published scores: 10)")  # fmt: skip
    _language_flag(add)


def _needlebench(
    args: argparse.Namespace, lengths: Sequence[int], depths: Sequence[float], _: Any
) -> "list[Task]":
    from app.eval.tasks.needlebench import MultiReasoning, MultiRetrieval, Single

    kinds = (Single, MultiRetrieval, MultiReasoning)
    return [kind(lengths, depths, args.repeats, args.seed, _languages(args)) for kind in kinds]


def _needlebench_weights() -> Mapping[str, float]:
    from app.eval.tasks.needlebench import WEIGHTS

    return WEIGHTS


def _ancestors_flags(add: Callable[..., Any]) -> None:
    add("--facts", type=fact_counts, default=[2**k for k in range(1, 10)], metavar="LIST",
        help="how many facts a prompt holds (default: 2,4,8 ... 512)")  # fmt: skip
    add("--repeats", type=cli.positive_int, default=1, metavar="N",
        help="prompts for each kind of question, number of facts and language (default: 1)")  # fmt: skip
    _language_flag(add)


def _ancestors(args: argparse.Namespace, *_: Any) -> "list[Task]":
    from app.eval.tasks.needlebench import Ancestors

    return [Ancestors(args.repeats, args.seed, args.facts, _languages(args))]


def _ancestors_summary(results: "Sequence[Result]") -> dict[str, Any]:
    from app.eval.report.summary import group_by
    from app.eval.sample import Cell
    from app.eval.tasks.needlebench.ancestors import facts_of, longest, weighted

    def facts(result: "Result") -> int:
        return facts_of(Cell(result.id, result.task, result.length, result.depth))

    means = {n: fmean(scores) for n, scores in group_by((facts(r), r.score) for r in results).items()}
    return {"weighted_by_facts": round(weighted(means), 2), "most_facts_with_50": longest(means)}


def _ruler_flags(add: Callable[..., Any]) -> None:
    add("--only", type=_ruler_names, metavar="LIST",
        help="some of its tasks, such as niah_single_1,vt,cwe (default: all that need no data)")  # fmt: skip
    add("--repeats", type=cli.positive_int, default=20, metavar="N",
        help="prompts for each task and length (default: 20; published scores: 500)")  # fmt: skip


def _ruler_names(text: str) -> list[str]:
    from app.eval.tasks.ruler import NAMES

    names = text.split(",")
    for name in names:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(f"there is no task {name!r}; there are {', '.join(NAMES)}")
    return names


def _ruler(args: argparse.Namespace, lengths: Sequence[int], *_: Any) -> "list[Task]":
    from app.eval.tasks.ruler import NAMES, tasks

    return tasks(lengths, args.repeats, args.seed, args.only or NAMES)


def _ruler_summary(results: "Sequence[Result]") -> dict[str, Any]:
    from app.eval.report.summary import maps
    from app.eval.tasks.ruler import effective_length

    (shown,) = maps(results)
    averages = {
        length: mean for length, mean in zip(shown.lengths, shown.means, strict=True) if mean is not None
    }
    return {"effective_length": effective_length(averages)}


def _lveval_flags(add: Callable[..., Any]) -> None:
    add("files", nargs="+", type=Path, metavar="FILE", help=".jsonl files of LV-Eval, which are not bundled")


def _lveval(
    args: argparse.Namespace, lengths: Sequence[int], _: Sequence[float], tokenizer: "Tokenizer"
) -> "list[Task]":
    from app.eval.tasks.lveval import LVEval

    terminal = sys.stderr.isatty()

    def show(documents: int) -> None:
        if terminal:
            print(f"\r{documents:,} documents measured", end="", file=sys.stderr, flush=True)

    task = LVEval(lengths, args.files, tokenizer, show)
    if terminal:
        print(file=sys.stderr)
    if task.skipped:
        left_out = f"{task.skipped:,} documents are longer than {max(lengths):,} tokens and left out"
        print(left_out, file=sys.stderr)
    return [task]


def _language_flag(add: Callable[..., Any]) -> None:
    add("--language", choices=("en", "zh", "both"), default="both", help="of the text (default: both)")


def _languages(args: argparse.Namespace) -> tuple[str, ...]:
    return ("en", "zh") if args.language == "both" else (args.language,)


GRID_TASKS = (
    GridTask("needle", "one fact hidden in a long text", _needle, _needle_flags, parameters=("haystack",)),
    GridTask("passkey", "a number hidden among repeated sentences", _passkey, _passkey_flags),
    GridTask(
        "needlebench",
        "NeedleBench: one fact, several facts, conclusions from several facts",
        _needlebench,
        _needlebench_flags,
        parameters=("depths",),  # where several facts of one prompt stand
        weights=_needlebench_weights,
    ),
    GridTask(
        "ancestors",
        "NeedleBench's dense variant: who descends from whom, without filler",
        _ancestors,
        _ancestors_flags,
        has_lengths=False,
        has_depths=False,
        summary=_ancestors_summary,
    ),
    GridTask(
        "ruler",
        "RULER: hidden facts, chains of variables, counting words",
        _ruler,
        _ruler_flags,
        has_depths=False,
        summary=_ruler_summary,
    ),
    GridTask(
        "lveval",
        "keyword recall on LV-Eval files that you have",
        _lveval,
        _lveval_flags,
        has_depths=False,
    ),
)
