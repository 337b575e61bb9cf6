"""What `qwen2-cache` prints for people."""

from collections.abc import Sequence
from datetime import datetime

from app import cli
from app.cache.entries import Entry
from qwen2_mlx.prefix_store.folder import Folder
from qwen2_mlx.prefix_store.key import COMPUTED
from qwen2_mlx.prefix_store.settings import size_text


def as_table(entries: Sequence[Entry], folder: Folder) -> str:
    """One line an entry, then a line on the whole."""
    rows = [("KEY", "TOKENS", "SIZE", "LAST USED", "MODEL", "TEXT")] if entries else []
    rows += [
        (
            entry.short_key,
            f"{entry.file.tokens:,}",
            size_text(entry.file.size),
            _local_time(entry.file.used),
            entry.model,
            entry.label,
        )
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_aligned, row, widths, _ALIGNMENT)).rstrip() for row in rows]
    return "\n".join([*lines, _summary(entries, folder)])


def as_details(entry: Entry) -> str:
    """All facts of one entry, one a line."""
    lines = {
        "key": entry.file.key,
        "text": entry.label,
        "model": entry.model,
        "tokens": f"{entry.file.tokens:,}",
        "size": size_text(entry.file.size),
        "created": entry.facts.get("created", ""),
        "last used": _local_time(entry.file.used),
        "file": str(entry.file.path),
    }
    lines |= {
        name.removeprefix(COMPUTED).replace("_", " "): value
        for name, value in entry.facts.items()
        if name.startswith(COMPUTED)
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:{width}}  {' '.join(cli.clean(value).split())}" for name, value in lines.items())


_ALIGNMENT = "<>><<<"


def _aligned(text: str, width: int, alignment: str) -> str:
    return f"{text:{alignment}{width}}"


def _summary(entries: Sequence[Entry], folder: Folder) -> str:
    total = size_text(sum(entry.file.size for entry in entries))
    noun = "text" if len(entries) == 1 else "texts"
    line = f"{len(entries)} processed {noun}, {total} of at most {size_text(folder.limit)}, in {folder.path}"
    if aside := folder.set_aside_files():
        line += (
            f"\n{len(aside)} damaged, {size_text(sum(size for _, size in aside))}, in {aside[0][0].parent}"
        )
    return line


def _local_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")
