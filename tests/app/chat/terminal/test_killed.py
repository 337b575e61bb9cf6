"""However the chat dies, what was read is there, the terminal is as before, and the chat opens again."""

import os
import random
import signal
import time

import pytest

from benchmarks.tui.terminal import Terminal, children_of
from tests.app.chat.terminal.conftest import CTRL_Q, Streaming

LOST_AT_MOST = 0.05  # seconds of text before a kill


def kill_while_streaming(streaming: Streaming, terminal: Terminal, after: float) -> float:
    """Kills the screen's process `after` seconds into an answer; returns when, and the terminal's state."""
    streaming.ask(terminal)
    terminal.drain(after)
    (child,) = terminal.children
    killed = time.monotonic()
    os.kill(child, signal.SIGKILL)
    assert terminal.wait() == 128 + signal.SIGKILL
    return killed


def assert_restored(terminal: Terminal) -> None:
    assert terminal.left_on == {}
    assert terminal.is_cooked
    assert terminal.output.endswith(b"the chat is saved (qwen2-chat -c continues it)\r\n")


def assert_nothing_lost(streaming: Streaming, killed: float) -> None:
    """All that was produced is stored, but for what came in the last moment; in order, and nothing else."""
    answer = streaming.answer()
    assert answer.state == "interrupted"
    stored = answer.content.split()
    produced = streaming.produced()
    assert stored == [number for _, number in produced[: len(stored)]]
    missing = [killed - when for when, _ in produced[len(stored) :]]
    assert all(before < LOST_AT_MOST for before in missing), f"{max(missing):.3f} s of text are lost"


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_while_an_answer_is_written_loses_at_most_its_last_moment(
    streaming: Streaming, terminal: Terminal, seed: int
) -> None:
    killed = kill_while_streaming(streaming, terminal, random.Random(seed).uniform(0.0, 1.0))
    assert_restored(terminal)
    assert_nothing_lost(streaming, killed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 33))
def test_thirty_kills_lose_at_most_their_last_moments(
    streaming: Streaming, terminal: Terminal, seed: int
) -> None:
    killed = kill_while_streaming(streaming, terminal, random.Random(seed).uniform(0.0, 4.0))
    assert_restored(terminal)
    assert_nothing_lost(streaming, killed)
    last = streaming.answer().content.split("\n\n")[-1].strip()
    with streaming.start() as again:
        again.wait_for(last)


def test_after_a_kill_the_chat_opens_and_shows_what_was_written(
    streaming: Streaming, terminal: Terminal
) -> None:
    kill_while_streaming(streaming, terminal, 0.3)
    with streaming.start() as again:
        again.wait_for("7 8 9")
        again.wait_for("interrupted")
        again.write(CTRL_Q)
        assert again.wait() == 0


def test_a_terminated_chat_saves_and_tidies_up(streaming: Streaming, terminal: Terminal) -> None:
    streaming.ask(terminal)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.wait() == 128 + signal.SIGTERM
    assert terminal.left_on == {}
    assert terminal.is_cooked
    assert streaming.answer().state == "stopped"
    assert streaming.answer().content.startswith("0 1 2 3 4 5 6 7 8 9\n\n")


def test_a_chat_whose_terminal_is_closed_saves_and_ends(streaming: Streaming) -> None:
    terminal = streaming.start()
    streaming.ask(terminal)
    (child,) = terminal.children
    os.close(terminal.master)
    os.close(terminal._slave)
    try:
        # The signal and the failing read of the keys come at the same moment; either ends it.
        assert terminal.process.wait(10) in (1, 128 + signal.SIGHUP)
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    finally:
        if terminal.process.poll() is None:
            os.killpg(terminal.process.pid, signal.SIGKILL)
    assert streaming.answer().state == "stopped"


def test_a_chat_whose_supervisor_is_killed_gives_the_terminal_to_the_shell(streaming: Streaming) -> None:
    with streaming.start("sh", "-c", '"$@"; echo the shell goes on; sleep 60', "sh") as terminal:
        streaming.ask(terminal)
        (supervisor,) = terminal.children
        (child,) = children_of(supervisor)
        os.kill(supervisor, signal.SIGKILL)
        terminal.wait_for("the shell goes on", 10)
        end = time.monotonic() + 10
        while terminal.left_on or not terminal.is_cooked or is_running(child):
            assert time.monotonic() < end, "the chat goes on without its supervisor"
            terminal.drain(0.1)
    assert streaming.answer().state == "stopped"


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_quitting_while_an_answer_is_written_keeps_it_and_is_quick(
    streaming: Streaming, terminal: Terminal
) -> None:
    streaming.ask(terminal)
    began = time.monotonic()
    terminal.write(CTRL_Q)
    assert terminal.wait() == 0
    assert time.monotonic() - began < 5  # 0.5 s where nothing else runs; see benchmarks.tui
    assert terminal.left_on == {}
    assert terminal.is_cooked
    assert streaming.answer().state == "stopped"
    stored = streaming.answer().content.split()
    assert stored == [number for _, number in streaming.produced()][: len(stored)]


def test_a_suspended_chat_gives_the_terminal_back_and_comes_again(
    streaming: Streaming, terminal: Terminal
) -> None:
    terminal.drain(0.3)
    terminal.process.send_signal(signal.SIGTSTP)
    end = time.monotonic() + 10
    while terminal.modes.get(1049):
        assert time.monotonic() < end
        terminal.drain(0.05)
    terminal.drain(0.3)
    assert terminal.left_on == {}
    assert terminal.is_cooked
    since = len(terminal.output)
    terminal.process.send_signal(signal.SIGCONT)
    terminal.wait_for("Ask something", since=since)
    assert terminal.modes[1049]
    streaming.ask(terminal)
    terminal.write(CTRL_Q)
    assert terminal.wait() == 0
    assert terminal.left_on == {}
