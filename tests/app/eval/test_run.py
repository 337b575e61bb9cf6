"""The run: each sample once in each mode, kept at once, and gone on with after an interruption."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from app.eval.mode import Mode
from app.eval.progress import Progress
from app.eval.run import FIELDS, Result, finished, run, unfinished
from app.eval.sample import Task
from app.eval.store import Store
from tests.app.eval.scripted import Colours, Script

PLAIN, DCA = Mode("plain"), Mode("dca", "prompt")
MODES = [PLAIN, DCA]
TASKS: list[Task] = [Colours([100, 200])]


def quiet(count: int) -> Progress:
    return Progress("eval", [1.0] * count, stream=io.StringIO())


def store_in(folder: Path) -> Store:
    return Store(folder, {"task": "colours"}, FIELDS)


def by_mode(mode: str, prompt: str) -> str:
    return "It is GREEN." if mode == "dca" else "It is red."


def test_every_sample_is_asked_in_every_mode_and_scored(tmp_path: Path) -> None:
    script = Script(by_mode)
    with store_in(tmp_path) as store:
        assert len(unfinished(TASKS, MODES, store)) == 8
        run(TASKS, MODES, script, store, quiet(8))
        results = finished(TASKS, MODES, store)
    assert [mode for mode, _ in script.asked] == ["plain"] * 4 + ["dca"] * 4
    assert [result.score for result in results] == [0.0] * 4 + [100.0] * 4
    first = results[0]
    assert (first.mode, first.id, first.depth, first.answer) == ("plain", "colours/100/0", 0.0, "It is red.")
    assert "The colour of colours/100/0 is green." in script.asked[0][1]
    assert "Which colour is it?" in script.asked[0][1]


def test_both_modes_are_asked_the_same(tmp_path: Path) -> None:
    script = Script(by_mode)
    with store_in(tmp_path) as store:
        run(TASKS, MODES, script, store, quiet(8))
    prompts = [prompt for _, prompt in script.asked]
    assert prompts[:4] == prompts[4:]


@pytest.mark.parametrize("stop_after", range(8))
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, stop_after: int) -> None:
    def impatient(mode: str, prompt: str) -> str:
        if len(first.asked) > stop_after:
            raise KeyboardInterrupt
        return by_mode(mode, prompt)

    first, second = Script(impatient), Script(by_mode)
    with store_in(tmp_path) as store, pytest.raises(KeyboardInterrupt):
        run(TASKS, MODES, first, store, quiet(8))
    with store_in(tmp_path) as store:
        assert len(finished(TASKS, MODES, store)) == stop_after
        run(TASKS, MODES, second, store, quiet(8))
        resumed = finished(TASKS, MODES, store)
    assert second.asked[0] == first.asked[-1]
    assert len(second.asked) == 8 - stop_after
    with store_in(tmp_path / "whole") as store:
        run(TASKS, MODES, Script(by_mode), store, quiet(8))
        assert timeless(finished(TASKS, MODES, store)) == timeless(resumed)


def test_a_larger_grid_in_the_same_folder_asks_only_what_is_new(tmp_path: Path) -> None:
    script = Script(by_mode)
    larger: list[Task] = [Colours([100, 200, 400])]
    with store_in(tmp_path) as store:
        run(TASKS, [DCA], Script(by_mode), store, quiet(4))
        run(larger, MODES, script, store, quiet(8))
        assert len(finished(larger, MODES, store)) == 12
    assert len(script.asked) == 6 + 2


def test_nothing_of_another_grid_is_reported(tmp_path: Path) -> None:
    with store_in(tmp_path) as store:
        run(TASKS, MODES, Script(by_mode), store, quiet(8))
        results = finished([Colours([200], [100.0])], [DCA], store)
    assert [result.id for result in results] == ["colours/200/100"]


def timeless(results: list[Result]) -> list[Result]:
    return [replace(result, seconds=0.0) for result in results]
