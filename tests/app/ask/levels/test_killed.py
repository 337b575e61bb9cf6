"""A search that is killed goes on where it was."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from app.ask.library import Library
from tests.app.ask.levels.conftest import Desk
from tests.app.ask.levels.facts import FACTS
from tests.app.ask.levels.oracle import Oracle
from tests.app.ask.levels.writing import chronicle

ROOT = Path(__file__).resolve().parents[4]

#: Seconds of one call of the scout.
CALL = 0.05


def start(path: Path, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.app.ask.levels.reader", str(path), str(log), str(CALL)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def calls(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()]


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_killed_reading_does_one_call_again_at_most(tmp_path: Path, kills: int) -> None:
    path, log, rng = tmp_path / "library.sqlite", tmp_path / "log", Random(kills)
    log.touch()
    with Library.open(path) as library:
        Desk(library).put(chronicle(FACTS, 150 * kills))
    for _ in range(kills):
        wanted = len(calls(log)) + rng.randint(1, 4)
        process = start(path, log)
        while len(calls(log)) < wanted and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 2 * CALL))
        assert process.poll() is None, "the reading ended before it was killed"
        process.kill()
        process.wait()
    process = start(path, log)
    status, read, windows = process.communicate()[0].split()
    assert (status, read) == ("not_found", windows)
    scored = Counter(window for call in calls(log) for window in call)
    again = sum(times - 1 for times in scored.values())
    assert again <= kills * Oracle.rows
    with Library.open(path) as library:
        assert library.verify() == []
