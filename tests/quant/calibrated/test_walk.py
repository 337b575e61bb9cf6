"""Which inputs describe which matrix."""

from pathlib import Path

import mlx.core as mx
import numpy as np

from quant.calibrated.gptq import GPTQ
from quant.calibrated.hessian import Hessian
from quant.calibrated.layer import Layer
from quant.calibrated.walk import Solver, add_by_expert, quantize
from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx.attention.context import attention_context
from qwen2_mlx.attention.rope import Rope
from tests.checkpoints import MOE, write_checkpoint
from tests.quant.calibrated.layers import of_layer, parameters


class Watched(GPTQ):
    """GPTQ that notes the rows and the diagonal of every statistic it is asked to solve with."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.diagonals: list[np.ndarray] = []

    def solver(self, statistic: Hessian) -> Solver:
        self.rows.append(statistic.rows)
        self.diagonals.append(statistic.diagonal())
        return super().solver(statistic)


def watched(folder: Path, tokens: int) -> tuple[Watched, int]:
    """What a layer with four experts was quantised with, and the rows of its texts."""
    config, tensors = parameters(write_checkpoint(folder, MOE))
    layer = Layer(config, Recipe(None, Format(4, 32), "gptq"), 0, of_layer(tensors, 0), mx.float32)
    rope = Rope(config.rope, config.head_dim)
    rng = np.random.default_rng(0)
    states = [mx.array(rng.normal(size=(1, tokens, config.hidden_size)).astype(np.float32)) for _ in "ab"]
    method = Watched()
    quantize(layer, states, lambda time: attention_context(rope, None, time, 0, time, None), method)
    return method, 2 * tokens


def test_each_expert_is_described_by_the_rows_that_reach_it(tmp_path: Path) -> None:
    method, rows = watched(tmp_path, tokens=200)
    projections, heads, *experts, together = method.rows[:7]
    assert projections == heads == together == rows
    assert sum(experts) == 2 * rows  # each token meets two of the four
    assert len(set(experts)) > 1
    np.testing.assert_allclose(sum(method.diagonals[2:6]), 2 * method.diagonals[6], rtol=1e-4)
    assert method.rows[7:11] == experts


def test_an_expert_with_few_rows_borrows_those_of_all(tmp_path: Path) -> None:
    method, rows = watched(tmp_path, tokens=20)
    gates, downs = method.rows[2:6], method.rows[7:11]
    assert rows == 40
    assert min(downs) < 32
    assert gates == [max(own, 32) for own in downs]


def test_what_hardly_any_text_describes_is_not_taken_for_more(tmp_path: Path) -> None:
    method, rows = watched(tmp_path, tokens=3)
    gates, downs = method.rows[2:6], method.rows[7:11]
    assert gates == [own + rows for own in downs]


def test_rows_find_their_experts_in_both_forms_of_the_layer() -> None:
    """mlx-lm sorts rows by expert when there are many, and gives one row for several experts when few."""
    x = mx.arange(12.0).reshape(1, 3, 1, 1, 4)
    chosen = mx.array([[[0, 2], [2, 1], [0, 1]]])
    apart = [Hessian(4) for _ in range(4)]
    add_by_expert(apart, x, chosen)
    assert [statistic.rows for statistic in apart] == [2, 2, 2, 0]
    rows = np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose(apart[0].diagonal(), np.square(rows[[0, 2]]).sum(axis=0))
    sorted_rows = [Hessian(4) for _ in range(4)]
    add_by_expert(sorted_rows, mx.array(rows[[0, 2, 1, 2, 0, 1]])[:, None], mx.array([0, 0, 1, 1, 2, 2]))
    for one, other in zip(apart, sorted_rows, strict=True):
        np.testing.assert_allclose(one.diagonal(), other.diagonal())
