"""Reading fields of a JSON object that anybody may have written: each has its type, or one line says no."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from app.cli import LARGEST_SEED
from app.sqlite_file import whole_characters
from qwen2_mlx.errors import Qwen2Error

Value = TypeVar("Value")

_WHOLE = 2**63

#: The last day of the year 9999, which is the year 10000 in some time zones before it is over.
_LATEST = 253_402_214_400
_DEEPEST = 32


class Fields:
    """An object of an imported file. Every method raises `Qwen2Error` that names the place in the file."""

    def __init__(self, value: Any, where: str):
        if not isinstance(value, dict):
            raise refusal(f"{where} is no object")
        self._values, self._where = value, where

    def text(self, name: str, default: str | None = None) -> str:
        return whole_characters(self._of(name, default, lambda value: isinstance(value, str), "a text"))

    def flag(self, name: str, default: bool = False) -> bool:
        return self._of(name, default, lambda value: isinstance(value, bool), "true or false")

    def whole(self, name: str, default: int | None = None) -> int:
        """From 0 on, and such that SQLite can keep it."""
        return self._of(name, default, lambda value: _is_whole(value, _WHOLE), "a whole number")

    def seed(self, name: str) -> int:
        """A state of MLX's random numbers."""
        return self._of(name, None, lambda value: _is_whole(value, LARGEST_SEED + 1), "a seed")

    def number(self, name: str, default: float | None = None) -> float:
        return float(self._of(name, default, _is_number, "a number"))

    def time(self, name: str, default: float | None = None) -> float:
        """Seconds since 1970, within the years that can be written."""
        return float(self._of(name, default, _is_time, "a time"))

    def choice(self, name: str, choices: Sequence[Value], default: Value | None = None) -> Value:
        return self._of(
            name, default, lambda value: value in choices, "one of " + ", ".join(map(str, choices))
        )

    def object(self, name: str) -> dict[str, Any]:
        """Anything that JSON can say, to a reasonable depth."""
        return self._of(name, {}, lambda value: isinstance(value, dict) and _is_flat(value), "a flat object")

    def fields(self, name: str) -> "Fields":
        """The object of this name; one without fields where it is missing."""
        return Fields(self._values.get(name, {}), f"{name} of {self._where}")

    def entries(self, name: str, most: int) -> list["Fields"]:
        """The objects of a list."""
        values = self._of(name, [], lambda value: isinstance(value, list), "a list")
        if len(values) > most:
            raise refusal(f"{name} of {self._where} has more than {most:,} entries")
        return [Fields(value, f"{name}[{at}] of {self._where}") for at, value in enumerate(values)]

    def texts(self, name: str) -> str | list[str]:
        """A text or a list of texts."""
        return self._of(name, None, _is_texts, "a text or a list of texts")

    def optional(self, name: str, read: Callable[[str], Value]) -> Value | None:
        """None where it is missing or null, else what `read`, one of the other methods, makes of it."""
        return None if self._values.get(name) is None else read(name)

    def refusal(self, reason: str) -> Qwen2Error:
        """`reason` says what is wrong with this object."""
        return refusal(f"{self._where}: {reason}")

    def _of(self, name: str, default: Any, fits: Callable[[Any], bool], what: str) -> Any:
        value = self._values.get(name, default)
        if value is None or not fits(value):
            raise refusal(f"{name} of {self._where} is not {what}")
        return value


def refusal(reason: str) -> Qwen2Error:
    """`reason` says what is wrong with the file."""
    return Qwen2Error(f"this is not an export of qwen2-chat that can be read: {reason}; nothing was imported")


def _is_whole(value: Any, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < end


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _WHOLE


def _is_time(value: Any) -> bool:
    return _is_number(value) and 0 <= value < _LATEST


def _is_flat(value: Any) -> bool:
    """Whether nothing in it is nested deeper than anyone needs; without recursion."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))
