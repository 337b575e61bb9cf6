"""Every kernel computes what double precision computes, but for rounding."""

import mlx.core as mx
import pytest

from tests.metal_host.rounding import DTYPES, assert_rounding_level
from tests.qwen2_mlx.kernels.cases import CASES, STEPS, Case


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_result_is_right(case: Case, dtype: mx.Dtype) -> None:
    result = case.run(dtype)
    assert result.dtype == dtype
    assert_rounding_level(result, case.reference(dtype), STEPS[dtype])
