"""In how many bits keys and values are cached."""

from dataclasses import dataclass

#: What `KVFormat.parse` takes.
CHOICES = ("16", "8", "8/4")


@dataclass(frozen=True)
class KVFormat:
    """Bits of keys and values.

    Keys never have less than 8: a query's logits are sums over whole keys, and errors there move
    the attention itself, while an error in a value is averaged away.
    """

    keys: int
    values: int

    @classmethod
    def parse(cls, text: str) -> "KVFormat":
        """The format that `text` names: 16, 8, or 8/4 (keys/values). Raises `ValueError`."""
        if text not in CHOICES:
            raise ValueError(f"KV bits {text!r} are unknown; choose one of {', '.join(CHOICES)}")
        keys, _, values = text.partition("/")
        return cls(int(keys), int(values or keys))

    def __str__(self) -> str:
        return f"{self.keys}" if self.keys == self.values else f"{self.keys}/{self.values}"

    @property
    def is_quantized(self) -> bool:
        return self.keys < 16
