"""Metal's functions, types and collectives mean here what the specification says."""

from collections.abc import Sequence

import mlx.core as mx
import numpy as np
import pytest

from .host import MetalHost

LANES = np.arange(32)


def run(
    host: MetalHost,
    body: str,
    inputs: Sequence[np.ndarray] = (),
    dtype: mx.Dtype = mx.float32,
    per_thread: int = 1,
    threads: int = 32,
) -> np.ndarray:
    """What one threadgroup writes into `out`, `per_thread` numbers a thread; `lid` is the thread's index."""
    names = [f"x{index}" for index in range(len(inputs))]
    kernel = host.metal_kernel("body", names, ["out"], f"uint lid = thread_index_in_threadgroup;\n{body}")
    out = kernel(
        inputs=[mx.array(values) for values in inputs],
        output_shapes=[(threads * per_thread,)],
        output_dtypes=[dtype],
        grid=(threads, 1, 1),
        threadgroup=(threads, 1, 1),
    )[0]
    return np.array(out.astype(mx.float32) if dtype == mx.bfloat16 else out)


def test_reductions_and_prefixes(ordered: MetalHost) -> None:
    body = """
        int x = x0[lid];
        int results[] = {
            simd_sum(x), simd_product(x % 2 + 1), simd_max(x), simd_min(x), simd_xor(x), simd_or(x),
            simd_and(x | 64), simd_prefix_inclusive_sum(x), simd_prefix_exclusive_sum(x), quad_sum(x),
        };
        for (int i = 0; i < 10; i++) out[lid * 10 + i] = results[i];
    """
    x = (LANES * 7919 % 61).astype(np.int32)
    found = run(ordered, body, [x], mx.int32, per_thread=10).reshape(32, 10).T
    whole = [x.sum(), (x % 2 + 1).prod(), x.max(), x.min(), np.bitwise_xor.reduce(x), np.bitwise_or.reduce(x)]
    for index, expected in enumerate([*whole, np.bitwise_and.reduce(x | 64)]):
        assert found[index].tolist() == [expected] * 32
    assert found[7].tolist() == x.cumsum().tolist()
    assert found[8].tolist() == (x.cumsum() - x).tolist()
    assert found[9].tolist() == x.reshape(8, 4).sum(axis=1).repeat(4).tolist()


