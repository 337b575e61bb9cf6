"""A GGUF model on disk: one file, or the numbered parts it was split into."""

import re
from dataclasses import dataclass
from pathlib import Path

from convert.gguf.header import StoredTensor, read_header
from convert.gguf.metadata import Metadata
from qwen2_mlx.errors import CheckpointError

_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)


@dataclass(frozen=True)
class GgufFile:
    """The settings of the first part, and the tensors of all parts by name."""

    path: Path
    metadata: Metadata
    tensors: dict[str, StoredTensor]
    parts: list[Path]


def read_file(path: Path) -> GgufFile:
    """Reads the headers of `path`, and where it is one of several parts those of all of them.

    Raises `CheckpointError` for a missing or damaged part.
    """
    metadata, tensors = read_header(path)
    count = metadata.size("split.count", 1)
    if count == 1:
        return GgufFile(path, metadata, tensors, [path])
    parts = _parts(path, count)
    metadata, tensors = read_header(parts[0])
    for part in parts[1:]:
        _, more = read_header(part)
        if twice := tensors.keys() & more.keys():
            raise CheckpointError(f"{part} repeats tensor {min(twice)[:80]} of another part")
        tensors |= more
    total = metadata.size("split.tensors.count", len(tensors))
    if total != len(tensors):
        raise CheckpointError(f"{parts[0]} promises {total} tensors, its {count} parts hold {len(tensors)}")
    return GgufFile(parts[0], metadata, tensors, parts)


def _parts(path: Path, count: int) -> list[Path]:
    """All parts in order, from the name of one of them."""
    match = _PART.fullmatch(path.name)
    if not match or int(match[3]) != count:
        raise CheckpointError(
            f"{path} is one of {count} parts; give it back its name, which ends in -00001-of-{count:05d}.gguf"
        )
    parts = []
    for number in range(1, count + 1):
        part = path.with_name(f"{match[1]}-{number:05d}-of-{match[3]}.gguf")
        if not part.is_file():
            raise CheckpointError(f"{path} is incomplete: {part.name} is missing; download it too")
        parts.append(part)
    return parts
