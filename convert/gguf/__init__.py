"""Reading GGUF files of the Qwen2 family."""

from convert.gguf.source import GgufSource, open_gguf

__all__ = ["GgufSource", "open_gguf"]
