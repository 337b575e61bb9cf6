"""The way through a layer, in the order its data flows.

Every matrix is quantised for the inputs that the quantised matrices before it produce (the
"true sequential" order of the GPTQ authors' code). Matrices with the same input share its
statistic; an expert has its own, of the rows that the router sends it.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

import mlx.core as mx
import numpy as np

from quant.calibrated.layer import Layer
from quant.encode import encode
from quant.format import Format
from quant.packing import pack_bytes
from qwen2_mlx.attention.context import AttentionContext
from qwen2_mlx.errors import CheckpointError

#: Hands out what the layers share in a pass over texts of one length.
Contexts = Callable[[int], AttentionContext]

#: Codes uint8 (out, in), scales and biases float32 (out, groups).
Coded = tuple[np.ndarray, np.ndarray, np.ndarray]

#: Quantises float32 (out, in) in an affine format, with scales and biases that the named type
#: represents.
Solver = Callable[[np.ndarray, Format, str], Coded]


class Rows(Protocol):
    """Takes rows of inputs (rows, width)."""

    def add(self, inputs: mx.array) -> None: ...


class Statistic(Rows, Protocol):
    """What a method wants to know about the inputs of a matrix."""

    width: int
    rows: int

    def add_scaled(self, other: Any, factor: float) -> None: ...
    def diagonal(self) -> np.ndarray: ...


class Method(Protocol):
    """GPTQ or AWQ."""

    def statistic(self, width: int) -> Statistic:
        """An empty statistic."""
        ...

    def solver(self, statistic: Any) -> Solver:
        """What quantises matrices with these inputs; uses the statistic up."""
        ...

    def before_attention(self, layer: Layer, states: Sequence[mx.array], contexts: Contexts) -> None:
        """May rescale the attention's parameters without a change to what it computes."""
        ...

    def before_feed_forward(self, layer: Layer, states: Sequence[mx.array]) -> None:
        """May rescale the feed-forward part's parameters without a change to what it computes."""
        ...


def quantize(layer: Layer, states: Sequence[mx.array], contexts: Contexts, method: Method) -> list[mx.array]:
    """Quantises all of `layer`; from its input states to those after the quantised layer.

    `states` are one array (1, time, hidden) a text. They are left as they are, so that an
    interruption leaves no trace.
    """
    method.before_attention(layer, states, contexts)
    _quantize_projections(layer, states, method)
    _quantize_heads_output(layer, states, contexts, method)
    between = []
    for x in states:
        between.append(layer.attention(x, contexts(x.shape[1])))
        mx.eval(between[-1])
    method.before_feed_forward(layer, between)
    _quantize_gates(layer, between, method)
    _quantize_down(layer, between, method)
    after = []
    while between:
        after.append(layer.feed_forward(between.pop(0)))
        mx.eval(after[-1])
    return after


def _quantize_projections(layer: Layer, states: Sequence[mx.array], method: Method) -> None:
    statistic = method.statistic(layer.config.hidden_size)
    for x in states:
        statistic.add(as_rows(layer.module.input_layernorm(x)))
    _finish(layer, [f"self_attn.{name}_proj" for name in "qkv"], [statistic], method)


def _quantize_heads_output(
    layer: Layer, states: Sequence[mx.array], contexts: Contexts, method: Method
) -> None:
    statistic = method.statistic(layer.config.num_attention_heads * layer.config.head_dim)
    with layer.listening("self_attn.o_proj", lambda x: statistic.add(as_rows(x))):
        for x in states:
            mx.eval(layer.attention(x, contexts(x.shape[1])))
    _finish(layer, ["self_attn.o_proj"], [statistic], method)


