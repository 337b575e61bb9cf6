"""The folder beside the target in which a conversion works, and how it becomes the target.

`.NAME.converting` holds `model`, which is all that the target will be, the journal, and a
file whose lock says that a program is at work here. The lock ends with the program, however
that ends. `model` takes the target's name in one step when nothing is missing in it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from convert.journal import NAME, belongs_to
from qwen2_mlx.errors import Qwen2Error

_LOCK = "lock"
_MODEL = "model"

#: Everything else in a work folder beside the journal: states of calibrations.
_STATES = ("state-*.safetensors", "partial-state-*.safetensors")


@dataclass
class WorkFolder:
    """A locked work folder. `keep` says whether it outlives a failure."""

    path: Path
    place: Path
    keep: bool = False

    @property
    def model(self) -> Path:
        """What will be the target."""
        return self.path / _MODEL

    def begin(self) -> None:
        """Empties the folder, for a conversion that begins anew."""
        _empty(self.path)
        self.model.mkdir()

    def was_finished(self, identity: str) -> bool:
        """Whether the conversion `identity` got its target but not its work folder away."""
        return _is_full(self.place) and not self.model.exists() and belongs_to(self.path, identity)

    def finish(self) -> None:
        """Gives the finished model its name, in one step."""
        sync(self.model)
        self.model.rename(self.place)  # also onto an empty folder
        sync(self.place.parent)


def path_of(target: Path) -> Path:
    """The work folder of a conversion to `target`."""
    place = _place_of(target)
    return place.parent / f".{place.name}.converting"


@contextmanager
def work_folder(target: Path) -> Iterator[WorkFolder]:
    """The work folder of `target`, locked; removed in the end unless there is reason to go on later.

    It stays after an interruption, and after a failure if its `keep` was set. Raises `Qwen2Error`
    when another conversion holds it, and when it cannot be written.
    """
    place = _place_of(target)
    new_parents = [parent for parent in place.parents if not parent.exists()]
    path = path_of(target)
    stays = False
    folder = WorkFolder(path, place)
    try:
        with _locked(path, target):
            try:
                yield folder
            except KeyboardInterrupt:
                stays = True
                raise
            except BaseException:
                stays = folder.keep
                raise
            finally:
                if not stays:
                    _empty(path)
                    (path / _LOCK).unlink(missing_ok=True)
                    with suppress(OSError):  # somebody else put something there
                        path.rmdir()
    except OSError as error:
        raise Qwen2Error(f"{target} cannot be written: {error.strerror or error}") from None
    finally:
        for parent in new_parents:
            with suppress(OSError):  # it holds the result
                parent.rmdir()


def check_target(target: Path) -> None:
    """Raises `Qwen2Error` when `target` exists with something in it, or cannot get its name."""
    if _place_of(target).is_mount():
        raise Qwen2Error(f"{target} is the root of a disk; choose a folder on it as --mlx-path")
    if _is_full(target):
        raise Qwen2Error(f"{target} exists already; remove it or choose another --mlx-path")


def sync(path: Path) -> None:
    """Brings the bytes of a file, or the names in a folder, to the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextmanager
def _locked(path: Path, target: Path) -> Iterator[None]:
    """Makes the folder `path` and holds its lock."""
    while True:
        path.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            raise Qwen2Error(f"{path} is a link; remove it or choose another --mlx-path")
        try:
            lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except FileNotFoundError:  # its last user removed it in this moment
            continue
        try:
            if not _lock(lock):
                raise Qwen2Error(f"another conversion to {target} is at work; wait for it or choose another")
            if not _is_current(lock, path / _LOCK):
                continue
            yield
            return
        finally:
            os.close(lock)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(file: int, path: Path) -> bool:
    """Whether `path` still names the open `file`, and was not removed before it was locked."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _place_of(target: Path) -> Path:
    """What a link points to; and "." has no name that could be taken."""
    try:
        return target.resolve()
    except RuntimeError:
        raise Qwen2Error(f"{target} is a link that leads to itself; choose another --mlx-path") from None


def _is_full(target: Path) -> bool:
    return target.exists() and (not target.is_dir() or any(target.iterdir()))


def _empty(path: Path) -> None:
    """Removes from a work folder what a conversion puts there, except for its lock."""
    shutil.rmtree(path / _MODEL, ignore_errors=True)
    (path / NAME).unlink(missing_ok=True)
    for pattern in _STATES:
        for file in path.glob(pattern):
            file.unlink(missing_ok=True)
