"""What caches hold, for comparing to the last bit."""

from typing import Any

from qwen2_mlx.prefix_store.tensors import raw_bytes


def bits(cache: list[Any]) -> list[dict[str, bytes]]:
    """The bytes of every tensor, layer by layer."""
    return [{name: bytes(raw_bytes(array)) for name, array in layer.tensors().items()} for layer in cache]
