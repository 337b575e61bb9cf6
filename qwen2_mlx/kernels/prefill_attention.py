"""Attention of many new tokens: one pass over the keys with the online softmax, whatever holds them.

MLX's fused attention knows one span of 16-bit keys. This one (arXiv 2205.14135) also walks over the spans of
dual chunks, each under its own rotation of the queries, within one softmax, and reads quantised keys and
values, so that neither scores nor full-precision copies of the cache ever stand in memory.

A threadgroup takes 32 queries of one head, a simdgroup eight of them. Keys and then values of a tile come
through one buffer of threadgroup memory, where codes become numbers; products are 8 x 8 matrices in float32.
Keys that get back the bias of their projection stay float32 there, because it can be a thousand times what a
token adds; others keep the 16 bits they have.
"""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from qwen2_mlx.attention.sparse import BLOCK, TILE, Choice
from qwen2_mlx.attention.stores import Store
from qwen2_mlx.attention.tiles import QuerySpan, stacked
from qwen2_mlx.kernels import cached_keys
from qwen2_mlx.kernels.kernel import Kernel, Launch, Parameter

#: Queries of a threadgroup, who share a choice of tiles: eight for each simdgroup.
QUERIES, SIMDGROUPS = BLOCK, BLOCK // 8

_BODY = """
    constexpr int THREADS = SIMDGROUPS * 32;
    constexpr int STEP = D + 16 / sizeof(S);  // rows are padded, so that they begin in different banks
    constexpr int BLOCKS = TILE / 8;
    threadgroup S query[QUERIES * STEP];
    threadgroup S tile[TILE * STEP];
    int lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    int index = simdgroup * 32 + lane;
    // Where this lane's two elements of an 8 x 8 matrix stand: as MLX's own kernels have it.
    int own_row = (lane / 4 & 4) + lane / 2 % 4, own_column = (lane / 4 & 2) * 2 + lane % 2 * 2;
    int head = threadgroup_position_in_grid.y, heads = threadgroups_per_grid.y;
    int batch = threadgroup_position_in_grid.z, batches = threadgroups_per_grid.z;
    int kv_head = head / GROUP;
    int first_query = threadgroup_position_in_grid.x * QUERIES;
    int own_query = first_query + simdgroup * 8 + own_row;
    //BEGIN

    float peak = LOWEST, total = 0;
    simdgroup_matrix<float, 8, 8> sums[D / 8];
    for (int c = 0; c < D / 8; c++) {
        sums[c] = simdgroup_matrix<float, 8, 8>(0);
    }
    for (int span = 0; span < SPANS; span++) {
        int64_t queries_at = ((int64_t(span) * batches + batch) * heads + head) * time;
        for (int i = index; i < QUERIES * D; i += THREADS) {
            int64_t row = queries_at + min(first_query + i / D, time - 1);
            query[i / D * STEP + i % D] = S(queries[row * D + i % D]);
        }
        // The last span is causal: query i sees the keys before `stop` but the last `time - 1 - i`.
        int stop = stops[span + 1], seen = span == SPANS - 1 ? stop - time + 1 : stop;
        int own_end = min(stop, seen + own_query), end = min(stop, seen + first_query + QUERIES - 1);
        //TILES
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (int i = index; i < TILE * PIECES; i += THREADS) {
                int key = min(start + i / PIECES, stop - 1), begin = i % PIECES * RUN;
                threadgroup S* to = tile + i / PIECES * STEP + begin;
                float first[RUN], second[RUN];
                //KEY
                for (int j = 0; j < RUN; j++) {
                    to[j] = S(first[j]);
                    to[D / 2 + j] = S(second[j]);
                }
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);

            simdgroup_matrix<float, 8, 8> scores[BLOCKS];
            for (int b = 0; b < BLOCKS; b++) {
                scores[b] = simdgroup_matrix<float, 8, 8>(0);
            }
            for (int c = 0; c < D / 8; c++) {
                simdgroup_matrix<float, 8, 8> left, right;
                const threadgroup S* q = query + (simdgroup * 8 + own_row) * STEP + c * 8 + own_column;
                left.thread_elements()[0] = float(q[0]);
                left.thread_elements()[1] = float(q[1]);
                for (int b = 0; b < BLOCKS; b++) {
                    const threadgroup S* k = tile + (b * 8 + own_column) * STEP + c * 8 + own_row;
                    right.thread_elements()[0] = float(k[0]);
                    right.thread_elements()[1] = float(k[STEP]);
                    simdgroup_multiply_accumulate(scores[b], left, right, scores[b]);
                }
            }

            float highest = peak;
            for (int b = 0; b < BLOCKS; b++) {
                for (int i = 0; i < 2; i++) {
                    int key = start + b * 8 + own_column + i;
                    float score = key < own_end ? scores[b].thread_elements()[i] * scale : -INFINITY;
                    scores[b].thread_elements()[i] = score;
                    highest = max(highest, score);
                }
            }
            highest = max(highest, simd_shuffle_xor(highest, 1));
            highest = max(highest, simd_shuffle_xor(highest, 8));
            float fade = exp(peak - highest), sum = 0;
            peak = highest;
            for (int b = 0; b < BLOCKS; b++) {
                for (int i = 0; i < 2; i++) {
                    float weight = exp(scores[b].thread_elements()[i] - highest);
                    scores[b].thread_elements()[i] = weight;
                    sum += weight;
                }
            }
            sum += simd_shuffle_xor(sum, 1);
            sum += simd_shuffle_xor(sum, 8);
            total = total * fade + sum;

            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (int i = index; i < TILE * PIECES; i += THREADS) {
                int key = min(start + i / PIECES, stop - 1), begin = i % PIECES * COUNT;
                threadgroup S* to = tile + i / PIECES * STEP + begin;
                float value[COUNT];
                //VALUE
                for (int j = 0; j < COUNT; j++) {
                    to[j] = S(value[j]);
                }
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);

            for (int c = 0; c < D / 8; c++) {
                sums[c].thread_elements()[0] *= fade;
                sums[c].thread_elements()[1] *= fade;
                for (int b = 0; b < BLOCKS; b++) {
                    simdgroup_matrix<float, 8, 8> right;
                    const threadgroup S* v = tile + (b * 8 + own_row) * STEP + c * 8 + own_column;
                    right.thread_elements()[0] = float(v[0]);
                    right.thread_elements()[1] = float(v[1]);
                    simdgroup_multiply_accumulate(sums[c], scores[b], right, sums[c]);
                }
            }
        }
    }
    if (own_query < time) {
        int64_t at = ((int64_t(batch) * heads + head) * time + own_query) * D + own_column;
        for (int c = 0; c < D / 8; c++) {
            out[at + c * 8] = T(sums[c].thread_elements()[0] / total);
            out[at + c * 8 + 1] = T(sums[c].thread_elements()[1] / total);
        }
    }
"""