def test_shuffles(ordered: MetalHost) -> None:
    body = """
        ushort x = lid;
        ushort none = 99;
        ushort results[] = {
            simd_broadcast(x, 5), simd_shuffle(x, 31 - lid), simd_shuffle_xor(x, 3),
            simd_shuffle_rotate_up(x, 2), simd_shuffle_rotate_down(x, 2),
            simd_shuffle_and_fill_up(x, none, 4), simd_shuffle_and_fill_down(x, none, 4),
            quad_broadcast(x, 2), ushort(uint64_t(simd_ballot(lid < 3))),
            ushort(simd_any(lid == 7) * 2 + simd_all(lid < 32)),
        };
        for (int i = 0; i < 10; i++) out[lid * 10 + i] = results[i];
    """
    found = run(ordered, body, dtype=mx.uint16, per_thread=10).reshape(32, 10).T
    filled_up = np.concatenate([[99] * 4, LANES[:-4]])
    filled_down = np.concatenate([LANES[4:], [99] * 4])
    expected = [
        LANES * 0 + 5,
        31 - LANES,
        LANES ^ 3,
        np.roll(LANES, 2),
        np.roll(LANES, -2),
        filled_up,
        filled_down,
    ]
    expected += [LANES // 4 * 4 + 2, LANES * 0 + 7, LANES * 0 + 3]
    assert found.tolist() == [values.tolist() for values in expected]


def test_simdgroup_matrices_multiply(ordered: MetalHost) -> None:
    body = """
        simdgroup_float8x8 a, b, c = make_filled_simdgroup_matrix<float, 8, 8>(1.0f), d;
        simdgroup_load(a, x0, 8);
        simdgroup_load(b, x1, 8, ulong2{0, 0}, true);
        simdgroup_multiply_accumulate(d, a, b, c);
        simdgroup_store(d, out, 8);
    """
    a, b = np.random.default_rng(0).integers(-5, 6, (2, 8, 8)).astype(np.float32)
    assert (run(ordered, body, [a, b], per_thread=2).reshape(8, 8) == a @ b.T + 1).all()


@pytest.mark.parametrize(
    ("dtype", "name", "step"), [(mx.float16, "half", 10), (mx.bfloat16, "bfloat16_t", 7)]
)
def test_small_floats_round_after_every_operation(
    host: MetalHost, dtype: mx.Dtype, name: str, step: int
) -> None:
    body = f"""
        {name} one = {name}(1.0f), tiny = {name}(exp2(-{step + 1}.0f)), sum = one + tiny + tiny;
        {name} third = one / 3, copy = third;
        copy += 1;
        float wide = one + float(tiny);
        out[lid] = lid == 0 ? sum : lid == 1 ? third : lid == 2 ? copy : {name}((wide - 1.0f) * 1024);
    """
    found = run(host, body, dtype=dtype)
    third = np.array(mx.array(1 / 3, dtype=dtype).astype(mx.float32))
    rounded = np.array((mx.array(third) + 1).astype(dtype).astype(mx.float32))
    assert found[:4].tolist() == [1.0, third, rounded, 1024 / 2 ** (step + 1)]


def test_vectors(host: MetalHost) -> None:
    body = """
        float4 v = float4(float2(1, 2), 3, 4);
        uint3 u = uint3(7, 8, 9) % 4;
        half2 h = half2(0.5f) + half2(v.xy);
        v.zw += 1;
        float results[] = {
            v.x, v.y, v.z, v.w, float(u.z), float(h.y), dot(v, float4(1)), metal::max(v, float4(3)).x,
            float(any(v > 4.5f)), float(sizeof(float3)), float(sizeof(packed_float3)), v[1],
        };
        out[lid] = lid < 12 ? results[lid] : 0.0f;
    """
    expected = [1, 2, 4, 5, 1, 2.5, 12, 3, 1, 16, 12, 2]
    assert run(host, body)[:12].tolist() == expected


def test_thread_attributes_of_a_grid_with_smaller_groups_at_its_edges(host: MetalHost) -> None:
    body = """
        uint3 p = thread_position_in_grid;
        uint values[] = {
            thread_index_in_threadgroup, thread_index_in_simdgroup, simdgroup_index_in_threadgroup,
            threadgroup_position_in_grid.x, threadgroup_position_in_grid.y, threads_per_threadgroup.x,
            threads_per_grid.y, simdgroups_per_threadgroup, dispatch_threads_per_threadgroup.x,
            thread_position_in_threadgroup.y,
        };
        for (int i = 0; i < 10; i++) out[(p.y * 20 + p.x) * 10 + i] = values[i];
    """
    kernel = host.metal_kernel("attributes", [], ["out"], body)
    grid, group = (20, 6, 1), (16, 4, 1)
    out = kernel(
        inputs=[], output_shapes=[(6, 20, 10)], output_dtypes=[mx.int32], grid=grid, threadgroup=group
    )[0]
    for (y, x), found in zip(np.ndindex(6, 20), np.array(out).reshape(-1, 10).tolist(), strict=True):
        width, height = (16 if x < 16 else 4), (4 if y < 4 else 2)
        index = y % 4 * width + x % 16
        expected = [
            index,
            index % 32,
            index // 32,
            x // 16,
            y // 4,
            width,
            6,
            -(-width * height // 32),
            16,
            y % 4,
        ]
        assert found == expected


def test_numbers_without_a_suffix_are_floats(host: MetalHost) -> None:
    assert run(host, "out[lid] = sizeof(1.0) + sizeof(0.5 * x0[lid]);", [np.ones(32, np.float32)])[0] == 8
