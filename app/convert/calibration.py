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


def calibrated(
    source: "Source", recipe: "Recipe", file: Path | None = None
) -> "tuple[CalibratedLayers, str]":
    """The decoder layers of `source` with the text in `file`, or the bundled one, and the text's hash.

    Raises a `Qwen2Error` for a source that is quantised already, a tokenizer of another model
    and text that cannot be used.
    """
    from convert.blocks import CalibratedLayers
    from quant.calibrated.calibrator import Calibrator
    from qwen2_mlx.config import ModelConfig

    config = ModelConfig.from_dict(source.config)
    texts = _tokens(source, config.vocab_size, file)
    layers = CalibratedLayers(Calibrator(config, recipe, texts), source.weights)
    return layers, hashlib.sha256(json.dumps(texts).encode()).hexdigest()


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
