"""A download that runs beside the screen: how far it is, stopping it, and what went wrong.

Stopping keeps what has arrived; the next download of the same model goes on from there.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qwen2_mlx.errors import Qwen2Error, first_line

#: Seconds over which the rate is taken: long enough to be read, short enough to be true.
WINDOW = 5.0


class Stopped(Exception):
    """The reader stopped the download."""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` bytes (0 while unknown), bytes a second, and the seconds left where known."""

    done: int
    total: int
    rate: float
    left: float | None


class Meter:
    """Counts what arrives and raises `Stopped` in the thread that counts once it is stopped.

    `expect`, `add` and `check` belong to the downloading thread, the rest to the screen.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._done = self._total = 0
        self._arrived: deque[tuple[float, int]] = deque()

    def expect(self, total: int, done: int = 0) -> None:
        """So many bytes belong to the model, of which so many are here already."""
        with self._lock:
            self._total, self._done = total, done

    def add(self, count: int) -> None:
        """So many bytes more arrived; fewer than 0 where some have to be fetched anew."""
        self.check()
        now = self._now()
        with self._lock:
            self._done += count
            self._arrived.append((now, count))
            self._forget_before(now - WINDOW)

    def check(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Waits before another try, unless it is stopped."""
        self._stop.wait(seconds)
        self.check()

    def stop(self) -> None:
        self._stop.set()

    @property
    def progress(self) -> Progress:
        now = self._now()
        with self._lock:
            self._forget_before(now - WINDOW)
            span = now - self._arrived[0][0] if self._arrived else 0.0
            arrived = sum(count for _, count in self._arrived)
            done, total = self._done, self._total
        rate = max(0.0, arrived / span) if span > 0 else 0.0
        left = (total - done) / rate if rate and total else None
        return Progress(done, total, rate, left)

    def _forget_before(self, moment: float) -> None:
        while self._arrived and self._arrived[0][0] < moment:
            self._arrived.popleft()


#: Fetches the model of a hub id into the hub's cache, telling the meter. Raises Qwen2Error or Stopped.
Fetch = Callable[[str, Meter], Path]


class Download:
    """One model on its way. Only a stalled connection outlives `stop`, for its own time limit."""

    def __init__(self, hub_id: str, fetch: Fetch | None = None) -> None:
        self.hub_id = hub_id
        self.folder: Path | None = None
        self.error = ""
        self.stopped = False
        self._fetch = fetch or _fetch_from_hub
        self._meter = Meter()
        # A daemon: quitting the program must not wait for a server.
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopped = True
        self._meter.stop()

    @property
    def running(self) -> bool:
        """Whether there is still something to wait for."""
        return not self.stopped and self._thread.is_alive()

    @property
    def progress(self) -> Progress:
        return self._meter.progress

    def join(self, timeout: float) -> bool:
        """Whether the thread ended within so many seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.folder = self._fetch(self.hub_id, self._meter)
        except Stopped:
            self.stopped = True
        except Qwen2Error as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - nobody else is there to hear of it
            self.error = f"{self.hub_id} cannot be downloaded: {first_line(error)}; try again to go on"


def _fetch_from_hub(hub_id: str, meter: Meter) -> Path:
    from app.chat.models.hub import fetch

    return fetch(hub_id, meter)
