"""Our models against mlx-lm's own classes, on the cases that those compute right.

mlx-lm ignores `head_dim`, `norm_topk_prob`, `attention_factor` and the newer spelling of rope
settings, and its sparse class cannot do YaRN, so those cases are left out.
"""

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from tests.golden.replay import TOLERANCE, golden, golden_weights, load_model, relative_error, run_whole

RIGHT_IN_MLX_LM = [
    "dense_tied",
    "dense_untied",
    "dense_theta_1e4",
    "dense_seven_queries_per_kv",
    "yarn",
    "moe",
]


@pytest.mark.parametrize("name", RIGHT_IN_MLX_LM)
def test_greedy_tokens_and_logits_equal_those_of_mlx_lm(name: str) -> None:
    recorded, weights = golden(name), golden_weights(name)
    theirs, ours = _mlx_lm_model(recorded.config, weights), load_model(recorded.config, weights)
    error = relative_error(run_whole(ours, recorded.tokens), np.array(theirs(mx.array(recorded.tokens))))
    assert error < TOLERANCE
    for length in (2, 9, 20, 40):
        prompt = recorded.tokens[0, :length].tolist()
        assert _greedy(ours, prompt, 8) == _greedy(theirs, prompt, 8)


def _mlx_lm_model(config: dict[str, Any], weights: dict[str, np.ndarray]) -> Any:
    from mlx_lm.models import qwen2, qwen2_moe

    module: Any = qwen2_moe if config["model_type"] == "qwen2_moe" else qwen2
    model = module.Model(module.ModelArgs.from_dict(config))
    tensors = model.sanitize({name: mx.array(value) for name, value in weights.items()})
    model.load_weights(list(tensors.items()), strict=True)
    return model


def _greedy(model: Any, prompt: list[int], count: int) -> list[int]:
    """`count` most likely tokens after `prompt`, through mlx-lm's cache, which serves both."""
    from mlx_lm.models.cache import make_prompt_cache

    cache, answer, fed = make_prompt_cache(model), [], prompt
    for _ in range(count):
        answer.append(int(model(mx.array([fed]), cache=cache)[0, -1].argmax().item()))
        fed = answer[-1:]
    return answer
