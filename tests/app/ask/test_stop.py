"""Ctrl-C while a question is answered."""

import signal

import pytest

from app.ask.stop import Stop


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_the_first_asks_for_the_best_so_far_and_the_second_interrupts(
    capfd: pytest.CaptureFixture[str],
) -> None:
    stop = Stop()
    with stop:
        assert not stop()
        press()
        assert stop()
        assert "Ctrl-C again quits" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            press()


def test_outside_ctrl_c_means_what_it_meant() -> None:
    stop = Stop()
    with stop:
        pass
    with pytest.raises(KeyboardInterrupt):
        press()
    assert not stop()


def test_a_quiet_one_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with Stop(quiet=True) as stop:
        press()
    assert stop()
    assert capfd.readouterr() == ("", "")


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Stop() as stop:
            press()
        assert not stop()
    finally:
        signal.signal(signal.SIGINT, before)
