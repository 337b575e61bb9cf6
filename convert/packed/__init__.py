"""Checkpoints quantised by GPTQ or AWQ, imported with their integer codes as they are."""

from convert.packed.source import PackedSource, open_packed

__all__ = ["PackedSource", "open_packed"]
