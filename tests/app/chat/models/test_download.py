"""A download beside the screen: how far it is, how fast, and that stopping stops it."""

import threading
import time
from pathlib import Path

from app.chat.models.download import Download, Meter, Stopped
from qwen2_mlx.errors import ModelNotFoundError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_rate_and_time_left_follow_the_last_seconds() -> None:
    clock = Clock()
    meter = Meter(clock)
    assert meter.progress.total == 0
    assert meter.progress.left is None
    meter.expect(1000, 100)
    meter.add(0)
    for _ in range(4):
        clock.now += 1
        meter.add(50)
    progress = meter.progress
    assert (progress.done, progress.total, progress.rate) == (300, 1000, 50.0)
    assert progress.left == 14.0
    clock.now += 60
    assert meter.progress.rate == 0.0
    assert meter.progress.left is None


def test_bytes_that_must_come_again_never_make_the_rate_negative() -> None:
    clock = Clock()
    meter = Meter(clock)
    meter.expect(1000, 500)
    meter.add(0)
    clock.now += 1
    meter.add(-500)
    assert meter.progress.rate == 0.0
    assert meter.progress.done == 0


def run(download: Download) -> Download:
    download.start()
    assert download.join(10)
    return download


def test_a_folder_or_the_reason_is_left_behind() -> None:
    assert run(Download("a/b", lambda *_: Path("/models/b"))).folder == Path("/models/b")

    def missing(*_: object) -> Path:
        raise ModelNotFoundError("there is no model a/b on the hub; check the spelling")

    assert run(Download("a/b", missing)).error.startswith("there is no model a/b")

    def broken(*_: object) -> Path:
        raise RuntimeError("what\nis this")

    assert run(Download("a/b", broken)).error == "a/b cannot be downloaded: what; try again to go on"


def test_stopping_ends_the_thread_and_is_no_error() -> None:
    begun = threading.Event()

    def endless(_: str, meter: Meter) -> Path:
        while True:
            begun.set()
            meter.add(1)
            time.sleep(0.001)

    download = Download("a/b", endless)
    download.start()
    assert begun.wait(10)
    assert download.running
    download.stop()
    assert not download.running
    assert download.join(10)
    assert (download.error, download.folder) == ("", None)


def test_a_stop_during_a_pause_ends_it_at_once() -> None:
    meter = Meter()
    threading.Timer(0.05, meter.stop).start()
    try:
        meter.wait(60)
    except Stopped:
        return
    raise AssertionError("it waited")
