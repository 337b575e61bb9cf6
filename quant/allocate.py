"""Mixed precision: the format of every module that loses least within a number of bytes.

The divergences of single modules add up well enough (see `quant.report.sensitivity`), so the
task is a knapsack: one format from each module's list, least divergence in all, bytes within the
budget. Bytes are multiples of a common unit, and a small model has so few different totals that
the best choice for each can be computed. For a large one totals are counted in coarser units,
rounded up so that the budget holds, and what rounding left over is spent in a last pass.

Embeddings take part like everything else, tied ones too: for a 0.5B the rule of 8 bits would
spend half of a 4.5-bit budget on one matrix, and here it is known what fewer cost. But the rows
of tokens that the measured texts do not hold were never looked up, so no embedding goes below
`LEAST_EMBEDDING_BITS`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from quant.format import Format
from quant.report.table import Table
from qwen2_mlx.errors import Qwen2Error

LEAST_EMBEDDING_BITS = 4

#: Totals that are told apart; a unit is then at most a hundred-thousandth of the budget.
_TOTALS = 1 << 17


@dataclass(frozen=True)
class _Option:
    format: Format | None
    bytes: int
    kl: float


def allocate(table: Table, target_bytes: int) -> dict[str, Format | None]:
    """The format of every module of `table`, None for floating point.

    All tensors together, those that are never quantised included, take at most `target_bytes`.
    Raises `Qwen2Error` where not even the smallest formats fit.
    """
    options = {path: _options(table, path) for path in table.modules}
    least = table.bytes_of({path: choices[0].format for path, choices in options.items()})
    if least > target_bytes:
        raise Qwen2Error(
            f"{target_bytes / 1e6:,.1f} MB are too few: the fewest bits measured need {least / 1e6:,.1f} MB"
            f" ({8 * least / table.parameters:.2f} bits a weight)"
        )
    chosen = _best([*options.values()], target_bytes - least)
    return {path: option.format for path, option in zip(options, chosen, strict=True)}


def _options(table: Table, path: str) -> list[_Option]:
    """From the smallest to the largest, without those that a smaller one equals or beats."""
    module = table.modules[path]
    least = LEAST_EMBEDDING_BITS if path.endswith("embed_tokens") else 0
    formats: list[Format | None] = [format for format in module.kl if format.bits >= least]
    every = [
        _Option(format, module.bytes_in(format, table.dtype), module.kl[format] if format else 0.0)
        for format in (*formats, None)
    ]
    kept: list[_Option] = []
    for option in sorted(every, key=lambda option: (option.bytes, option.kl)):
        if not kept or option.kl < kept[-1].kl:
            kept.append(option)
    return kept


def _best(options: Sequence[Sequence[_Option]], room: int) -> list[_Option]:
    """One option of each list; `room` are the bytes that all may take beyond the first of each."""
    extras = [[option.bytes - choices[0].bytes for option in choices] for choices in options]
    room = min(room, sum(extra[-1] for extra in extras))
    unit = max(math.gcd(*(size for extra in extras for size in extra)), math.ceil(room / _TOTALS), 1)
    picks = _knapsack(options, [[-(-size // unit) for size in extra] for extra in extras], room // unit)
    spare = room - sum(extra[pick] for extra, pick in zip(extras, picks, strict=True))
    return [choices[pick] for choices, pick in zip(options, _spend(options, picks, spare), strict=True)]


def _knapsack(options: Sequence[Sequence[_Option]], costs: Sequence[Sequence[int]], room: int) -> list[int]:
    """The index of the best option in each list, costs at most `room` in all."""
    lowest = np.zeros(room + 1)  # divergence of the lists so far, by what they may cost
    taken: list[np.ndarray] = []
    for choices, cost in zip(options, costs, strict=True):
        totals, pick = np.full(room + 1, np.inf), np.zeros(room + 1, np.uint8)
        for index, (option, price) in enumerate(zip(choices, cost, strict=True)):
            if price > room:
                break
            reached = lowest[: room + 1 - price] + option.kl
            better = reached < totals[price:]
            totals[price:][better], pick[price:][better] = reached[better], index
        lowest = totals
        taken.append(pick)
    picks = []
    for pick, cost in zip(reversed(taken), reversed(costs), strict=True):
        picks.append(int(pick[room]))
        room -= cost[picks[-1]]
    return picks[::-1]


def _spend(options: Sequence[Sequence[_Option]], picks: Sequence[int], spare: int) -> list[int]:
    """Raises single modules as far as `spare` bytes go, the best gain for a byte first."""
    picks = list(picks)
    while steps := list(_steps(options, picks, spare)):
        _, index, higher, price = max(steps)
        picks[index], spare = higher, spare - price
    return picks


def _steps(
    options: Sequence[Sequence[_Option]], picks: Sequence[int], spare: int
) -> Iterator[tuple[float, int, int, int]]:
    """Gain for a byte, module, its higher option, and bytes of every step that `spare` allows."""
    for index, (choices, pick) in enumerate(zip(options, picks, strict=True)):
        for higher in range(pick + 1, len(choices)):
            price = choices[higher].bytes - choices[pick].bytes
            if price <= spare:
                yield (choices[pick].kl - choices[higher].kl) / price, index, higher, price
