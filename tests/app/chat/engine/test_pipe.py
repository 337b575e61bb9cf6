"""An engine in a process of its own: what its death costs, and that it leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat.engine import (
    Count,
    Counted,
    Died,
    Event,
    Failed,
    Finished,
    Fit,
    Fitted,
    Generate,
    Load,
    Loaded,
    Memory,
    Status,
    Stop,
    Text,
)
from app.chat.engine.pipe import PipeEngine
from app.chat.engine.process import reason
from app.chat.options import Setup
from tests.app.chat.engine import scripts
from tests.app.chat.engine.scripts import FileGate, script
from tests.app.chat.waiting import PATIENCE, events_until

ROOT = Path(__file__).resolve().parents[4]

KILLED = "the engine was killed (SIGKILL), probably out of memory; load a smaller context"


@pytest.fixture
def engine() -> Iterator[PipeEngine]:
    engine = PipeEngine(module=scripts.MODULE)
    yield engine
    assert engine.close(PATIENCE)


def pid_of(engine: PipeEngine) -> int:
    assert engine._process is not None
    return engine._process.pid


def hello(turn: int) -> Generate:
    return Generate(turn, (("user", "Hello"),), {})


def is_alive(pid: int) -> bool:
    """Whether a process still runs, one that nobody has waited for not among them."""
    if sys.platform == "linux":
        with contextlib.suppress(FileNotFoundError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)


# Death


def test_a_killed_engine_ends_its_turn_and_the_next_load_starts_another(engine: PipeEngine) -> None:
    engine.post(Load(script("endless")))
    engine.post(hello(1))
    events_until(engine, Text, 1)
    os.kill(pid_of(engine), signal.SIGKILL)
    events = events_until(engine, Died)
    assert events[-2:] == [Failed(1, KILLED), Died(KILLED)]
    engine.post(Load(script("two")))
    events_until(engine, Loaded)
    engine.post(hello(2))
    assert events_until(engine, Finished, 2)[-1] == Finished(2, "length")


def test_an_engine_that_dies_while_it_loads_fails_the_load(engine: PipeEngine, tmp_path: Path) -> None:
    engine.post(Load(script("stuck", tmp_path)))
    engine.post(hello(4))
    FileGate(tmp_path).wait()
    time.sleep(0.1)
    os.kill(pid_of(engine), signal.SIGKILL)
    assert events_until(engine, Died)[-3:] == [Failed(4, KILLED), Failed(None, KILLED), Died(KILLED)]


def test_questions_about_numbers_that_died_with_an_engine_are_answered(
    engine: PipeEngine, tmp_path: Path
) -> None:
    engine.post(Load(script("stuck", tmp_path)))
    for ticket in (1, 2):
        engine.post(Fit(ticket, Setup("tiny"), 1024))
        engine.post(Count(ticket, (("user", "four"),)))
    FileGate(tmp_path).wait()
    time.sleep(0.1)
    os.kill(pid_of(engine), signal.SIGKILL)
    assert events_until(engine, Died)[1:] == [
        Fitted(1, None, KILLED),
        Fitted(2, None, KILLED),
        Counted(2, 0),
        Failed(None, KILLED),
        Died(KILLED),
    ]


def test_an_engine_without_memory_says_so(engine: PipeEngine) -> None:
    engine.post(Load(script("fatal")))
    engine.post(hello(1))
    [*_, failed, died] = events_until(engine, Died)
    message = "the engine ran out of memory (SIGABRT); load a smaller context"
    assert (failed, died) == (Failed(1, message), Died(message))


def test_while_no_engine_runs_questions_are_refused_and_none_is_started(engine: PipeEngine) -> None:
    engine.post(hello(1))
    engine.post(Stop(1))
    engine.post(Count(2, (("user", "four"),)))
    engine.post(Status())
    events = events_until(engine, Memory)
    assert [type(event) for event in events] == [Failed, Counted, Memory]
    assert "not running" in events[0].message  # type: ignore[union-attr]
    assert engine._process is None


def test_a_smaller_context_can_be_looked_for_after_a_death(engine: PipeEngine) -> None:
    engine.post(Load(script("two")))
    events_until(engine, Loaded)
    os.kill(pid_of(engine), signal.SIGKILL)
    events_until(engine, Died)
    engine.post(Fit(1, Setup("tiny"), 1024))
    assert events_until(engine, Fitted)[-1].fits  # type: ignore[union-attr]


def test_a_death_between_turns_fails_none(engine: PipeEngine) -> None:
    engine.post(Load(script("two")))
    engine.post(hello(1))
    events_until(engine, Finished, 1)
    os.kill(pid_of(engine), signal.SIGTERM)
    assert events_until(engine, Died) == [Died("the engine crashed (SIGTERM); load the model again")]


def test_an_engine_that_cannot_start_says_what_python_said() -> None:
    engine = PipeEngine(module="tests.app.chat.engine.no_such_module")
    engine.post(Load(Setup()))
    died = events_until(engine, Died)[-1]
    assert "No module named 'tests.app.chat.engine.no_such_module'" in died.message  # type: ignore[union-attr]
    assert "\n" not in died.message  # type: ignore[union-attr]
    assert engine.close(PATIENCE)


@pytest.mark.parametrize(
    ("code", "printed", "expected"),
    [
        (-9, "", KILLED),
        (-11, "", "the engine crashed (SIGSEGV); load the model again"),
        (-6, "what(): [malloc] Unable to allocate", "the engine ran out of memory (SIGABRT)"),
        (1, "Traceback\nImportError: no mlx", "the engine ended (ImportError: no mlx); load the model again"),
        (3, "", "the engine ended (exit code 3); load the model again"),
        (-200, "", "the engine crashed (signal 200); load the model again"),
    ],
)
def test_the_reason_of_a_death_is_one_line(code: int, printed: str, expected: str) -> None:
    assert reason(code, printed).startswith(expected)


# What surrounds it


def test_what_the_process_prints_does_not_disturb_the_protocol(
    engine: PipeEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    engine.post(Load(script("printing")))
    engine.post(hello(1))
    events = events_until(engine, Finished, 1)
    assert [event.text for event in events if isinstance(event, Text)] == ["quiet ", "please"]
    assert capfd.readouterr() == ("", "")


def test_code_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("app", "json", "tests", "qwen2_mlx"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger ran')")
    monkeypatch.chdir(tmp_path)
    engine = PipeEngine()
    engine.post(Load(Setup("tiny")))
    assert isinstance(events_until(engine, Loaded)[-1], Loaded)
    assert engine.close(PATIENCE)


def test_a_model_in_a_relative_folder_is_found(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkpoint.parent)
    engine = PipeEngine()
    engine.post(Load(Setup(f"./{checkpoint.name}")))
    assert isinstance(events_until(engine, Loaded)[-1], Loaded)
    assert engine.close(PATIENCE)


# Its end


def test_closing_ends_the_process(engine: PipeEngine) -> None:
    engine.post(Load(script("endless")))
    engine.post(hello(1))
    events_until(engine, Text, 1)
    pid = pid_of(engine)
    assert engine.close(PATIENCE)
    assert gone(pid)
    assert not any(isinstance(event, Died) for event in engine.events)


def test_closing_kills_a_process_that_does_not_end(engine: PipeEngine, tmp_path: Path) -> None:
    engine.post(Load(script("stuck", tmp_path)))
    FileGate(tmp_path).wait()
    pid = pid_of(engine)
    before = time.monotonic()
    assert engine.close(0.2)
    assert time.monotonic() - before < PATIENCE / 3
    assert not is_alive(pid)


PARENT = """
import sys, time
from app.chat.engine import Generate, Load, Text
from app.chat.engine.pipe import PipeEngine
from tests.app.chat.engine import scripts
from tests.app.chat.waiting import events_until

