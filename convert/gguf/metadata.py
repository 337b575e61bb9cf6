"""The settings of a GGUF file, read with the type that each of them must have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from qwen2_mlx.errors import CheckpointError


@dataclass(frozen=True)
class Metadata:
    """Values by key. Numbers are int, float or bool; arrays of them numpy vectors, of texts lists.

    Every method raises `CheckpointError` for a value of another kind.
    """

    path: Path
    values: Mapping[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def size(self, key: str, default: int | None = None) -> int:
        """A count of at least 1; without a default the key is required."""
        value = self.values.get(key, default)
        if type(value) is not int or value < 1:
            raise self._wrong(key, "a positive whole number")
        return value

    def token(self, key: str) -> int | None:
        """A token id; None where there is none."""
        value = self.values.get(key)
        if value is not None and (type(value) is not int or value < 0):
            raise self._wrong(key, "a token id")
        return value

    def number(self, key: str, default: float) -> float:
        """A number. One stored as float32 is given in its shortest decimal form: 1e-06, not 9.99…e-07."""
        value = self.values.get(key, default)
        if type(value) not in (int, float) or not isfinite(value):
            raise self._wrong(key, "a number")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if type(value) is not bool:
            raise self._wrong(key, "true or false")
        return value

    def text(self, key: str) -> str | None:
        """A text; None where there is none."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def texts(self, key: str) -> list[str]:
        """An array of texts, which is required."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._wrong(key, "an array of texts")
        return value

    def integers(self, key: str) -> Sequence[int]:
        """An array of whole numbers, which is required."""
        value = self.values.get(key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
            raise self._wrong(key, "an array of whole numbers")
        return value.tolist()

    def _wrong(self, key: str, needed: str) -> CheckpointError:
        if key not in self.values:
            return CheckpointError(f"{self.path}: {key} is missing; {needed} is needed")
        value = self.values[key]
        shown = f"an array of {len(value)}" if isinstance(value, list | np.ndarray) else repr(value)[:60]
        return CheckpointError(f"{self.path}: {key} is {shown}; {needed} is needed")
