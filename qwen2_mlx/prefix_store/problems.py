"""What goes wrong with the store is told once, and never stops an answer."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from qwen2_mlx.prefix_store.entry import DamagedEntryError
from qwen2_mlx.prefix_store.folder import Folder, NoRoomError


class Problems:
    """Turns them into lines for `notify`."""

    def __init__(self, notify: Callable[[str], None]):
        self.notify = notify
        self._told: set[str] = set()

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Ends its block, without an exception, where the disk fails or an entry is damaged or gone."""
        try:
            yield
        except (FileNotFoundError, DamagedEntryError):
            pass  # removed meanwhile; or told where it was found
        except (OSError, NoRoomError) as error:
            reason = error.strerror or error if isinstance(error, OSError) else error
            self._once(f"the processed text is not kept for later questions: {reason}")

    @contextlib.contextmanager
    def opened(self, path: Path, folder: Folder) -> Iterator[BinaryIO]:
        """An entry for reading, which is set aside where the block raises `DamagedEntryError`."""
        with path.open("rb") as file:
            try:
                yield file
            except DamagedEntryError as error:
                aside = folder.set_aside(path, file)
                if aside:
                    self._once(
                        f"a stored text is damaged ({error}) and is read anew; it was moved to {aside}"
                    )
                raise

    def _once(self, message: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self.notify(message)
