"""Carrying out a plan: every unit's bytes go to their place in files that have their full size.

A few threads produce units side by side, each a piece at a time, so memory stays the same
whatever the model. This thread brings finished units to the disk and then records them.
"""

import hashlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from convert.journal import Hashes, Journal, hash_of
from convert.plan import Plan
from convert.unit import Unit
from convert.work_folder import sync
from qwen2_mlx.errors import Qwen2Error


@dataclass(frozen=True)
class Events:
    """What a conversion says while it runs.

    `restarted`: remains of another conversion were given up. `found` and `done` are given bytes: of a
    unit that an earlier run finished, and of one that was finished now.
    """

    restarted: Callable[[], None] = lambda: None
    found: Callable[[int], None] = lambda size: None
    done: Callable[[int], None] = lambda size: None


#: Finished bytes and seconds after which they are brought to the disk and recorded.
SYNC_BYTES = 256 * 2**20
SYNC_SECONDS = 2.0

#: A GPU takes work from one thread; processors have been seen to gain from a second, not from more,
#: because reading, writing and hashing fill the gaps of one.
_THREADS_ON_CPU = 2
_WAIT_SECONDS = 0.1

#: Bytes of freed buffers that MLX keeps for reuse while rows are streamed; its own limit lets them
#: grow to the size of the machine.
_BUFFER_CACHE = 64 * 2**20


def stream(plan: Plan, folder: Path, journal: Journal, events: Events) -> None:
    """Writes all files of weights into `folder`, apart from what `journal` has and `folder` holds.

    Raises a `Qwen2Error` for a source that cannot be read or a disk that is full.
    """
    with _files(plan, folder) as files:
        writer = _Writer(plan, files, journal, events)
        finished = _verified(plan, folder, journal, events)
        with _small_buffer_cache():
            _produce_side_by_side([unit for unit in plan.units if unit.name not in finished], writer)
        if plan.chain is not None:
            units = plan.chain.units
            done = next((n for n, unit in enumerate(units) if unit.name not in finished), len(units))
            for unit in units[plan.chain.resume(done, folder.parent) :]:
                writer.done(unit, writer.write(unit))
                writer.sync()


class _Writer:
    """Puts the bytes of units in their places, and records them."""

    def __init__(self, plan: Plan, files: Mapping[str, int], journal: Journal, events: Events):
        self._places, self._files = plan.places, files
        self._journal, self._events = journal, events
        self._unsynced: dict[str, Hashes] = {}
        self._unsynced_bytes, self._synced = 0, time.monotonic()
        self.stop = threading.Event()

    def write(self, unit: Unit) -> Hashes:
        """Produces a unit and writes it; returns the hashes of its tensors. For any thread."""
        places = {name: self._places[name] for name in unit.outputs}
        written = dict.fromkeys(places, 0)
        digests = {name: hashlib.sha256() for name in places}
        for name, piece in unit.produce():
            place = places[name]
            if written[name] + len(piece) > place.nbytes:
                raise ValueError(f"{name} is longer than the {place.nbytes} bytes of the plan")
            with _writing(place.file):
                _put(self._files[place.file], place.offset + written[name], piece)
            digests[name].update(piece)
            written[name] += len(piece)
            if self.stop.is_set():
                break
        else:
            short = [name for name, place in places.items() if written[name] != place.nbytes]
            if short:
                raise ValueError(
                    f"{short[0]} is shorter than the {places[short[0]].nbytes} bytes of the plan"
                )
        return {name: digest.hexdigest() for name, digest in digests.items()}

    def done(self, unit: Unit, hashes: Hashes) -> None:
        """Notes a finished unit, and brings it to the disk if it is time."""
        size = sum(self._places[name].nbytes for name in hashes)
        self._unsynced[unit.name] = hashes
        self._unsynced_bytes += size
        self._events.done(size)
        self.sync_if_due()

    def sync_if_due(self) -> None:
        due = time.monotonic() - self._synced > SYNC_SECONDS or self._unsynced_bytes > SYNC_BYTES
        if due and self._unsynced:
            self.sync()

    def sync(self) -> None:
        """Brings what was written to the disk, and then records it."""
        for name, file in self._files.items():
            with _writing(name):
                os.fsync(file)
        self._journal.add(self._unsynced)
        self._unsynced, self._unsynced_bytes, self._synced = {}, 0, time.monotonic()


def _produce_side_by_side(units: Sequence[Unit], writer: _Writer) -> None:
    """Produces independent units on a few threads; a failure or interruption ends them all."""
    waiting: queue.SimpleQueue[Unit] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[Unit, Hashes] | BaseException] = queue.SimpleQueue()
    for unit in units:
        waiting.put(unit)

    def work() -> None:
        try:
            while not writer.stop.is_set():
                unit = waiting.get_nowait()
                results.put((unit, writer.write(unit)))
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            results.put(error)

    count = _THREADS_ON_CPU if mx.default_device().type == mx.DeviceType.cpu else 1
    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(count, len(units)))]
    for thread in threads:
        thread.start()
    try:
        left = len(units)
        while left:
            try:
                result = results.get(timeout=_WAIT_SECONDS)
            except queue.Empty:
                writer.sync_if_due()
                continue
            if isinstance(result, BaseException):
                raise result
            writer.done(*result)
            left -= 1
        writer.sync()
    finally:
        writer.stop.set()
        for thread in threads:
            thread.join()
    writer.stop.clear()


def _verified(plan: Plan, folder: Path, journal: Journal, events: Events) -> set[str]:
    """The recorded units whose bytes are still those that were recorded."""
    units = [*plan.units, *(plan.chain.units if plan.chain else [])]
    finished = set()
    for unit in units:
        recorded = journal.finished.get(unit.name)
        if recorded is None or recorded.keys() != unit.outputs.keys():
            continue
        if all(hash_of(folder, plan.places[name]) == value for name, value in recorded.items()):
            finished.add(unit.name)
            events.found(sum(plan.places[name].nbytes for name in recorded))
    return finished


@contextmanager
def _files(plan: Plan, folder: Path) -> Iterator[dict[str, int]]:
    """Every file of weights, open, with its header and its full size."""
    opened: dict[str, int] = {}
    try:
        for name, size in plan.file_bytes().items():
            with _writing(name):
                file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
                opened[name] = file
                if os.fstat(file).st_size != size:
                    os.ftruncate(file, size)
                _put(file, 0, memoryview(plan.headers[name]))
        sync(folder)
        yield opened
    finally:
        for file in opened.values():
            os.close(file)


def _put(file: int, offset: int, piece: memoryview) -> None:
    """Writes all of `piece`; a disk that is nearly full takes a part of it at first."""
    while piece:
        count = os.pwrite(file, piece, offset)
        piece, offset = piece[count:], offset + count


@contextmanager
def _small_buffer_cache() -> Iterator[None]:
    usual = mx.set_cache_limit(_BUFFER_CACHE)
    try:
        yield
    finally:
        mx.set_cache_limit(usual)


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Qwen2Error(
            f"{name} cannot be written: {error.strerror or error}; check the free space on the disk"
        ) from None