def _quantize_gates(layer: Layer, states: Sequence[mx.array], method: Method) -> None:
    """The gate and up projections. An expert that few rows reached borrows the statistic of all rows."""
    together = method.statistic(layer.config.hidden_size)
    apart = [method.statistic(together.width) for _ in range(layer.experts)]
    feed_forward: Any = layer.module.mlp
    for state in states:
        x = as_rows(layer.module.post_attention_layernorm(state))
        together.add(x)
        if apart:
            add_by_expert(apart, x[:, None, None], feed_forward.route(x)[0])
    for statistic in apart:
        missing = together.width - statistic.rows
        if missing > 0 and together.rows:
            statistic.add_scaled(together, min(1.0, missing / together.rows))
    if apart:
        _finish(layer, ["mlp.switch_mlp.gate_proj", "mlp.switch_mlp.up_proj"], apart, method)
    block = "mlp.shared_expert" if apart else "mlp"
    _finish(layer, [f"{block}.gate_proj", f"{block}.up_proj"], [together], method)


def _quantize_down(layer: Layer, states: Sequence[mx.array], method: Method) -> None:
    path = "mlp.shared_expert.down_proj" if layer.experts else "mlp.down_proj"
    together = method.statistic(layer.shape(path)[-1])
    with ExitStack() as listening:
        listening.enter_context(layer.listening(path, lambda x: together.add(as_rows(x))))
        apart: list[Statistic] = []
        if layer.experts:
            experts = "mlp.switch_mlp.down_proj"
            width = layer.shape(experts)[-1]
            apart = [method.statistic(width) for _ in range(layer.experts)]
            listening.enter_context(layer.listening(experts, partial(add_by_expert, apart)))
        for x in states:
            mx.eval(layer.feed_forward(x))
    if apart:
        _finish(layer, ["mlp.switch_mlp.down_proj"], apart, method)
    _finish(layer, [path], [together], method)


def as_rows(x: mx.array) -> mx.array:
    """All but the last axis as one."""
    return x.reshape(-1, x.shape[-1])


def add_by_expert(statistics: Sequence[Rows], x: mx.array, experts: mx.array) -> None:
    """Adds to each expert's `statistics` the rows it sees.

    `x` (..., 1, width) broadcasts over `experts` (...), as in mlx-lm's `SwitchLinear`.
    """
    rows = as_rows(mx.broadcast_to(x.squeeze(-2), (*experts.shape, x.shape[-1])))
    numbers = np.array(experts).reshape(-1)
    for expert, statistic in enumerate(statistics):
        statistic.add(rows[mx.array(np.flatnonzero(numbers == expert))])


def _finish(layer: Layer, paths: Sequence[str], statistics: list[Statistic], method: Method) -> None:
    """Quantises the matrices at `paths`, or their experts, whose inputs `statistics` describe.

    Uses the statistics up, one after the other. Raises `CheckpointError` for inputs without finite squares.
    """
    formats = {path: format for path in paths if (format := layer.format(path))}
    parts: dict[str, list[dict[str, mx.array]]] = {path: [] for path in formats}
    for number in range(len(statistics) if formats else 0):
        if not np.isfinite(statistics[number].diagonal()).all():
            raise CheckpointError(
                f"{layer.name(paths[0])} meets numbers beyond float32; the weights before it are damaged"
            )
        solver = method.solver(statistics[number])
        for path, format in formats.items():
            weight = layer.floats[f"{path}.weight"]
            matrix = weight[number] if weight.ndim == 3 else weight
            dtype = layer.stored_dtype(f"{path}.weight")
            parts[path].append(_encoded(matrix, format, dtype, solver))
    for path, done in parts.items():
        stacked = {part: mx.stack([one[part] for one in done]) for part in done[0]}
        layer.finish(path, stacked if len(layer.shape(path)) == 3 else done[0])
    mx.clear_cache()


def _encoded(matrix: mx.array, format: Format, dtype: mx.Dtype, solver: Solver) -> dict[str, mx.array]:
    if format.mode != "affine":
        return encode(matrix.astype(dtype), format)
    name = str(dtype).removeprefix("mlx.core.")
    codes, scales, biases = solver(np.array(matrix.astype(mx.float32), copy=False), format, name)
    return {
        "weight": mx.array(pack_bytes(codes, format.bits)),
        "scales": mx.array(scales).astype(dtype),
        "biases": mx.array(biases).astype(dtype),
    }
