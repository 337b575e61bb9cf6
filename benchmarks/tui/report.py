"""The table of what was measured, with the targets beside it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement: ours, the peer's (None: it cannot do that) and the most it should be, in `unit`."""

    what: str
    unit: str
    ours: float
    peer: float | None = None
    target: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.target is None:
            return ""
        return "met" if self.ours <= self.target else "missed"


def table(rows: Sequence[Row]) -> str:
    """The rows for people."""
    lines = [f"{'':52}{'ours':>10}{'Textual':>10}{'target':>10}"]
    lines += [
        f"{f'{row.what}, {row.unit}':52}{_number(row.ours):>10}{_number(row.peer):>10}"
        f"{_number(row.target):>10}  {row.verdict}".rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
