"""One text of MLX's Metal headers and all that they include."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .source import strip_comments
from .toolchain import INCLUDE, mlx_headers

_KERNELS = "mlx/backend/metal/kernels"


def join_headers(headers: Iterable[str]) -> str:
    """The text of `headers`, without comments, with `#line` directives that name them."""
    seen: set[str] = set()
    return "\n".join(line for header in headers for line in _lines(f"{_KERNELS}/{header}", seen))


def _lines(path: str, seen: set[str]) -> Iterator[str]:
    """The lines of a header and of every header of MLX that it includes, each once."""
    if path in seen:
        return
    seen.add(path)
    text = strip_comments(_find(path).read_text())
    label = Path(path).name
    yield f'#line 1 "{label}"'
    for number, line in enumerate(text.splitlines(), 1):
        if include := re.match(r'\s*#include "(mlx/[^"]+)"', line):
            yield from _lines(include[1], seen)
            yield f'#line {number + 1} "{label}"'
        elif not line.startswith("#pragma once"):
            yield line
        else:
            yield ""


def _find(path: str) -> Path:
    """This folder's header in place of MLX's where there is one."""
    own = INCLUDE / path
    return own if own.exists() else mlx_headers() / path
