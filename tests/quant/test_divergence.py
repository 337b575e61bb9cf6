"""What quantisation does to a trained model's predictions, beside `mlx_lm.convert`'s."""

from importlib.resources import files

import mlx.core as mx
import mlx.nn as nn
import pytest

from quant.encode import decode, encode
from quant.format import Format
from quant.policy import format_of
from quant.recipe import Recipe
from qwen2_mlx import load

WINDOW = 160
KINDS = ("english", "code", "multilingual")


def log_probabilities(model: nn.Module, tokens: mx.array) -> mx.array:
    logits = model(tokens).astype(mx.float32)
    return nn.log_softmax(mx.maximum(logits, -1e9))  # spare rows of the vocabulary are at minus infinity


@pytest.mark.parametrize(("bits", "target"), [(3, 0.8), (4, 0.8), (8, 0.5)])
def test_the_bundled_model_diverges_less_than_with_mlx_lm_s_rounding(bits: int, target: float) -> None:
    model, tokenizer = load("tiny", fuse=False)
    texts = files("quant.report") / "bundled"
    ids = [tokenizer.encode((texts / f"{kind}.txt").read_text(encoding="utf-8")) for kind in KINDS]
    tokens = mx.array([text[start : start + WINDOW] for text in ids for start in (0, WINDOW)])
    exact = log_probabilities(model, tokens)
    layers = {
        path: (module, module["weight"])
        for path, module in model.named_modules()
        if hasattr(module, "to_quantized")
    }

    def divergence(recipe: Recipe | None, method: str) -> float:
        """Mean KL divergence in nats a token; without a recipe every layer has the common format."""
        for path, (module, weight) in layers.items():
            format = format_of(recipe, model.args, path, weight.shape) if recipe else Format(bits, 64)
            assert format is not None
            parts = encode(weight.astype(mx.bfloat16), format, method)
            module["weight"] = decode(parts, format)
        lost = mx.exp(exact) * (exact - log_probabilities(model, tokens))
        return float(lost.sum(axis=-1).mean())

    fitted = divergence(Recipe(format=Format(bits, 64)), "fit")
    assert 0 < fitted < target * divergence(None, "round")
