"""A writer that is killed at any moment: nothing that it had said was stored is missing."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.chat.options import Options
from app.chat.store import Store
from tests.app.chat.store.samples import check
from tests.app.programs import ROOT

#: Asks and answers in chat 1 without end. Says which answer it writes and each piece once it is stored.
WRITER = """
import itertools, sys
from pathlib import Path
from app.chat.store import Generation, Store
store = Store.open(Path(sys.argv[1]))
journal = store.journal()
for turn in itertools.count():
    question = store.add_message(1, store.chat(1).head, "user", f"question {turn}")
    answer = store.begin_answer(1, question.id, Generation("tiny"))
    sys.stdout.write(f"answer {answer.id}\\n")
    for number in range(60):
        journal.append(answer.id, f"{number} ")
        sys.stdout.write(f"piece {answer.id} {number}\\n")
        sys.stdout.flush()
    store.finish_answer(answer.id, "complete")
"""


def killed_after(place: Path, seconds: float) -> list[str]:
    """What the writer had said when it was killed, so many seconds after its first word."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        return [first, *writer.stdout.readlines()]


def check_after_kill(place: Path, said: list[str]) -> None:
    acknowledged: dict[int, int] = {}
    for line in said:
        if line.startswith("piece ") and line.endswith("\n"):
            _, message, number = line.split()
            acknowledged[int(message)] = int(number)
    with Store.open(place) as store:
        check(store)
        stubs = store.path(1)
        states = [stub.state for stub in stubs if stub.role == "assistant"]
        assert set(states[:-1]) <= {"complete", "interrupted"}
        assert states[-1] in ("complete", "interrupted")
        for message, number in acknowledged.items():
            pieces = store.message(message).content.split()
            assert pieces == [str(n) for n in range(len(pieces))]
            assert number < len(pieces) <= number + 2 or len(pieces) == 60
        assert store._database.rows("SELECT count(*) FROM journal") == [(0,)]


def killed_often(place: Path, times: int) -> None:
    with Store.open(place) as store:
        store.new_chat(Options())
    random.seed(times)
    said: list[str] = []
    for _ in range(times):
        said += killed_after(place, random.uniform(0, 0.25))
        check_after_kill(place, said)
    assert sum(line.startswith("piece") for line in said) > 20 * times


def test_a_killed_writer_loses_nothing_that_it_acknowledged(place: Path) -> None:
    killed_often(place, 5)


@pytest.mark.slow
def test_thirty_kills_lose_nothing_that_was_acknowledged(place: Path) -> None:
    killed_often(place, 30)
