"""The output in stock mlx-lm: it loads there and says the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

import qwen2_mlx
from quant.format import Format
from quant.policy import format_of, quantization_config
from quant.recipe import Recipe
from qwen2_mlx.loading import load_model, read_config
from qwen2_mlx.tokenizer import Tokenizer
from tests.quant.calibrated.chronicles import conversations
from tests.quant.calibrated.layers import calibrated, parameters

BUNDLED = Path(qwen2_mlx.__file__).parent / "data"


def write_quantised(source: Path, folder: Path, recipe: Recipe) -> None:
    """Writes a float32 model quantised with a few texts of its own language."""
    config, tensors = parameters(source)
    texts = conversations(Tokenizer.from_folder(source), "calibration", 1)
    outputs = calibrated(config, recipe, tensors, texts)
    paths = {name.removesuffix(".weight"): tensor.shape for name, tensor in tensors.items()}
    formats = {
        path: format_of(recipe, config, path, shape) for path, shape in paths.items() if len(shape) > 1
    }
    settings = quantization_config(recipe, formats)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors*"))
    raw = json.loads((source / "config.json").read_text())
    raw |= {
        "quantization": settings,
        "quantization_config": settings,
        "dtype": "float32",
        "torch_dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(raw))
    mx.save_safetensors(str(folder / "model.safetensors"), outputs, {"format": "mlx"})


def greedy(model: Any, prompt: list[int], count: int) -> list[int]:
    """The most likely continuation, one token after the other, without a cache."""
    ids = mx.array(prompt)
    for _ in range(count):
        ids = mx.concatenate([ids, mx.argmax(model(ids[None])[0, -1:], axis=-1)])
    return np.array(ids[len(prompt) :]).tolist()


@pytest.mark.parametrize(
    ("name", "method", "bits"), [("tiny", "gptq", 3), ("tiny", "awq", 4), ("tiny-moe", "gptq", 4)]
)
def test_stock_mlx_lm_loads_the_output_and_generates_the_same_tokens(
    tmp_path: Path, name: str, method: str, bits: int
) -> None:
    from mlx_lm.utils import load_model as load_stock

    folder = tmp_path / "quantised"
    write_quantised(BUNDLED / name, folder, Recipe("float32", Format(bits, 64), method))
    stock = load_stock(folder)[0]
    own = load_model(folder, read_config(folder))
    tokenizer = Tokenizer.from_folder(folder)
    (chat,) = conversations(tokenizer, "evaluation", 1)
    prompt = chat[: len(chat) // 2]
    answer = greedy(own, prompt, 8)
    assert answer == greedy(stock, prompt, 8)
    assert len(set(answer)) > 2
