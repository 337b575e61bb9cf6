"""The run: every question once to every level, kept at once, and gone on with after an interruption."""

import io
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.ask.answer import Sentence
from app.eval.ask.outcome import Outcome
from app.eval.ask.run import FIELDS, Plan, Result, finished, run, unfinished
from app.eval.ask.workplace import Workplace
from app.eval.progress import Progress
from app.eval.store import Store
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.ask.scripted import Script
from tests.app.programs import ROOT

PLAN = Plan(("bm25", "auto"), ("needle", "absent"), (2_500,), (0.0, 100.0), 1, 0)


def quiet(count: int) -> Progress:
    return Progress("eval", [1.0] * count, stream=io.StringIO())


def store_in(folder: Path) -> Store:
    return Store(folder, {"task": "ask"}, FIELDS)


def silent(question: str, text: str, previous: tuple[str, str] | None) -> Outcome:
    return Outcome("Not in the document.")


def quoting(question: str, text: str, previous: tuple[str, str] | None) -> Outcome:
    """Says every line of the text that names who is asked for."""
    name = " ".join(question.rstrip("?.").split()[-2:])
    said = [s for line in text.replace("\f", "\n").split("\n") for s in line.split(". ") if name in s]
    return Outcome(". ".join(said) or "Not in the document.", (Sentence(". ".join(said), ()),), cites=False)


def ask(plan: Plan, script: Script, store: Store, tokenizer: Tokenizer) -> list[Result]:
    run(plan, tokenizer, script.open, store, quiet(len(unfinished(plan, store))))
    return finished(plan, store)


def test_every_level_is_asked_every_question_about_one_document(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(silent)
    with store_in(tmp_path) as store:
        results = ask(PLAN, script, store, small)
    assert [level for level, _ in script.opened] == ["bm25", "auto"]
    assert len({text for _, text, _ in script.asked}) == 1
    questions = [question for question, _, _ in script.asked]
    assert questions[:4] == questions[4:]
    assert [(r.mode, r.task, r.score) for r in results] == [
        (level, task, score)
        for level in ("bm25", "auto")
        for task, score in (("needle", 0.0), ("needle", 0.0), ("absent", 100.0), ("absent", 100.0))
    ]
    assert [r.false_answer for r in results[:4]] == [None, None, False, False]


def test_a_contestant_is_gone_before_the_next_one_is_opened(small: Tokenizer, tmp_path: Path) -> None:
    opened: list[weakref.ref[Script]] = []

    @contextmanager
    def alone(level: str, place: Workplace, on_share: Callable[[float], None]) -> Iterator[Script]:
        assert all(before() is None for before in opened)
        script = Script(silent)
        opened.append(weakref.ref(script))
        yield script

    with store_in(tmp_path) as store:
        run(PLAN, small, alone, store, quiet(len(unfinished(PLAN, store))))
    assert len(opened) == 2


@pytest.mark.parametrize("stop_after", [0, 3, 5])
def test_an_interrupted_run_goes_on_where_it_stopped(
    small: Tokenizer, tmp_path: Path, stop_after: int
) -> None:
    def impatient(question: str, text: str, previous: tuple[str, str] | None) -> Outcome:
        if len(first.asked) > stop_after:
            raise KeyboardInterrupt
        return quoting(question, text, previous)

    first, second = Script(impatient), Script(quoting)
    with store_in(tmp_path) as store, pytest.raises(KeyboardInterrupt):
        ask(PLAN, first, store, small)
    with store_in(tmp_path) as store:
        assert len(finished(PLAN, store)) == stop_after
        resumed = ask(PLAN, second, store, small)
    assert second.asked[0] == first.asked[-1]
    assert len(second.asked) == 8 - stop_after
    with store_in(tmp_path / "whole") as store:
        assert timeless(ask(PLAN, Script(quoting), store, small)) == timeless(resumed)


def test_more_tasks_and_levels_later_ask_only_what_is_new_about_the_same_text(
    small: Tokenizer, tmp_path: Path
) -> None:
    first, second = Script(quoting), Script(quoting)
    larger = replace(PLAN, levels=("bm25", "auto", "read"), tasks=("needle", "absent", "conflict"))
    with store_in(tmp_path) as store:
        ask(PLAN, first, store, small)
        results = ask(larger, second, store, small)
    assert len(second.asked) == 1 + 1 + 5
    assert second.asked[0][1] == first.asked[0][1]
    assert len(results) == 15


def test_digest_is_asked_only_about_whole_documents(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(silent)
    plan = replace(PLAN, levels=("digest",), tasks=("needle", "count", "list"))
    with store_in(tmp_path) as store:
        results = ask(plan, script, store, small)
    assert [r.task for r in results] == ["count", "list"]


def test_a_follow_up_comes_after_its_question_with_the_answer(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(quoting)
    with store_in(tmp_path) as store:
        ask(replace(PLAN, levels=("auto",), tasks=("follow-up",)), script, store, small)
    (earlier, _, none), (_, _, previous) = script.asked
    assert none is None
    assert previous
    assert previous[0] == earlier
    assert previous[1].startswith(("The ", "As ", "People "))


def test_a_stale_answer_is_wrong_and_the_new_value_is_right(small: Tokenizer, tmp_path: Path) -> None:
    remembered: dict[str, Outcome] = {}

    def stale(question: str, text: str, previous: tuple[str, str] | None) -> Outcome:
        return remembered.setdefault(question, quoting(question, text, previous))

    plan = replace(PLAN, tasks=("stale",))
    with store_in(tmp_path) as store:
        fresh = ask(plan, script := Script(quoting), store, small)
    with store_in(tmp_path / "stale") as store:
        old = ask(plan, Script(stale), store, small)
    assert [r.score for r in fresh] == [100.0, 100.0]
    assert [r.score for r in old] == [0.0, 0.0]
    texts = [text for _, text, _ in script.asked]
    assert len(set(texts)) == 3  # as written, and as each level had it edited
    assert texts[1] == texts[2]  # the second level begins with what the first one left
    assert len({len(text) for text in texts}) <= 2


def test_several_files_are_asked_about_together(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(quoting)
    with store_in(tmp_path) as store:
        results = ask(replace(PLAN, tasks=("files",), lengths=(6_000,)), script, store, small)
    assert len(script.opened[0][1].files) == 12
    assert {r.score for r in results} == {100.0}


def test_workplaces_are_gone_after_the_run(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(silent)
    with store_in(tmp_path) as store:
        ask(PLAN, script, store, small)
    assert not script.opened[0][1].folder.exists()


def timeless(results: list[Result]) -> list[Result]:
    return [replace(result, seconds=0.0, peak_memory=0) for result in results]


def test_peak_memory_is_of_this_process_and_stays() -> None:
    code = (
        "from app.eval.ask.peak_memory import peak_memory\n"
        "small = peak_memory(); block = bytearray(300_000_000); large = peak_memory(); del block\n"
        "print(small, large, peak_memory())"
    )
    held = bytearray(500_000_000)  # what the parent holds is not the child's
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    del held
    small, large, later = map(int, done.stdout.split())
    assert small < 200_000_000
    assert 290_000_000 < large - small < 340_000_000
    assert later > large - 1_000_000
