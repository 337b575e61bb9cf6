"""Qwen2 on MLX.

    import qwen2_mlx
    model, tokenizer = qwen2_mlx.load("tiny")
    for event in qwen2_mlx.stream_generate(model, tokenizer, [{"role": "user", "content": "hi"}]):
        print(event.text, end="")

Names are imported on first use, so that `import qwen2_mlx` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen2_mlx.config import ModelConfig
    from qwen2_mlx.errors import Qwen2Error
    from qwen2_mlx.generate import GenerationEvent, stream_generate
    from qwen2_mlx.loading import load
    from qwen2_mlx.sampling import Sampling
    from qwen2_mlx.session import ChatSession
    from qwen2_mlx.tokenizer import Tokenizer

__version__ = "0.1.0"

_HOMES = {
    "ChatSession": "session",
    "GenerationEvent": "generate",
    "ModelConfig": "config",
    "Qwen2Error": "errors",
    "Sampling": "sampling",
    "Tokenizer": "tokenizer",
    "load": "loading",
    "stream_generate": "generate",
}

__all__ = [
    "ChatSession",
    "GenerationEvent",
    "ModelConfig",
    "Qwen2Error",
    "Sampling",
    "Tokenizer",
    "load",
    "stream_generate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'qwen2_mlx' has no attribute {name!r}")
    return getattr(import_module(f"qwen2_mlx.{_HOMES[name]}"), name)
