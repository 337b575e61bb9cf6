"""Measured numbers of a quantised model, from what `qwen2-quant compare --json` printed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.jsonfile import read_json_object

_MOST_KINDS = 100
_ALL = "all"


@dataclass(frozen=True)
class Measured:
    """How far a model is from its original on one kind of text.

    `kl` in nats a token, `perplexity` of the quantised model, `top1` the share (0 to 1) of
    positions where both expect the same token most.
    """

    kind: str
    kl: float
    perplexity: float
    top1: float


def read_report(path: Path, name: str) -> list[Measured]:
    """The numbers of the candidate called `name` in the report `path`, all texts first, then each kind.

    The name may be a path that ends in `name`; a report on one candidate needs no name to fit.
    Raises `Qwen2Error` when the file is no report or has no such candidate.
    """
    if not path.is_file():
        raise Qwen2Error(f"there is no file {path}; make one with qwen2-quant compare --json")
    candidates = read_json_object(path).get("candidates")
    if not isinstance(candidates, list) or not all(isinstance(one, dict) for one in candidates):
        raise Qwen2Error(f"{path} is no report; give what qwen2-quant compare --json printed")
    called = [one for one in candidates if Path(str(one.get("name"))).name == Path(name).name]
    chosen = called if len(candidates) > 1 else candidates
    if len(chosen) != 1:
        raise Qwen2Error(f"{path} has {len(chosen)} candidates called {name}, one is needed")
    kinds = chosen[0].get("kinds")
    if not isinstance(kinds, dict) or len(kinds) > _MOST_KINDS:
        raise Qwen2Error(f"{path} is no report: {name} has no kinds of text")
    rows = {_ALL: chosen[0], **kinds}
    return [_measured(path, kind, numbers) for kind, numbers in rows.items()]


def _measured(path: Path, kind: str, numbers: Any) -> Measured:
    found = [_number(path, kind, numbers, key) for key in ("kl", "perplexity", "top_1")]
    return Measured(kind, *found)


def _number(path: Path, kind: str, numbers: Any, key: str) -> float:
    value = numbers.get(key) if isinstance(numbers, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Qwen2Error(f"{path} is no report: the {key} of {kind!r} is no number")
    return value
