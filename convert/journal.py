"""What of a conversion is finished and safely on disk.

The first line names the conversion: a hash of its source, its recipe and all it will write. Each
further line names a unit and the hash of each of its tensors, and is written only after
their bytes reached the disk. So whatever moment the program or the machine stops at, a line
that can be read is true, apart from damage that the hashes show.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from convert.plan import Place, Plan

NAME = "journal"

#: Raised when the same plan would be carried out with other bytes as the result.
VERSION = 1

_READ_BYTES = 1 << 20

#: Hashes by tensor name.
Hashes = dict[str, str]


def identity(plan: Plan, *parts: object) -> str:
    """A hash of all that decides the bytes of a conversion: its plan, and `parts` beside it."""
    described = [
        VERSION,
        [str(part) for part in parts],
        plan.recipe.method,
        [(path, repr(format)) for path, format in plan.formats.items()],
        {file: hashlib.sha256(header).hexdigest() for file, header in plan.headers.items()},
        [unit.name for unit in plan.units],
    ]
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()


class Journal:
    """The journal of a work folder, open for adding to."""

    def __init__(self, folder: Path, identity: str):
        """Takes up the journal in `folder` if it is that of the conversion `identity`, else begins one."""
        self._path = folder / NAME
        self.finished: dict[str, Hashes] = {}
        kept = self._read(identity)
        self.resumed = kept > 0
        self._file = self._path.open("r+b" if self.resumed else "wb")
        self._file.truncate(kept)  # a line that was cut off must not run into the next
        self._file.seek(kept)
        if not self.resumed:
            self._append([{"conversion": identity}])

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, finished: Mapping[str, Hashes]) -> None:
        """Records units by name, whose bytes must be on disk by now."""
        self.finished |= finished
        self._append({"unit": name, "sha256": hashes} for name, hashes in finished.items())

    def _append(self, lines: Iterable[dict[str, Any]]) -> None:
        self._file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, identity: str) -> int:
        """Notes the finished units of this conversion; returns the bytes that can be kept, 0 for none."""
        kept = 0
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return 0
        for line in content.splitlines(keepends=True):
            entry = _entry(line)
            if entry is None:
                break
            if kept == 0:
                if entry.get("conversion") != identity:
                    return 0
            elif not self._note(entry):
                break
            kept += len(line)
        return kept

    def _note(self, entry: dict[str, Any]) -> bool:
        unit, hashes = entry.get("unit"), entry.get("sha256")
        if not isinstance(unit, str) or not isinstance(hashes, dict):
            return False
        self.finished[unit] = hashes
        return True


def belongs_to(folder: Path, identity: str) -> bool:
    """Whether the journal in `folder` is that of the conversion `identity`."""
    try:
        with (folder / NAME).open("rb") as file:
            entry = _entry(file.readline())
    except OSError:
        return False
    return entry is not None and entry.get("conversion") == identity


def hash_of(folder: Path, place: Place) -> str | None:
    """The hash of a tensor's bytes as they are in `folder`; None where they cannot be read."""
    digest, left = hashlib.sha256(), place.nbytes
    try:
        with (folder / place.file).open("rb", buffering=0) as file:
            file.seek(place.offset)
            while left and (read := file.read(min(left, _READ_BYTES))):
                digest.update(read)
                left -= len(read)
    except OSError:
        return None
    return None if left else digest.hexdigest()


def _entry(line: bytes) -> dict[str, Any] | None:
    """A whole line of a journal."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
