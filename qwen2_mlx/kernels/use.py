"""Kernel or fallback: the one place that decides.

`QWEN2_MLX_KERNELS` is `off`, `on`, or names of kernels separated by commas; without it kernels run on
Metal and nowhere else.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import mlx.core as mx

from qwen2_mlx.errors import ConfigError

VARIABLE = "QWEN2_MLX_KERNELS"

#: Every kernel, by the name of its file.
NAMES = ("decode_attention", "prefill_attention", "quantized_matvec", "rotate_heads")


_ALLOWED = ContextVar("kernels_allowed", default=True)


@contextmanager
def allowed(yes: bool) -> Iterator[None]:
    """Whether kernels may be used inside: not where a derivative is taken, because they have none."""
    token = _ALLOWED.set(yes)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def wanted(name: str, pays: bool = True) -> bool:
    """Whether the kernel `name` is to be tried: where it `pays`, or wherever it can where it was asked for.

    Raises `ConfigError` where the variable names no kernel.
    """
    if not _ALLOWED.get():
        return False
    chosen = os.environ.get(VARIABLE, "").strip()
    if not chosen:
        return pays and mx.default_device().type == mx.DeviceType.gpu and mx.metal.is_available()
    if chosen in ("on", "off"):
        return chosen == "on"
    return name in _named(chosen.split(","))


def _named(names: Sequence[str]) -> Sequence[str]:
    names = [name.strip() for name in names]
    for name in names:
        if name not in NAMES:
            raise ConfigError(
                f"{VARIABLE} names {name!r}, which is no kernel; set it to on, off, or some of"
                f" {', '.join(NAMES)}"
            )
    return names
