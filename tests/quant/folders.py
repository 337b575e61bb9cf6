"""A checkpoint quantised in memory and written as the converter writes it."""

import shutil
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten

from quant.encode import encode
from quant.policy import format_of, quantization_config
from quant.recipe import Recipe
from qwen2_mlx.loading import load_model, read_config
from tests.checkpoints import edit_json


def quantised_folder(source: Path, target: Path, recipe: Recipe, dtype: mx.Dtype = mx.float32) -> Path:
    """`source` under `recipe` in the new folder `target`, what is not quantised in `dtype`."""
    config = read_config(source)
    model = load_model(source, config)
    formats = {
        path: format_of(recipe, config, path, module["weight"].shape)
        for path, module in model.named_modules()
        if hasattr(module, "to_quantized")
    }
    tensors: dict[str, mx.array] = {}
    for name, weight in dict(tree_flatten(model.parameters())).items():
        module, _, part = name.rpartition(".")
        format = formats.get(module) if part == "weight" else None
        weight = weight.astype(dtype)
        if format is None:
            tensors[name] = weight
            continue
        for part, rows in encode(weight.reshape(-1, weight.shape[-1]), format, recipe.method, name).items():
            tensors[f"{module}.{part}"] = rows.reshape(*weight.shape[:-1], -1)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"))
    mx.save_safetensors(str(target / "model.safetensors"), tensors, {"format": "mlx"})
    edit_json(target / "config.json", quantization=quantization_config(recipe, formats))
    return target
