"""The folder of a run: what was measured so far, so that an interrupted run goes on.

`settings.json` says what the results belong to. `results.jsonl` gets one line for every
finished sample, on disk before the next one starts. A folder holds results of one setting
only; more lengths, depths or modes of the same setting may join it later.
"""

import fcntl
import json
import os
from collections.abc import Mapping, Set
from pathlib import Path
from types import TracebackType
from typing import Any

from qwen2_mlx.errors import Qwen2Error

Row = dict[str, Any]

SETTINGS, RESULTS = "settings.json", "results.jsonl"


class StoreError(Qwen2Error):
    """A results folder that cannot serve this run."""


class Store:
    """The finished samples in `folder`, by mode and id; a context manager that holds the folder.

    `identity` is what decides a sample's result besides its mode and id. `fields` are the keys a
    row must have; other lines, such as one cut short by a power failure, are counted in
    `damaged` and their samples run again. `fresh` starts over. Raises `StoreError` where the
    folder belongs to other settings or another run is writing to it.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], fields: Set[str], fresh: bool = False):
        self.folder, self.damaged = folder, 0
        self._rows: dict[tuple[str, str], Row] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / RESULTS).open("a+b")
        try:
            self._lock()
            if fresh:
                self._file.truncate(0)
                (folder / SETTINGS).unlink(missing_ok=True)
            self._match(dict(identity))
            self._read(fields)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, mode: str, sample_id: str) -> Row | None:
        """The finished row of a sample, or None."""
        return self._rows.get((mode, sample_id))

    def append(self, row: Row) -> None:
        """Writes a finished sample to disk; `row` has at least `mode` and `id`."""
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._rows[row["mode"], row["id"]] = row

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"another run is writing to {self.folder}; wait for it or choose another --out"
            ) from None

    def _match(self, identity: Row) -> None:
        path = self.folder / SETTINGS
        if not path.exists():
            if self._file.seek(0, os.SEEK_END):
                raise StoreError(
                    f"{self.folder} holds {RESULTS} without {SETTINGS};"
                    " choose another --out, or --fresh to start over"
                )
            _write(path, identity)
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise StoreError(f"{path} is damaged; choose another --out, or --fresh to start over")
        identity = json.loads(json.dumps(identity))  # as it comes back from a file
        changed = [key for key in sorted({*found, *identity}) if found.get(key) != identity.get(key)]
        if changed:
            raise StoreError(
                f"{self.folder} holds results of other settings ({_difference(changed, found, identity)});"
                " choose another --out, or --fresh to start over"
            )

    def _read(self, fields: Set[str]) -> None:
        self._file.seek(0)
        lines = self._file.read().split(b"\n")
        for line in lines:
            row = _parse(line)
            if row is not None and row.keys() >= {"mode", "id", *fields}:
                self._rows[row["mode"], row["id"]] = row
            elif line.strip():
                self.damaged += 1
        if lines[-1]:  # a line that was cut short must not swallow the next one
            self._file.write(b"\n")


def _parse(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _difference(changed: list[str], found: Row, identity: Row) -> str:
    def short(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 24 else f"{text[:23]}…"

    return ", ".join(f"{key} {short(found.get(key))}, now {short(identity.get(key))}" for key in changed)


def _write(path: Path, content: Row) -> None:
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
