"""Finding the entry that saves the most, and reading it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from qwen2_mlx.prefix_store.entry import DamagedEntryError, Tensor, read_entry, read_header, read_tokens
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.prefix import Prefix
from qwen2_mlx.prefix_store.problems import Problems
from qwen2_mlx.prefix_store.tensors import LayerTensors, beginning, from_bytes, layers_of


@dataclass(frozen=True)
class Found:
    """An entry, how many tokens it holds, and how many of them can be used."""

    path: Path
    tokens: int
    usable: int

    @property
    def is_part(self) -> bool:
        """Whether a longer entry that was made from it has all it holds, in whole steps."""
        return self.tokens == self.usable


def find(folder: Folder, prefix: Prefix, step: int, problems: Problems) -> Iterator[Found]:
    """Entries that serve `prefix`: its own, then those that begin as it does, the most useful first.

    The files of others are opened only where its own is asked for in vain.
    """
    yield Found(folder.entry_path(prefix.key, len(prefix)), len(prefix), len(prefix))
    similar: list[Found] = []
    with problems.told():
        for stored in folder.files():
            if min(stored.tokens, len(prefix)) >= step:
                common = _common(folder, stored.path, prefix, problems)
                similar.append(Found(stored.path, stored.tokens, common // step * step))
    yield from sorted((one for one in similar if one.usable), key=lambda one: one.usable, reverse=True)


def load(folder: Folder, found: Found, prefix: Prefix, problems: Problems) -> LayerTensors | None:
    """What each layer's cache holds after the usable tokens; None where the entry is gone or damaged."""
    arrays: dict[str, mx.array] = {}

    def take(tensor: Tensor, data: bytearray) -> None:
        arrays[tensor.name] = from_bytes(tensor, data)

    with problems.told(), problems.opened(found.path, folder) as file:
        stored = read_header(file)
        if not prefix.is_computed_as(stored) or prefix.common(read_tokens(file, stored)) < found.usable:
            raise DamagedEntryError("it is not the entry of its name")
        if not prefix.fits(stored):
            raise DamagedEntryError("its tensors are not those of the model")
        read_entry(file, take)
        folder.touch(found.path)
        return [beginning(layer, found.usable) for layer in layers_of(arrays)]
    return None


def _common(folder: Folder, path: Path, prefix: Prefix, problems: Problems) -> int:
    """How many tokens an entry and `prefix` begin with alike, computed alike too."""
    with problems.told(), problems.opened(path, folder) as file:
        stored = read_header(file)
        return prefix.common(read_tokens(file, stored)) if prefix.is_computed_as(stored) else 0
    return 0
