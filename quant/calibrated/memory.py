"""How much memory calibration takes: one decoder layer, the texts' states, and the largest statistic."""

from quant.calibrated.awq import SAMPLE
from quant.calibrated.hessian import PANEL
from quant.recipe import Recipe
from qwen2_mlx.config import ModelConfig

#: Bytes of a number in the layer and the states: bfloat16, as on a GPU.
_HALF, _FLOAT = 2, 4


def peak_bytes(config: ModelConfig, recipe: Recipe, tokens: int) -> int:
    """Bytes in use at the worst moment, on a GPU, with `tokens` tokens of text in all.

    The layer is there twice, as it was and as it computes once quantised, and once more packed;
    the states twice, before and after the layer. On top comes the stage that takes most: with
    GPTQ the Hessians of the matrices in work, and for one matrix the floats, the errors and
    the codes; with AWQ half the layer once more, in trial, and the sample. On a CPU, which computes
    in float32, layer and states take twice as much.
    """
    layer = _layer_parameters(config)
    bits = recipe.format.bits if recipe.format else 16
    copies = 2 if recipe.method == "gptq" else 2.5
    held = layer * (copies * _HALF + bits / 8) + 2 * tokens * config.hidden_size * _HALF
    return round(held + max(_stage_bytes(config, recipe.method, *stage) for stage in _stages(config)))


def _stages(config: ModelConfig) -> list[tuple[int, int, int]]:
    """Number of statistics, their width, and rows of the largest matrix, by stage."""
    hidden = config.hidden_size
    heads = config.num_attention_heads * config.head_dim
    stages = [(1, hidden, heads), (1, heads, hidden)]
    if config.moe is None:
        return [*stages, (1, hidden, config.intermediate_size), (1, config.intermediate_size, hidden)]
    moe = config.moe
    return [
        *stages,
        (1 + moe.num_experts, hidden, max(moe.moe_intermediate_size, moe.shared_expert_intermediate_size)),
        (moe.num_experts, moe.moe_intermediate_size, hidden),
        (1, moe.shared_expert_intermediate_size, hidden),
    ]


def _stage_bytes(config: ModelConfig, method: str, statistics: int, width: int, rows: int) -> int:
    if method != "gptq":  # a matrix scaled, rounded, and its change, with the sample's inputs
        return _FLOAT * (3 * rows + SAMPLE) * width
    matrix = rows * width * (2 * _FLOAT + 2)  # weights and errors in float32, codes in two orders
    triangle = _FLOAT * (width * (width + min(width, PANEL))) // 2
    return (statistics - 1) * triangle + _FLOAT * width * width + matrix


def _layer_parameters(config: ModelConfig) -> int:
    """Numbers in the matrices of one decoder layer, the sparse kind where there are two."""
    hidden, head = config.hidden_size, config.head_dim
    attention = 2 * hidden * head * (config.num_attention_heads + config.num_key_value_heads)
    if config.moe is None:
        return attention + 3 * hidden * config.intermediate_size
    moe = config.moe
    intermediate = moe.num_experts * moe.moe_intermediate_size + moe.shared_expert_intermediate_size
    return attention + 3 * hidden * intermediate
