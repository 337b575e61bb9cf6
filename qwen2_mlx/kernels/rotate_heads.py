"""From the product of queries, keys and values to what attention reads and the cache stores, in one launch.

A new token's heads get their bias and their rotation; under dual chunks the queries get one for each span of
keys they look at, which would be a launch each. Quantised caches want keys without the bias (see `KeyBias`).
The write into the cache cannot join: a custom kernel's outputs are always new memory.
"""

from dataclasses import dataclass

import mlx.core as mx

from qwen2_mlx.kernels.kernel import Kernel, Launch

_BODY = """
    int channel = thread_position_in_grid.x;  // and its partner, half a head on
    int head = thread_position_in_grid.y, batch = thread_position_in_grid.z;
    int batches = threads_per_grid.z, in = batch * (HEADS + 2 * KV) + head;
    float first = float(products[in * D + channel]), second = float(products[in * D + D / 2 + channel]);
    bool is_key = head >= HEADS && head < HEADS + KV;
    if (!is_key || KEY_BIAS) {
        first += float(bias[head * D + channel]);
        second += float(bias[head * D + D / 2 + channel]);
    }
    if (head < HEADS) {
        for (int span = 0; span < SPANS; span++) {
            float cosine = cosines[span * (D / 2) + channel], sine = sines[span * (D / 2) + channel];
            int at = ((span * batches + batch) * HEADS + head) * D + channel;
            queries[at] = T(first * cosine - second * sine);
            queries[at + D / 2] = T(second * cosine + first * sine);
        }
    } else if (is_key) {
        int last = SPANS * (D / 2) + channel;
        float cosine = cosines[last], sine = sines[last];
        int at = (batch * KV + head - HEADS) * D + channel;
        keys[at] = T(first * cosine - second * sine);
        keys[at + D / 2] = T(second * cosine + first * sine);
    } else {
        int at = (batch * KV + head - HEADS - KV) * D + channel;
        values[at] = T(first);
        values[at + D / 2] = T(second);
    }
"""

KERNEL = Kernel(
    "rotate_heads", ("products", "bias", "cosines", "sines"), ("queries", "keys", "values"), _BODY
)


@dataclass(frozen=True)
class Heads:
    """How many query and key-value heads there are, and the channels of each (even)."""

    queries: int
    keys: int
    dim: int


def rotate_heads(
    products: mx.array, bias: mx.array, cosines: mx.array, sines: mx.array, heads: Heads, key_bias: bool
) -> tuple[mx.array, mx.array, mx.array] | None:
    """Queries (spans, batch, heads, 1, dim), keys and values (batch, kv heads, 1, dim).

    `products` (batch, 1, all heads x dim) are those of the three projections side by side, without the
    `bias` (all heads x dim). `cosines` and `sines`, float32 (spans + 1, dim / 2), belong to the queries'
    spans and then to the keys. None where the kernel does not run.
    """
    batch, spans, dim = products.shape[0], cosines.shape[0] - 1, heads.dim
    launch = Launch(
        [products, bias, cosines, sines],
        [
            ("D", dim), ("HEADS", heads.queries), ("KV", heads.keys), ("SPANS", spans),
            ("KEY_BIAS", key_bias), ("T", products.dtype),
        ],
        (dim // 2, heads.queries + 2 * heads.keys, batch),
        (dim // 2, 1, 1),
        [(spans, batch, heads.queries, 1, dim), *[(batch, heads.keys, 1, dim)] * 2],
        [products.dtype] * 3,
    )  # fmt: skip
    outputs = KERNEL(launch)
    return (outputs[0], outputs[1], outputs[2]) if outputs else None
