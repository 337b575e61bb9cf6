"""Attention of one new token over a long cache: every key and value is read once.

MLX's kernel lets each query head read the keys and values of its key-value head anew, five to eight times in
this family, and reads 16 bits only. Here a threadgroup takes one key-value head and a stretch of keys for all
of its query heads, and reads what the cache holds: 16 bits, or 8- and 4-bit codes with their scales. Under
dual chunks a query looks at each span of keys through a rotation of its own: up to three rotated queries
wait in threadgroup memory, and the key's index chooses. Keys that were stored without the bias of their
projection get it back, rotated to their place (see `KeyBias`).

A simdgroup works alone on tiles of 32 keys with the online softmax (arXiv 2205.14135): first eight lanes
to a key for the scores, then a lane to a key for the softmax, then the lanes side by side along the values,
so that neighbouring lanes always read neighbouring memory. Its scores stay in threadgroup memory, its sums in
registers. Stretches of a long cache are added up by a second, small kernel.
"""

from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from qwen2_mlx.attention.stores import Store
from qwen2_mlx.attention.tiles import QuerySpan, stacked
from qwen2_mlx.kernels import cached_keys
from qwen2_mlx.kernels.kernel import Kernel, Launch

#: Simdgroups of a threadgroup, and keys of a tile: one for each lane.
SIMDGROUPS, TILE = 8, 32

#: A stretch is at least this long, and there are at most so many for all heads: a few for every core.
LEAST_KEYS, MOST_GROUPS = SIMDGROUPS * TILE, 256

#: More query heads to a key-value head take too many registers.
MOST_QUERY_HEADS = 8
MOST_SPANS = 3

_HEADER = """
#define LOWEST -3.0e38f
"""

_BODY = """
    constexpr int THREADS = SIMDGROUPS * 32;
    threadgroup float query[SPANS * GROUP * D];
    threadgroup float weights[SIMDGROUPS * GROUP * 32];
    threadgroup float part[SIMDGROUPS * D];
    threadgroup float peaks[SIMDGROUPS * GROUP];
    threadgroup float totals[SIMDGROUPS * GROUP];
    int lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    int index = simdgroup * 32 + lane;
    int stretch = threadgroup_position_in_grid.x, stretches = threadgroups_per_grid.x;
    int kv_head = threadgroup_position_in_grid.y, heads = threadgroups_per_grid.y;
    int batch = threadgroup_position_in_grid.z, batches = threadgroups_per_grid.z;
    int begin_key = stretch * stretch_keys;
    int end_key = min(begin_key + stretch_keys, key_count);
    threadgroup float* own_weights = weights + simdgroup * GROUP * 32;
    //BEGIN

    for (int i = index; i < SPANS * GROUP * D; i += THREADS) {
        int span = i / (GROUP * D);
        int64_t row = (int64_t(span) * batches + batch) * heads + kv_head;
        query[i] = scale * float(queries[row * GROUP * D + i % (GROUP * D)]);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);

    float peak[GROUP], total[GROUP], sum[GROUP][COUNT];
    for (int g = 0; g < GROUP; g++) {
        peak[g] = LOWEST;
        total[g] = 0;
        for (int i = 0; i < COUNT; i++) {
            sum[g][i] = 0;
        }
    }
    for (int tile = begin_key + simdgroup * 32; tile < end_key; tile += THREADS) {
        int count = min(32, end_key - tile);

        // Scores: eight lanes to a key, four keys at once.
        for (int j = lane / 8; j < 32; j += 4) {
            int key = min(tile + j, end_key - 1), begin = lane % 8 * RUN;
            float first[RUN], second[RUN];
            //KEY
            int span = (key >= borders[0] ? 1 : 0) + (key >= borders[1] ? 1 : 0);
            for (int g = 0; g < GROUP; g++) {
                const threadgroup float* q = query + (span * GROUP + g) * D + begin;
                float score = 0;
                for (int i = 0; i < RUN; i++) {
                    score += q[i] * first[i] + q[D / 2 + i] * second[i];
                }
                score += simd_shuffle_xor(score, 1);
                score += simd_shuffle_xor(score, 2);
                score += simd_shuffle_xor(score, 4);
                if (lane % 8 == 0) {
                    own_weights[g * 32 + j] = score;
                }
            }
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);

        // Softmax: a lane to a key.
        for (int g = 0; g < GROUP; g++) {
            float score = lane < count ? own_weights[g * 32 + lane] : -INFINITY;
            float raised = max(peak[g], simd_max(score));
            float fade = exp(peak[g] - raised);
            float weight = exp(score - raised);
            peak[g] = raised;
            total[g] = total[g] * fade + simd_sum(weight);
            for (int i = 0; i < COUNT; i++) {
                sum[g][i] *= fade;
            }
            own_weights[g * 32 + lane] = weight;
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);

        // Values: the lanes side by side.
        for (int j = 0; j < count; j++) {
            int key = tile + j, begin = lane * COUNT;
            float value[COUNT];
            //VALUE
            for (int g = 0; g < GROUP; g++) {
                for (int i = 0; i < COUNT; i++) {
                    sum[g][i] += own_weights[g * 32 + j] * value[i];
                }
            }
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
    }

    // The simdgroups of this threadgroup together.
    if (lane == 0) {
        for (int g = 0; g < GROUP; g++) {
            peaks[simdgroup * GROUP + g] = peak[g];
            totals[simdgroup * GROUP + g] = total[g];
        }
    }
    for (int g = 0; g < GROUP; g++) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (int i = 0; i < COUNT; i++) {
            part[simdgroup * D + lane * COUNT + i] = sum[g][i];
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        float highest = LOWEST, all = 0;
        for (int s = 0; s < SIMDGROUPS; s++) {
            highest = max(highest, peaks[s * GROUP + g]);
        }
        for (int s = 0; s < SIMDGROUPS; s++) {
            all += totals[s * GROUP + g] * exp(peaks[s * GROUP + g] - highest);
        }
        int64_t row = (int64_t(batch) * heads + kv_head) * GROUP + g;
        for (int channel = index; channel < D; channel += THREADS) {
            float mixed = 0;
            for (int s = 0; s < SIMDGROUPS; s++) {
                mixed += part[s * D + channel] * exp(peaks[s * GROUP + g] - highest);
            }
            //OUT
        }
        //STATE
    }
"""

