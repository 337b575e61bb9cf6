"""Text that passes through the layers while `gptq` and `awq` choose their codes."""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convert.blocks import CalibratedLayers
    from convert.source import Source
    from quant.recipe import Recipe
    from qwen2_mlx.config import ModelConfig


def calibrated(
    source: "Source", recipe: "Recipe", file: Path | None = None
) -> "tuple[CalibratedLayers, str]":
    """The decoder layers of `source` with the text in `file`, or the bundled one, and the text's hash.

    Raises a `Qwen2Error` for a source that is quantised already, a tokenizer of another model,
    text that cannot be used, and a model whose layers do not fit the memory.
    """
    from convert.blocks import CalibratedLayers
    from quant.calibrated.calibrator import Calibrator
    from qwen2_mlx.config import ModelConfig

    config = ModelConfig.from_dict(source.config)
    texts = _tokens(source, config.vocab_size, file)
    _check_memory(config, recipe, sum(map(len, texts)))
    layers = CalibratedLayers(Calibrator(config, recipe, texts), source.weights)
    return layers, hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _check_memory(config: "ModelConfig", recipe: "Recipe", tokens: int) -> None:
    """Raises `MemoryLimitError` where a layer, its statistics and the text do not fit the memory."""
    from quant.calibrated.memory import peak_bytes
    from qwen2_mlx.memory.limit import memory_limit, size_text
    from qwen2_mlx.memory.plan import MemoryLimitError

    needed, limit = peak_bytes(config, recipe, tokens), memory_limit()
    if needed > limit:
        raise MemoryLimitError(
            f"--method {recipe.method} needs about {size_text(needed)} with {tokens:,} tokens of text and"
            f" {size_text(limit)} may be used; give less text with --calibration, or take --method fit"
        )


def _tokens(source: "Source", vocab_size: int, file: Path | None) -> list[list[int]]:
    from convert.folder.companions import write_companions
    from quant.calibrated.texts import calibration_tokens
    from qwen2_mlx.errors import CheckpointError
    from qwen2_mlx.tokenizer import Tokenizer

    with tempfile.TemporaryDirectory() as folder:  # a source may hold its tokenizer in a form of its own
        write_companions(source.companions(), Path(folder))
        texts = calibration_tokens(Tokenizer.from_folder(Path(folder)), file)
    if max(max(text) for text in texts) >= vocab_size:
        raise CheckpointError(
            f"the tokenizer of {source.path} has more tokens than the {vocab_size} rows of its embedding"
        )
    return texts
