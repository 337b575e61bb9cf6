"""AWQ (arXiv 2306.00978): input channels that carry large values get finer steps.

The weights of a channel are multiplied by s and what feeds the channel is divided by s, so
that the layer computes the same, while rounding errors in that channel shrink against the
rest of its group. The division goes into what stands before: the norm for query, key, value,
gate and up, the rows of the value projection for the output projection (one s for all query
heads that share a value head), the rows of up for down, each expert's own for its own. What
else reads from a norm, the router and the shared expert's gate, is multiplied by s too.

s is a power of two, so that no type rounds any of this, save float16 below 6e-5, where its
exponents end. It follows the mean magnitude of the channel to a power between 0 and 1 that is
searched: the one with which plain rounding changes the output of the attention, the feed-forward
part or the matrix least, on a sample of the texts. Matrices are then encoded by a fit, which
also tries clipped ranges, with the channels' mean squares as weights.
"""

from collections.abc import Callable, Sequence

import mlx.core as mx
import numpy as np

from quant.calibrated.layer import Layer
from quant.calibrated.pieces import in_pieces
from quant.calibrated.walk import Coded, Contexts, Solver, add_by_expert, as_rows
from quant.calibrated.weighted_fit import FEWEST_ROWS, encode_groups, fit_groups, importance_of
from quant.encode import decode, encode
from quant.format import Format

#: Tokens on which scales are searched.
SAMPLE = 4096

#: Powers of the magnitude that are tried.
POWERS = tuple(i / 20 for i in range(20))

#: Channels of less than this part of the largest magnitude count as if they had it.
_QUIETEST = 1e-4


class Importance:
    """The mean square of each input channel, over rows of inputs (rows, width)."""

    def __init__(self, width: int):
        self.width, self.rows = width, 0
        self._squares = mx.zeros(width)

    def add(self, inputs: mx.array) -> None:
        self.rows += inputs.shape[0]
        self._squares = self._squares + inputs.astype(mx.float32).square().sum(axis=0)
        mx.eval(self._squares)

    def add_scaled(self, other: "Importance", factor: float) -> None:
        """Adds `factor` times another sum over the same channels, and as many of its rows."""
        self.rows += round(factor * other.rows)
        self._squares = self._squares + factor * other._squares

    def diagonal(self) -> np.ndarray:
        """The sum of squares of each channel, float32 (width,)."""
        return np.array(self._squares)


class Kept:
    """The rows of inputs themselves, for those of a sample."""

    def __init__(self, width: int):
        self.width, self.rows = width, 0
        self._parts: list[mx.array] = [mx.zeros((0, width))]

    def add(self, inputs: mx.array) -> None:
        self.rows += inputs.shape[0]
        self._parts.append(inputs.astype(mx.float32))
        mx.eval(self._parts[-1])

    def joined(self) -> mx.array:
        """All rows, float32 (rows, width)."""
        return mx.concatenate(self._parts)


