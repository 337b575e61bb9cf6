"""Where stored prefixes lie and how much room they may take."""

import os
import re
from pathlib import Path

from qwen2_mlx.errors import Qwen2Error

FOLDER_VARIABLE = "QWEN2_MLX_CACHE_DIR"
LIMIT_VARIABLE = "QWEN2_MLX_CACHE_LIMIT"

#: Three documents of 128K tokens on the 7B model, 7 GiB each at 16 bits, do not quite fit.
DEFAULT_LIMIT = 20 * 2**30

_UNITS = {"": 1, "b": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("kmgt", 1)
    for suffix, base in (("", 1000), ("b", 1000), ("ib", 1024))
}


def prefix_folder() -> Path:
    """The folder of the stored prefixes, which need not exist yet."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen) / "prefixes"
    from platformdirs import user_cache_path

    return user_cache_path("qwen2-mlx") / "prefixes"


def size_limit() -> int:
    """The most bytes that stored prefixes may take together; 0 stores nothing."""
    value = os.environ.get(LIMIT_VARIABLE, "").strip()
    return parse_size(value) if value else DEFAULT_LIMIT


def parse_size(text: str) -> int:
    """Bytes of "5GB" (10**9 each), "5GiB" (2**30 each), "500 MB" or a plain number.

    Raises `Qwen2Error` for anything else.
    """
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([a-z]*)", text.lower())
    if not match or match[2] not in _UNITS:
        raise Qwen2Error(f"{LIMIT_VARIABLE} is {text!r}; give a size such as 5GB or 500MiB")
    return int(float(match[1]) * _UNITS[match[2]])


def size_text(size: int) -> str:
    """A number of bytes for people: "812 B", "3.1 MiB", "7.5 GiB"."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 2**power:
            return f"{size / 2**power:.1f} {unit}"
    return f"{size} B"
