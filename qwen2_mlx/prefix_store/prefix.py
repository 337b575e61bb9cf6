"""The beginning of a prompt, with all that its entry in the store says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from qwen2_mlx.prefix_store.entry import Header, Tensor
from qwen2_mlx.prefix_store.key import COMPUTED, entry_key
from qwen2_mlx.prefix_store.tensors import for_tokens


@dataclass(frozen=True, eq=False)
class Prefix:
    """Token ids (time,) as entries hold them, the facts of a header, and the layout of one token's entry."""

    ids: np.ndarray
    facts: Mapping[str, str]
    one_token: tuple[Tensor, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def key(self) -> str:
        return entry_key(self.facts, self.ids.tobytes())

    @property
    def header(self) -> Header:
        return Header(self.facts, for_tokens(self.one_token, len(self)))

    def first(self, tokens: int) -> "Prefix":
        """Its first `tokens` tokens."""
        return replace(self, ids=self.ids[:tokens])

    def is_computed_as(self, stored: Header) -> bool:
        """Whether an entry's keys and values come from the very same computation."""
        return _computed(stored.facts) == _computed(self.facts)

    def fits(self, stored: Header) -> bool:
        """Whether an entry's tensors are those that the model's caches hold."""
        return stored.tensors == for_tokens(self.one_token, stored.tensors[0].shape[0])

    def common(self, tokens: bytes) -> int:
        """How many of the first ids are the same as an entry's `tokens`."""
        others = np.frombuffer(tokens, dtype=self.ids.dtype)
        length = min(len(others), len(self))
        different = np.flatnonzero(others[:length] != self.ids[:length])
        return int(different[0]) if different.size else length


def _computed(facts: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if name.startswith(COMPUTED)}
