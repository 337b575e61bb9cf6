"""The documents of a question: read where they are new or changed, else taken from the library."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.ask.documents.find import find_files
from app.ask.documents.read import STDIN, read_document, read_stdin
from app.ask.events import Working
from app.ask.library import File, Library
from app.ask.progress import Watcher
from qwen2_mlx.errors import Qwen2Error


@dataclass(frozen=True)
class Sources:
    """Documents in the library, each once, and what people should know about them."""

    files: tuple[File, ...]
    warnings: tuple[str, ...]

    def __add__(self, other: "Sources") -> "Sources":
        files = {file.id: file for file in (*self.files, *other.files)}
        warnings = dict.fromkeys((*self.warnings, *other.warnings))
        return Sources(tuple(files.values()), tuple(warnings))


def read_sources(
    names: Sequence[str],
    only: str | None,
    library: Library,
    watcher: Watcher,
    earlier: Sequence[tuple[int, str]] = (),
) -> Sources:
    """Brings files, folders and stdin ("-") into the library, after what was asked about `earlier`.

    `only` is a pattern for files in folders; `earlier` are ids and paths. What cannot be read is a
    warning, which `watcher` is told. Raises `Qwen2Error` where nothing is left.
    """
    stored = {file.id: file for file in library.files()}
    reader = _Reader(library, watcher, frozenset(file.path for file in stored.values()))
    sources = _earlier(earlier, stored, reader) + _named(names, only, reader, watcher)
    if not sources.files:
        raise Qwen2Error(_nothing(sources.warnings))
    for warning in sources.warnings:
        watcher.tell(warning)
    return sources


@dataclass(frozen=True)
class _Reader:
    """Brings files into a library which held those at the paths `before`."""

    library: Library
    watcher: Watcher
    before: frozenset[str]

    def read(self, path: Path) -> File:
        """The file at `path` as it is now, read only if the library does not hold it so."""
        if path == STDIN:
            return self.library.add(read_stdin(), None)
        if file := self.library.find(path):
            return file
        file = self.library.add(read_document(path, _page_progress(path, self.watcher)), path)
        if file.path in self.before:
            self.watcher.tell(f"{file.name} has changed since it was last asked about and was read again")
        return file


def _named(names: Sequence[str], only: str | None, reader: _Reader, watcher: Watcher) -> Sources:
    paths: dict[Path, None] = {}
    files, warnings = [], []
    for name in names:
        try:
            found = find_files([name], only)
        except Qwen2Error as error:
            warnings.append(str(error))
        else:
            paths.update(dict.fromkeys(found.files))
            warnings += found.warnings
    for number, path in enumerate(paths):
        watcher.happened(Working("opening", number, len(paths), "files", best=path.name))
        try:
            files.append(reader.read(path))
        except Qwen2Error as error:
            warnings.append(str(error))
    return Sources(tuple(files), (*warnings, *_warnings(files)))


def _earlier(files: Sequence[tuple[int, str]], stored: Mapping[int, File], reader: _Reader) -> Sources:
    """One that is gone from its place is taken as it was, where the library still holds it."""
    found, warnings = [], []
    for id, path in files:
        try:
            found.append(reader.read(_as_named(path)) if path else stored[id])
        except Qwen2Error as error:
            if id in stored:
                found.append(stored[id])
            warnings.append(f"{error}; using the text as it was" if id in stored else str(error))
        except KeyError:
            warnings.append("the text from stdin of this conversation is not in the library any more")
    return Sources(tuple(found), (*warnings, *_warnings(found)))


def _as_named(path: str) -> Path:
    """An absolute path as people would name it here."""
    absolute, here = Path(path), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else absolute


def _page_progress(path: Path, watcher: Watcher) -> Callable[[int, int], None]:
    return lambda done, total: watcher.happened(Working("opening", done, total, "pages", best=path.name))


def _warnings(files: Sequence[File]) -> list[str]:
    return [f"{file.name}: {warning}" for file in files for warning in file.warnings]


def _nothing(warnings: Sequence[str]) -> str:
    if not warnings:
        return "no document was found; give a file, or a folder that holds some"
    rest = f" ({len(warnings) - 1} more could not be read either)" if len(warnings) > 1 else ""
    return warnings[0] + rest
