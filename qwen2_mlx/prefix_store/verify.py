"""Reading stored prefixes only to find out whether they are whole."""

from collections.abc import Callable
from pathlib import Path

from qwen2_mlx.prefix_store.entry import DamagedEntryError, check_entry, read_tokens
from qwen2_mlx.prefix_store.folder import Folder, StoredFile
from qwen2_mlx.prefix_store.key import entry_key


def damage(
    folder: Folder, stored: StoredFile, on_progress: Callable[[int], None] | None = None
) -> tuple[str, Path | None] | None:
    """What is wrong with an entry, and where it was moved to; None for a whole one, or one that is gone.

    `on_progress` is told the bytes of each part that was read. Raises `OSError` where the disk
    does not answer.
    """
    try:
        with stored.path.open("rb") as file:
            try:
                header = check_entry(file, on_progress)
                if entry_key(header.facts, read_tokens(file, header)) != stored.key:
                    raise DamagedEntryError("it is not the entry of its name")
            except DamagedEntryError as error:
                return str(error), folder.set_aside(stored.path, file)
    except FileNotFoundError:
        pass
    return None
