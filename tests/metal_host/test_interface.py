"""`MetalHost.metal_kernel` is called like `mx.fast.metal_kernel` and treats its arguments as MLX does."""

import inspect
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from .errors import CompileError, LaunchError
from .host import Launched, MetalHost
from .rounding import DTYPES
from .small_kernels import RMS_NORM, rms_norm
from .source import split_arguments


def test_the_signature_is_that_of_mlx() -> None:
    first_line = str(mx.fast.metal_kernel.__doc__).split("\n")[0]
    theirs = split_arguments(first_line[first_line.index("(") + 1 : first_line.rindex(")")])
    ours = list(inspect.signature(MetalHost.metal_kernel).parameters.values())[1:]
    assert [(argument.name, argument.default is not argument.empty) for argument in ours] == [
        (argument.split(":")[0].strip(), " = " in argument) for argument in theirs
    ]


@pytest.mark.parametrize(
    "dtype", [*DTYPES, mx.int8, mx.uint8, mx.int16, mx.int32, mx.uint32, mx.int64, mx.bool_], ids=str
)
def test_arrays_of_every_dtype_pass_through(host: MetalHost, dtype: mx.Dtype) -> None:
    x = mx.arange(40).astype(dtype).reshape(5, 8)
    kernel = host.metal_kernel("copy", ["x"], ["out"], "uint i = thread_position_in_grid.x; out[i] = x[i];")
    call = {
        "output_shapes": [(8, 5)],
        "output_dtypes": [dtype],
        "grid": (40, 1, 1),
        "threadgroup": (32, 1, 1),
    }
    (out,) = kernel(inputs=[x.T], **call)
    assert out.dtype == dtype
    assert mx.array_equal(out, x.T)


def test_inputs_that_need_not_be_contiguous_arrive_with_their_strides(host: MetalHost) -> None:
    body = """
        uint i = thread_position_in_grid.x;
        int location = (i / 4) * x_strides[0] + (i % 4) * x_strides[1];
        out[i] = float(x[location]) + 100 * x_shape[0] + 1000 * x_ndim;
    """
    x = mx.arange(12, dtype=mx.bfloat16).reshape(4, 3).T
    for contiguous in (True, False):
        kernel = host.metal_kernel("strides", ["x"], ["out"], body, ensure_row_contiguous=contiguous)
        (out,) = kernel(
            inputs=[x],
            output_shapes=[(3, 4)],
            output_dtypes=[mx.float32],
            grid=(12, 1, 1),
            threadgroup=(12, 1, 1),
        )
        assert mx.array_equal(out, x.astype(mx.float32) + 2300)


def test_small_inputs_and_scalars_are_constants(host: MetalHost) -> None:
    body = "out[thread_position_in_grid.x] = few[thread_position_in_grid.x] * factor;  // no factor_shape"
    kernel = host.metal_kernel("constants", ["few", "factor"], ["out"], body)
    (out,) = kernel(
        inputs=[mx.array([1.0, 2.0, 3.0]), 2.5],
        output_shapes=[(3,)],
        output_dtypes=[mx.float32],
        grid=(3, 1, 1),
        threadgroup=(3, 1, 1),
    )
    assert out.tolist() == [2.5, 5.0, 7.5]


def test_templates_take_dtypes_integers_and_truths(host: MetalHost) -> None:
    body = "if (TWICE) out[thread_position_in_grid.x] = T(helper(x[thread_position_in_grid.x]) * N);"
    header = "template <class U> U helper(U value) { return value + value; }  // twice\n"
    kernel = host.metal_kernel("templates", ["x"], ["out"], body, header=header)
    (out,) = kernel(
        inputs=[mx.arange(10)],
        template=[("T", mx.float16), ("N", 3), ("TWICE", True)],
        output_shapes=[(10,)],
        output_dtypes=[mx.float16],
        grid=(10, 1, 1),
        threadgroup=(10, 1, 1),
    )
    assert out.tolist() == [6.0 * value for value in range(10)]


def test_outputs_hold_their_initial_value_or_nothing_sensible(host: MetalHost) -> None:
    kernel = host.metal_kernel(
        "nothing", [], ["a", "b"], "if (thread_position_in_grid.x > 8) { a[0] = 1; b[0] = 1; }"
    )
    call = {
        "inputs": [],
        "output_shapes": [(2,), (2,)],
        "output_dtypes": [mx.bfloat16, mx.int32],
        "grid": (4, 1, 1),
        "threadgroup": (4, 1, 1),
    }
    a, b = kernel(**call, init_value=7)
    assert (a.tolist(), b.tolist()) == ([7.0, 7.0], [7, 7])
    a, b = kernel(**call)
    assert mx.all(mx.isnan(a))
    assert b.tolist() == [-1, -1]


def test_the_generated_source_can_be_shown(host: MetalHost, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = host.metal_kernel("one", [], ["out"], "out[0] = 1;")
    kernel(
        inputs=[],
        output_shapes=[(1,)],
        output_dtypes=[mx.float32],
        grid=(1, 1, 1),
        threadgroup=(1, 1, 1),
        verbose=True,
    )
    assert "[[kernel]] void custom_kernel_one" in capsys.readouterr().out


def test_launches_are_told_with_what_they_did(host: MetalHost) -> None:
    launches: list[Launched] = []
    rms_norm(replace(host, on_launch=launches.append), mx.ones((3, 100)), RMS_NORM)
    (launched,) = launches
    assert (launched.name, launched.size.grid, launched.size.threadgroup) == (
        "rms_norm",
        (288, 1, 1),
        (96, 1, 1),
    )
    counts = launched.counts
    assert (counts.barriers, counts.collectives, counts.threadgroup_bytes) == (3, 3 * 3 * 2, 128)


def test_a_compiler_error_names_the_line_of_the_body(host: MetalHost) -> None:
    kernel = host.metal_kernel("broken", [], ["out"], "out[0] = 1;\nout[0] = missing;\n")
    with pytest.raises(CompileError, match=r"broken:2:\d+: error: .missing."):
        kernel(
            inputs=[], output_shapes=[(1,)], output_dtypes=[mx.float32], grid=(1, 1, 1), threadgroup=(1, 1, 1)
        )


def test_an_empty_grid_is_refused(host: MetalHost) -> None:
    kernel = host.metal_kernel("one", [], ["out"], "out[0] = 1;")
    with pytest.raises(LaunchError, match="an empty launch"):
        kernel(
            inputs=[], output_shapes=[(1,)], output_dtypes=[mx.float32], grid=(0, 1, 1), threadgroup=(1, 1, 1)
        )


def test_kernels_run_inside_functions_that_are_not_compiled(host: MetalHost) -> None:
    def double(x: mx.array) -> mx.array:
        return rms_norm(host, x) * 2

    x = mx.random.normal((1, 64), key=mx.random.key(0))
    mx.disable_compile()
    try:
        compiled = mx.compile(double)(x)
    finally:
        mx.enable_compile()
    assert np.allclose(np.array(compiled), np.array(double(x)))