# The only stretch: the answer itself.
_OUT_WHOLE = "out[row * D + channel] = T(mixed / all);"

# One of several: its sums, and what they are relative to.
_OUT_PART = "sums[(row * stretches + stretch) * D + channel] = mixed;"
_STATE_PART = """
        if (index == 0) {
            tops[(row * stretches + stretch) * 2] = highest;
            tops[(row * stretches + stretch) * 2 + 1] = all;
        }
"""

_MERGE = """
    int channel = thread_position_in_grid.x;
    int64_t row = thread_position_in_grid.y;
    float highest = LOWEST, all = 0, mixed = 0;
    for (int s = 0; s < stretches; s++) {
        highest = max(highest, tops[(row * stretches + s) * 2]);
    }
    for (int s = 0; s < stretches; s++) {
        float fade = exp(tops[(row * stretches + s) * 2] - highest);
        all += tops[(row * stretches + s) * 2 + 1] * fade;
        mixed += sums[(row * stretches + s) * D + channel] * fade;
    }
    out[row * D + channel] = T(mixed / all);
"""


_INPUTS = ("queries", "borders", "key_count", "stretch_keys", "scale")


def _kernel(form: cached_keys.Form, whole: bool) -> Kernel:
    body = form.filled_into(_BODY)
    body = body.replace("//OUT", _OUT_WHOLE if whole else _OUT_PART)
    body = body.replace("//STATE", "" if whole else _STATE_PART)
    name = f"decode_attention_{form.name}" + ("_whole" if whole else "")
    return Kernel(name, (*_INPUTS, *form.inputs), ("out",) if whole else ("sums", "tops"), body, _HEADER)


#: By how keys and values are held, and whether one stretch holds all of them.
KERNELS = {(form.name, whole): _kernel(form, whole) for form in cached_keys.FORMS for whole in (True, False)}
MERGE = Kernel("decode_attention_merge", ("sums", "tops", "stretches"), ("out",), _MERGE, _HEADER)


def supports(spans: Sequence[QuerySpan], store: Store) -> bool:
    """One query, up to three spans, and what `cached_keys` can read."""
    queries = spans[0].queries
    fits = queries.shape[2] == 1 and len(spans) <= MOST_SPANS
    fits = fits and queries.shape[1] // store.heads <= MOST_QUERY_HEADS
    return fits and cached_keys.supports(store, spans[-1].stop)


def stretches(batch: int, kv_heads: int, keys: int) -> int:
    """Into how many stretches the keys are cut, so that all cores have work."""
    most = max(1, MOST_GROUPS // (batch * kv_heads))
    return min(most, -(-keys // LEAST_KEYS))


def decode_attention(spans: Sequence[QuerySpan], store: Store, scale: float) -> mx.array | None:
    """Attention of one query for each head: (batch, heads, 1, head_dim), in the type of the queries.

    `spans` and `store` as in `attend`, and as `supports` wants them. None where the kernel does not run.
    """
    batch, heads, _, dim = spans[0].queries.shape
    keys, group = spans[-1].stop, heads // store.heads
    count = stretches(batch, store.heads, keys)
    length = -(-keys // (count * LEAST_KEYS)) * LEAST_KEYS
    count = -(-keys // length)
    form = cached_keys.form_of(store)
    kernel = KERNELS[form.name, count == 1]
    dtype = spans[0].queries.dtype
    template: list[tuple[str, Any]] = [
        ("D", dim), ("RUN", dim // 16), ("COUNT", dim // 32), ("GROUP", group), ("SPANS", len(spans)),
        ("SIMDGROUPS", SIMDGROUPS), ("T", dtype),
        *cached_keys.template(store),
    ]  # fmt: skip
    inputs = [stacked(spans), _borders(spans), keys, length, float(scale), *cached_keys.inputs(store, keys)]
    shapes = (
        [(batch, heads, 1, dim)] if count == 1 else [(batch, heads, count, dim), (batch, heads, count, 2)]
    )
    launch = Launch(
        inputs,
        template,
        (count * SIMDGROUPS * 32, store.heads, batch),
        (SIMDGROUPS * 32, 1, 1),
        shapes,
        [dtype] if count == 1 else [mx.float32, mx.float32],
    )
    outputs = kernel(launch)
    if outputs is None:
        return None
    return outputs[0] if count == 1 else _merged(outputs[0], outputs[1], dtype)


def _merged(sums: mx.array, tops: mx.array, dtype: mx.Dtype) -> mx.array | None:
    batch, heads, count, dim = sums.shape
    launch = Launch(
        [sums, tops, count],
        [("D", dim), ("T", dtype)],
        (dim, batch * heads, 1),
        (dim, 1, 1),
        [(batch, heads, 1, dim)],
        [dtype],
    )
    outputs = MERGE(launch)
    return outputs[0] if outputs else None


def _borders(spans: Sequence[QuerySpan]) -> mx.array:
    """Where the second and the third span begin; behind all keys where there is none."""
    begins = [span.start for span in spans[1:]]
    return mx.array([*begins, *[2**31 - 1] * (2 - len(begins))], mx.int32)
