"""The parent of the full-screen chat: signals reach the child, and the terminal comes back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.chat import supervisor
from benchmarks.tui.terminal import Terminal

ROOT = Path(__file__).resolve().parents[4]

#: A child that does to the terminal what a full-screen program does.
FULL_SCREEN = r"""
import os, signal, sys, termios, time, tty
tty.setraw(0)
sys.stderr.write("\x1b[?1049h\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?1004h\x1b[?2004h\x1b[?25l\x1b[?7l\x1b[>25u")
sys.stderr.flush()
def tell(number, frame):
    sys.stderr.write(f"<{signal.Signals(number).name}>")
    sys.stderr.flush()
for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1", "SIGCONT"):
    signal.signal(getattr(signal, name), tell)
def stop(number, frame):
    tell(number, frame)
    os.kill(os.getpid(), signal.SIGSTOP)
signal.signal(signal.SIGTSTP, stop)
sys.stderr.write("<ready>")
sys.stderr.flush()
while os.read(0, 1) != b"q":
    pass
sys.stderr.write("\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[?25h\x1b[?7h\x1b[<u")
sys.exit(7)
"""


def supervised(code: str, *arguments: str) -> Terminal:
    """The supervisor on a terminal, with `code` as its child."""
    program = (
        "import sys; from app.chat.supervisor import supervise;"
        " sys.exit(supervise(sys.argv[1], sys.argv[2:]))"
    )
    return Terminal([sys.executable, "-c", program, code, *arguments], cwd=ROOT)


def state_of(pid: int) -> str:
    """The letter of a process's state, "T" when it is stopped."""
    shown = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip()[:1]


def wait_for_state(terminal: Terminal, pid: int, stopped: bool) -> None:
    end = time.monotonic() + 10
    while (state_of(pid) == "T") != stopped:
        assert time.monotonic() < end, f"{pid} is {state_of(pid)!r}"
        terminal.drain(0.02)


def test_the_exit_code_of_the_child_is_passed_on_and_nothing_is_added() -> None:
    with supervised(FULL_SCREEN) as terminal:
        terminal.wait_for("<ready>")
        terminal.write("q")
        assert terminal.wait() == 7
        assert b"ended by" not in terminal.output
        assert supervisor.RESTORE.encode() not in terminal.output


def test_flags_and_packages_reach_the_child_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()  # what lies in the current folder is not what runs
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from app.chat.supervisor import supervise;"
        " sys.exit(supervise('import app.cli; print(sys.argv[1:])', ['--model', 'a b']))"
    )
    with Terminal([sys.executable, "-c", program], cwd=tmp_path) as terminal:
        assert terminal.wait() == 0
        assert terminal.output == b"['--model', 'a b']\r\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV])
def test_after_any_death_the_terminal_is_as_before(number: signal.Signals) -> None:
    with supervised(FULL_SCREEN) as terminal:
        terminal.wait_for("<ready>")
        assert not terminal.is_cooked
        assert terminal.left_on
        (child,) = terminal.children
        os.kill(child, number)
        assert terminal.wait() == 128 + number
        assert terminal.left_on == {}
        assert terminal.is_cooked
        assert terminal.output.count(b"\x1b[<u") == 1, "the keyboard protocol is popped once"
        assert terminal.output.decode().endswith(
            f"qwen2-chat: ended by signal {int(number)}; the chat is saved (qwen2-chat -c continues it)\r\n"
        )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
def test_a_signal_to_the_parent_reaches_the_child(name: str) -> None:
    with supervised(FULL_SCREEN) as terminal:
        terminal.wait_for("<ready>")
        terminal.process.send_signal(getattr(signal, name))
        terminal.wait_for(f"<{name}>", 10)
        terminal.write("q")
        assert terminal.wait() == 7


def test_signals_that_come_one_after_the_other_all_arrive() -> None:
    with supervised(FULL_SCREEN) as terminal:
        terminal.wait_for("<ready>")
        for _ in range(3):
            since = len(terminal.output)
            terminal.process.send_signal(signal.SIGUSR1)
            terminal.wait_for("<SIGUSR1>", 10, since)


@pytest.mark.parametrize("to_group", [False, True], ids=["to-the-parent", "to-the-group"])
def test_both_stop_and_go_on_together(to_group: bool) -> None:
    with supervised(FULL_SCREEN) as terminal:
        terminal.wait_for("<ready>")
        (child,) = terminal.children
        parent = terminal.process.pid
        for _ in range(2):
            since = len(terminal.output)
            (os.killpg if to_group else os.kill)(parent, signal.SIGTSTP)
            wait_for_state(terminal, parent, stopped=True)
            wait_for_state(terminal, child, stopped=True)
            (os.killpg if to_group else os.kill)(parent, signal.SIGCONT)
            terminal.wait_for("<SIGCONT>", 10, since)
            wait_for_state(terminal, parent, stopped=False)
            terminal.drain(0.3)
            assert terminal.output.count(b"<SIGTSTP>", since) == 1, "stopped once"
            assert terminal.output.count(b"<SIGCONT>", since) == 1, "continued once"
        terminal.write("q")
        assert terminal.wait() == 7


def test_a_child_that_dies_while_stopped_is_noticed() -> None:
    with supervised(FULL_SCREEN) as terminal:
        terminal.wait_for("<ready>")
        (child,) = terminal.children
        os.kill(child, signal.SIGSTOP)
        wait_for_state(terminal, terminal.process.pid, stopped=True)
        os.kill(child, signal.SIGKILL)
        os.kill(terminal.process.pid, signal.SIGCONT)
        assert terminal.wait() == 128 + signal.SIGKILL
        assert terminal.left_on == {}
