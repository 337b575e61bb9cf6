"""Arrays on disk by name, so that long measurements resume and are never made twice."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Shelf:
    """A folder of small `.npz` files. Names are hashes and plain words; whoever names them says what
    everything in them depends on, so that another model or setting never meets a stale file.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def within(self, name: str) -> "Shelf":
        """The shelf `name` on this one."""
        return Shelf(self.folder / name)

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays, or None where there are none or the file is damaged: they are made again."""
        try:
            with np.load(self._path(name), allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError):
            return None

    def save(self, name: str, arrays: Arrays) -> None:
        """Writes all of them or nothing. Raises `OSError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".{name}.{os.getpid()}.part"
        try:
            with partial.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path(name))
        finally:
            partial.unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        """Whether `load` gives arrays; reads them to know."""
        return self.load(name) is not None

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npz"
