"""The bundled models write the same with every kernel in place as without any."""

from collections import Counter
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from quant.affine import quantize_model
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.kernels.use import VARIABLE
from qwen2_mlx.loading import load
from qwen2_mlx.models import Model
from qwen2_mlx.tokenizer import Tokenizer
from tests.metal_host.host import MetalHost
from tests.qwen2_mlx.kernels.conftest import Use

QUESTION = "The secret code of Morvan Telun is 48213. " * 40 + "What is the secret code of Morvan Telun?"
ANSWER_TOKENS = 4

#: Prompt tokens: within one chunk, and in the third.
PLAIN, CHUNKED = 120, 700

#: Length of the prompt, whether weights are quantised, and the cache.
WAYS = [
    (PLAIN, False, None),
    (PLAIN, True, KVFormat(8, 8)),
    (CHUNKED, False, None),
    (CHUNKED, False, KVFormat(8, 8)),
    (CHUNKED, True, None),
    (CHUNKED, True, KVFormat(8, 4)),
]


def written(
    model: Model, tokenizer: Tokenizer, length: int, kv: KVFormat | None
) -> tuple[list[int], mx.array]:
    """The likeliest tokens after the last `length` of the question, and their logits."""
    ids = tokenizer.encode_chat([{"role": "user", "content": QUESTION}])[-length:]
    cache = model.make_cache(kv)
    tokens, logits = ids, []
    for _ in range(ANSWER_TOKENS):
        logits.append(model(mx.array([tokens]), cache=cache)[0, -1])
        tokens = [int(logits[-1].argmax().item())]
        ids.extend(tokens)
    return ids[-ANSWER_TOKENS:], mx.stack(logits)


@pytest.mark.parametrize("name", ["tiny", "tiny-moe"])
def test_the_derivative_of_one_token_is_that_without_kernels(
    name: str, host: MetalHost, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = load(name)
    model.set_dtype(mx.float32)
    quantize_model(model, 4, 32)
    model.fuse()
    states = mx.random.normal((1, 1, model.args.hidden_size), key=mx.random.key(1))
    ids = mx.zeros((1, 1), mx.int32)
    derivative = mx.grad(lambda states: model(ids, input_embeddings=states)[..., :9].sum())
    monkeypatch.setenv(VARIABLE, "off")
    expected = derivative(states)
    mx.eval(expected)
    use(host)
    monkeypatch.setenv(VARIABLE, "on")
    assert mx.array_equal(derivative(states), expected)


@pytest.mark.parametrize(("length", "quantised", "kv"), WAYS, ids=str)
@pytest.mark.parametrize("name", ["tiny", "tiny-moe"])
def test_the_same_tokens_with_kernels_as_without(
    name: str,
    length: int,
    quantised: bool,
    kv: KVFormat | None,
    host: MetalHost,
    use: Use,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, tokenizer = load(name, length_factor="position")
    model.set_dtype(mx.float32)
    if quantised:
        quantize_model(model, 4, 32)
    model.fuse()
    launched: Counter[str] = Counter()
    monkeypatch.setenv(VARIABLE, "off")
    expected, logits = written(model, tokenizer, length, kv)

    use(replace(host, on_launch=lambda launch: launched.update([launch.name])))
    monkeypatch.setenv(VARIABLE, "on")
    tokens, kernel_logits = written(model, tokenizer, length, kv)

    assert tokens == expected
    if kv is None:  # where a rounding error may not move a key or value to the next of its 256 levels
        assert np.allclose(kernel_logits, logits, rtol=0, atol=1e-3)
    layers, steps = len(model.layers), ANSWER_TOKENS - 1
    form = "dense" if kv is None else "biased"
    assert launched[f"prefill_attention_{form}"] >= layers
    assert launched["rotate_heads"] == layers * steps
    assert sum(launched[f"decode_attention_{form}{whole}"] for whole in ("", "_whole")) == layers * steps
    assert (
        sum(n for kernel, n in launched.items() if kernel.startswith("quantized_matvec")) > 0
    ) == quantised
