"""The results folder: nothing finished is lost, and nothing foreign is mixed in."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.eval.store import RESULTS, SETTINGS, Store, StoreError

IDENTITY = {"task": "needle", "seed": 0, "model": "abc", "parameters": {"haystack": "en"}}
FIELDS = frozenset({"score"})


def row(sample: str, mode: str = "dca", score: float = 100.0) -> dict[str, object]:
    return {"mode": mode, "id": sample, "score": score}


def reopen(folder: Path, fresh: bool = False, **changes: object) -> Store:
    return Store(folder, {**IDENTITY, **changes}, FIELDS, fresh)


def test_what_was_finished_is_there_in_the_next_run(tmp_path: Path) -> None:
    with reopen(tmp_path) as store:
        store.append(row("a"))
        store.append(row("a", mode="plain", score=0.0))
    with reopen(tmp_path) as store:
        assert store.get("dca", "a") == row("a")
        assert store.get("plain", "a") == row("a", "plain", 0.0)
        assert store.get("dca", "b") is None


def test_a_result_is_on_disk_at_once(tmp_path: Path) -> None:
    with reopen(tmp_path) as store:
        store.append(row("a"))
        assert json.loads((tmp_path / RESULTS).read_text()) == row("a")


@pytest.mark.parametrize("rest", [b'{"mode": "dca", "id": "b", "sco', b"\x00\xff", b'["b"]', b'{"mode": 1}'])
def test_a_line_cut_short_costs_one_sample_and_not_the_next(tmp_path: Path, rest: bytes) -> None:
    with reopen(tmp_path) as store:
        store.append(row("a"))
    with (tmp_path / RESULTS).open("ab") as file:
        file.write(rest)
    with reopen(tmp_path) as store:
        assert store.damaged == 1
        assert store.get("dca", "a")
        store.append(row("c"))
    with reopen(tmp_path) as store:
        assert store.get("dca", "a")
        assert store.get("dca", "c") == row("c")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed 0, now 1"),
        ({"model": "def"}, "model abc, now def"),
        ({"parameters": {"haystack": "zh"}}, '"zh"'),
        ({"prompt": "x"}, "prompt null, now x"),
    ],
)
def test_results_of_other_settings_are_not_continued(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with reopen(tmp_path) as store:
        store.append(row("a"))
    with pytest.raises(StoreError, match="other settings") as error:
        reopen(tmp_path, **changes)
    assert words in str(error.value)
    assert "--fresh" in str(error.value)
    with reopen(tmp_path) as store:
        assert store.get("dca", "a")


def test_fresh_forgets_results_of_whatever_settings(tmp_path: Path) -> None:
    with reopen(tmp_path) as store:
        store.append(row("a"))
    with reopen(tmp_path, fresh=True, seed=1) as store:
        assert store.get("dca", "a") is None
        store.append(row("b"))
    with reopen(tmp_path, seed=1) as store:
        assert store.get("dca", "b")


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with reopen(tmp_path), pytest.raises(StoreError, match="another run"):
        reopen(tmp_path)
    reopen(tmp_path).__exit__()


def test_results_without_settings_belong_to_somebody_else(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text("mine\n")
    with pytest.raises(StoreError, match="without settings"):
        reopen(tmp_path)
    assert (tmp_path / RESULTS).read_text() == "mine\n"


def test_damaged_settings_are_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / SETTINGS).write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        reopen(tmp_path)
