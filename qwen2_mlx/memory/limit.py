"""How much memory a program may use: what was asked for, or what this machine offers.

MLX's own limits, the wired limit among them, stay as they are.
"""

import os
import re

from qwen2_mlx.errors import ConfigError

#: The part of a machine's memory that is offered where nothing says how much is advisable.
SHARE_OF_MEMORY = 0.75

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes of a size such as 32GB, 1.5 GB, 32GiB or 800M. Raises `ValueError`."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no size; write it like 32GB or 1.5GB")
    number, unit, binary = match.groups()
    power = list(_UNITS).index(unit.upper())
    size = int(float(number) * (1024**power if binary else 1000**power))
    if size < 1:
        raise ValueError(f"{text!r} is no size; it must be above 0")
    return size


def size_text(count: float) -> str:
    """Bytes for people, in three figures or so."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.0f} {unit}" if count >= 100 * size else f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def memory_limit() -> int:
    """Bytes that Metal recommends as its working set, or on other machines a share of the memory."""
    import mlx.core as mx

    recommended = mx.device_info().get("max_recommended_working_set_size")
    if recommended:
        return int(recommended)
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 0
    if memory <= 0:
        raise ConfigError("this machine does not say how much memory it has; give --memory-limit")
    return int(SHARE_OF_MEMORY * memory)
