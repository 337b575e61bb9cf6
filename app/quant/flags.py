"""Flags that both measurements share, and what follows from them."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import cli

if TYPE_CHECKING:
    from quant.report.shelf import Shelf

DTYPES = ("float32", "float16", "bfloat16")

#: Tokens that are read at once. Short, because every window shows the model's work without much
#: context, where quantisation does most harm, and with some.
CONTEXT = 512


def add_run_flags(add: Callable[..., Any]) -> None:
    """In which pieces texts are read, and where intermediate results stay."""
    add("--context", type=_context, default=CONTEXT, metavar="N",
        help=f"tokens read at once (default: {CONTEXT}, or what the model was trained on)")  # fmt: skip
    add("--work", type=Path, metavar="FOLDER",
        help="for what can be used again (default: one in the user's cache)")  # fmt: skip


def shelf(folder: Path | None) -> "Shelf":
    """Where intermediate results stay."""
    from quant.report.shelf import Shelf
    from qwen2_mlx.prefix_store.settings import prefix_folder

    return Shelf(folder or prefix_folder().with_name("quantisation"))


def file_to_write(value: str) -> Path:
    """Refuses a folder at once rather than after the measurement."""
    path = Path(value)
    if not path.name or path.is_dir():
        raise argparse.ArgumentTypeError("must name a file, not a folder")
    return path


def _context(value: str) -> int:
    number = cli.positive_int(value)
    if number < 2:
        raise argparse.ArgumentTypeError("must be at least 2: the first token is not predicted")
    return number