class AWQ:
    """AWQ as the way through a layer uses it (`walk.Method`)."""

    def statistic(self, width: int) -> Importance:
        return Importance(width)

    def solver(self, statistic: Importance) -> Solver:
        importance = importance_of(statistic.diagonal(), statistic.rows)

        def solve(weight: np.ndarray, format: Format, dtype: str) -> Coded:
            return in_pieces(weight, lambda rows: weighted_fit(rows, importance, format, dtype))

        return solve

    def before_attention(self, layer: Layer, states: Sequence[mx.array], contexts: Contexts) -> None:
        """Folds scales into the value projection and into the norm."""
        sample = _sample(states)
        self._balance_heads(layer, sample, contexts)

        def attend() -> list[mx.array]:
            return [layer.attention(x, contexts(x.shape[1])) for x in sample]

        names = [f"self_attn.{name}_proj" for name in "qkv"]
        _balance_norm(layer, "input_layernorm", names, [], sample, attend)

    def before_feed_forward(self, layer: Layer, states: Sequence[mx.array]) -> None:
        """Folds scales into the up projections and into the norm."""
        sample = _sample(states)
        dense = "mlp.shared_expert" if layer.experts else "mlp"
        names = [f"{dense}.gate_proj", f"{dense}.up_proj"]
        kept = Kept(layer.shape(f"{dense}.down_proj")[-1])
        with layer.listening(f"{dense}.down_proj", lambda x: kept.add(as_rows(x))):
            mx.eval([layer.feed_forward(x) for x in sample])
        _balance_down(layer, dense, [kept])
        exact: list[str] = []
        if layer.experts:
            self._balance_experts(layer, sample)
            names += ["mlp.switch_mlp.gate_proj", "mlp.switch_mlp.up_proj"]
            exact = ["mlp.gate", "mlp.shared_expert_gate"]
        _balance_norm(
            layer,
            "post_attention_layernorm",
            names,
            exact,
            sample,
            lambda: [layer.feed_forward(x) for x in sample],
        )

    def _balance_heads(self, layer: Layer, sample: Sequence[mx.array], contexts: Contexts) -> None:
        config, path = layer.config, "self_attn.o_proj"
        format = layer.format(path)
        if format is None:
            return
        kept = Kept(config.num_attention_heads * config.head_dim)
        with layer.listening(path, lambda x: kept.add(as_rows(x))):
            mx.eval([layer.attention(x, contexts(x.shape[1])) for x in sample])
        inputs, weight = kept.joined(), layer.floats[f"{path}.weight"]

        def shared(by_query_head: mx.array) -> mx.array:
            return by_query_head.reshape(config.num_key_value_heads, -1, config.head_dim).mean(axis=1)

        def to_query_heads(scales: mx.array) -> mx.array:
            repeated = mx.repeat(scales[:, None], config.num_attention_heads // len(scales), axis=1)
            return repeated.reshape(-1)

        scales = search(
            shared(mx.abs(inputs).mean(axis=0)),
            lambda s: output_error(inputs, weight, to_query_heads(s), format),
        )
        layer.change(f"{path}.weight", weight * to_query_heads(scales))
        rows = scales.reshape(-1)
        value = "self_attn.v_proj"
        layer.change(f"{value}.weight", layer.floats[f"{value}.weight"] / rows[:, None])
        layer.change(f"{value}.bias", layer.floats[f"{value}.bias"] / rows)

    def _balance_experts(self, layer: Layer, sample: Sequence[mx.array]) -> None:
        path = "mlp.switch_mlp.down_proj"
        width = layer.shape(path)[-1]
        kept = [Kept(width) for _ in range(layer.experts)]
        with layer.listening(path, lambda x, experts: add_by_expert(kept, x, experts)):
            mx.eval([layer.feed_forward(x) for x in sample])
        _balance_down(layer, "mlp.switch_mlp", kept)


def weighted_fit(weight: np.ndarray, importance: np.ndarray, format: Format, dtype: str) -> Coded:
    """Codes uint8 (out, in), scales and biases float32 (out, groups) of float32 (out, in)."""
    rows, width = weight.shape
    size = format.group_size
    codes = np.empty((rows, width), np.uint8)
    scales, biases = (np.empty((rows, width // size), np.float32) for _ in range(2))
    levels = np.float32(2**format.bits - 1)
    for group in range(width // size):
        columns = slice(group * size, (group + 1) * size)
        part = np.ascontiguousarray(weight[:, columns])
        scale, bias = fit_groups(part, importance[None, columns], format.bits, dtype)
        scales[:, group], biases[:, group] = scale, bias
        codes[:, columns] = encode_groups(part, scale[:, None], bias[:, None], levels)
    return codes, scales, biases


def search(magnitude: mx.array, loss: Callable[[mx.array], float]) -> mx.array:
    """The scales, float32 in the shape of `magnitude`, with the least loss; ones if no channel is alive."""
    best = mx.ones(magnitude.shape)
    largest = float(magnitude.max())
    if not 0 < largest < float("inf"):
        return best
    magnitude = mx.maximum(magnitude.astype(mx.float32) / largest, _QUIETEST)
    least = float("inf")
    for power in POWERS:
        scales = magnitude**power
        scales = power_of_two(scales / mx.sqrt(scales.max() * scales.min()))
        error = loss(scales)
        if error < least:
            best, least = scales, error
    return best


def power_of_two(values: mx.array) -> mx.array:
    """The nearest powers of two, float32, by ratio."""
    exponents = mx.round(mx.log2(values)).astype(mx.int32)
    return ((exponents + 127) << 23).view(mx.float32)  # by its bits: not every device's power is exact


def rounded(weight: mx.array, scales: mx.array, format: Format, dtype: mx.Dtype = mx.float32) -> mx.array:
    """`weight` (..., out, in) as plain rounding leaves it with its columns scaled, in `dtype`."""
    if weight.ndim == 3:
        experts = []
        for expert in weight:  # one by one, to save memory
            experts.append(rounded(expert, scales, format, dtype))
            mx.eval(experts[-1])
        return mx.stack(experts)
    scaled = (weight.astype(mx.float32) * scales).astype(weight.dtype)
    return (decode(encode(scaled, format, "round"), format) / scales).astype(dtype)


def output_error(inputs: mx.array, weight: mx.array, scales: mx.array, format: Format) -> float:
    """The squared change of `inputs` (rows, in) x `weight`^T by rounding with scaled columns."""
    change = rounded(weight, scales, format) - weight.astype(mx.float32)
    return float((inputs @ change.T).square().sum())


def _balance_norm(
    layer: Layer,
    norm: str,
    paths: Sequence[str],
    exact: Sequence[str],
    sample: Sequence[mx.array],
    run: Callable[[], list[mx.array]],
) -> None:
    """Scales the columns of `paths`, and of `exact` that are not quantised, against `norm`."""
    formats = {path: format for path in paths if (format := layer.format(path))}
    if not formats:
        return
    inputs = mx.concatenate([as_rows(layer.module[norm](x)) for x in sample])
    target = run()
    mx.eval(target)

    def loss(scales: mx.array) -> float:
        for path, format in formats.items():
            name = f"{path}.weight"
            layer.use(name, rounded(layer.floats[name], scales, format, layer.dtype))
        error = 0.0
        for got, wanted in zip(run(), target, strict=True):
            error += float((got - wanted).astype(mx.float32).square().sum())
        return error

    scales = search(mx.abs(inputs.astype(mx.float32)).mean(axis=0), loss)
    layer.change(f"{norm}.weight", layer.floats[f"{norm}.weight"] / scales)
    for path in (*paths, *exact):
        name = f"{path}.weight"
        layer.change(name, layer.floats[name] * scales)


def _balance_down(layer: Layer, block: str, kept: Sequence[Kept]) -> None:
    """Scales the columns of the down projection against the rows of up; of experts each by itself."""
    down, up = f"{block}.down_proj.weight", f"{block}.up_proj.weight"
    format = layer.format(f"{block}.down_proj")
    if format is None:
        return
    weight = layer.floats[down]
    matrices = weight[None] if weight.ndim == 2 else weight
    scales = []
    for matrix, rows in zip(matrices, kept, strict=True):
        if rows.rows < FEWEST_ROWS:
            scales.append(mx.ones(rows.width))
            continue
        inputs = rows.joined()
        magnitude = mx.abs(inputs).sum(axis=0) / rows.rows
        scales.append(search(magnitude, lambda s: output_error(inputs, matrix, s, format)))  # noqa: B023
    by_channel = scales[0] if weight.ndim == 2 else mx.stack(scales)
    layer.change(down, weight * by_channel[..., None, :])
    layer.change(up, layer.floats[up] / by_channel[..., :, None])


def _sample(states: Sequence[mx.array]) -> list[mx.array]:
    """Texts from all over, of about `SAMPLE` tokens."""
    total = sum(x.shape[1] for x in states)
    step = max(1, total // SAMPLE)
    return list(states[::step])