# All tiles of the span, or those that are listed for this head and these queries.
_ALL_TILES = "for (int start = stops[span]; start < end; start += TILE) {"
_LISTED_TILES = """int block = head * threadgroups_per_grid.x + threadgroup_position_in_grid.x;
        int list = block * SPANS + span;
        for (int n = lists[list] * PARTS; n < lists[list + 1] * PARTS; n++) {
            int start = tiles[n / PARTS] + n % PARTS * TILE;
"""

_INPUTS = ("queries", "stops", "time", "scale")

_HEADER = """
#define LOWEST -3.0e38f
"""


def _kernel(form: cached_keys.Form, listed: bool) -> Kernel:
    body = form.filled_into(_BODY).replace("//TILES", _LISTED_TILES if listed else _ALL_TILES)
    lists = ("tiles", "lists") if listed else ()
    name = f"prefill_attention_{form.name}" + ("_listed" if listed else "")
    return Kernel(name, (*_INPUTS, *lists, *form.inputs), ("out",), body, _HEADER)


#: By how keys and values are held, and whether tiles are listed.
KERNELS = {
    (form.name, listed): _kernel(form, listed) for form in cached_keys.FORMS for listed in (False, True)
}


def supports(spans: Sequence[QuerySpan], store: Store) -> bool:
    """Spans side by side of what `cached_keys` can read."""
    return len(spans) <= 3 and cached_keys.supports(store, spans[-1].stop)


def prefill_attention(
    spans: Sequence[QuerySpan], store: Store, scale: float, choice: Choice | None = None
) -> mx.array | None:
    """Attention of many queries: (batch, heads, queries, head_dim), in the type of the queries.

    `spans` and `store` as in `attend`, and as `supports` wants them; the last span is causal. With a
    `choice`, of a single prompt, over its tiles alone. None where the kernel does not run.
    """
    batch, heads, time, dim = spans[0].queries.shape
    dtype, form = spans[0].queries.dtype, cached_keys.form_of(store)
    exact = dtype == mx.float32 or form is cached_keys.BIASED
    template: list[tuple[str, Parameter]] = [
        ("D", dim), ("RUN", dim // 16), ("COUNT", dim // 8), ("GROUP", heads // store.heads),
        ("SPANS", len(spans)), ("QUERIES", QUERIES), ("SIMDGROUPS", SIMDGROUPS), ("PIECES", 8),
        ("TILE", 16 if exact else 32), ("S", mx.float32 if exact else dtype), ("T", dtype),
        *cached_keys.template(store),
    ]  # fmt: skip
    lists: list[mx.array] = []
    if choice:
        template.append(("PARTS", TILE // (16 if exact else 32)))
        lists = _lists(choice, spans)
    stops = mx.array([spans[0].start, *(span.stop for span in spans)], mx.int32)
    launch = Launch(
        [stacked(spans), stops, time, float(scale), *lists, *cached_keys.inputs(store, spans[-1].stop)],
        template,
        (-(-time // QUERIES) * SIMDGROUPS * 32, heads, batch),
        (SIMDGROUPS * 32, 1, 1),
        [(batch, heads, time, dim)],
        [dtype],
    )
    outputs = KERNELS[form.name, choice is not None](launch)
    return outputs[0] if outputs else None


def _lists(choice: Choice, spans: Sequence[QuerySpan]) -> list[mx.array]:
    """First keys of the chosen tiles, and where those of each head, block and span begin among them."""
    tiles = np.concatenate(choice.tiles, axis=2)
    begins = np.concatenate([np.arange(span.start, span.stop, TILE, dtype=np.int32) for span in spans])
    counts = np.stack([chosen.sum(axis=2) for chosen in choice.tiles], axis=2)
    lists = np.concatenate([[0], np.cumsum(counts.ravel())])
    return [mx.array(np.broadcast_to(begins, tiles.shape)[tiles]), mx.array(lists.astype(np.int32))]
