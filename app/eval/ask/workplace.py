"""The files of one sheet on disk, and a library for each contestant that nobody else has asked.

Files are read and indexed once; every contestant then gets a copy of that library, so that none
profits from windows that another one scored.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from app.eval.ask.sheet import Sheet


class Workplace:
    """A temporary folder; use `workplace` to have one."""

    def __init__(self, folder: Path, sheet: Sheet):
        self.folder, self.sheet = folder, sheet
        self.files = tuple(folder / "documents" / file.name for file in sheet.files)
        self._standing: dict[str, str] = {}
        self._libraries = 0
        (folder / "documents").mkdir()
        for path, file in zip(self.files, sheet.files, strict=True):
            path.write_bytes(file.text.encode())

    def prepared(self, prepare: Callable[[Path], None]) -> Path:
        """A new library that holds what `prepare` puts into one the first time."""
        base = self.folder / "base.sqlite"
        if not base.exists():
            prepare(base)
        self._libraries += 1
        return Path(shutil.copyfile(base, self.folder / f"library-{self._libraries}.sqlite"))

    def new_folder(self, name: str) -> Path:
        """An empty folder of its own for a contestant."""
        path = self.folder / f"{name}-{self._libraries}"
        path.mkdir()
        return path

    def edit(self, sentence: str, replacement: str) -> None:
        """Puts another sentence where `sentence` stood when the files were written."""
        standing = self._standing.get(sentence, sentence)
        for path in self.files:
            text = path.read_bytes().decode()
            if standing in text:
                path.write_bytes(text.replace(standing, replacement, 1).encode())
        self._standing[sentence] = replacement


@contextmanager
def workplace(sheet: Sheet) -> Iterator[Workplace]:
    """The files of a sheet, for as long as they are asked about."""
    with TemporaryDirectory(prefix="qwen2-eval-") as folder:
        yield Workplace(Path(folder), sheet)