engine = PipeEngine(module=scripts.MODULE)
engine.post(Load(scripts.script(sys.argv[1], sys.argv[2])))
if sys.argv[1] == "endless":
    engine.post(Generate(1, (("user", "Hello"),), {}))
    events_until(engine, Text, 1)
else:
    scripts.FileGate(scripts.Path(sys.argv[2])).wait()
print(engine._process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("name", ["endless", "stuck"])
def test_the_process_leaves_when_its_parent_was_killed(name: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, name, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    assert gone(pid)


def test_many_engines_leave_no_descriptor_behind(tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    def once() -> list[Event]:
        engine = PipeEngine(module=scripts.MODULE)
        engine.post(Load(script("two")))
        events = events_until(engine, Loaded)
        assert engine.close(PATIENCE)
        return events

    once()
    before = descriptors()
    for _ in range(3):
        once()
    assert descriptors() == before


def test_a_command_that_cannot_be_sent_fails_and_the_next_is_heard(engine: PipeEngine) -> None:
    engine.post(Load(script("two")))
    engine.post(Generate(1, (("user", "Hello"),), {"stop": (part for part in "ab")}))
    assert "pickle" in events_until(engine, Failed, 1)[-1].message  # type: ignore[union-attr]
    engine.post(hello(2))
    assert events_until(engine, Finished, 2)[-1] == Finished(2, "length")


def test_a_machine_that_starts_no_process_says_so(
    engine: PipeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", fail)
        engine.post(Load(script("two")))
        assert "temporarily unavailable" in events_until(engine, Failed)[-1].message  # type: ignore[union-attr]
        engine.post(Fit(1, Setup("tiny"), 1024))
        assert events_until(engine, Fitted)[-1].fits is None  # type: ignore[union-attr]
    engine.post(Load(script("two")))
    events_until(engine, Loaded)
