"""GPTQ's matrices: what they do to a layer's output."""

import mlx.core as mx
import numpy as np
import pytest

from quant.calibrated import pieces as row_pieces
from quant.calibrated.gptq import GPTQ, gptq
from quant.calibrated.hessian import Hessian
from quant.calibrated.weighted_fit import encode_groups, fit_groups, stored
from quant.format import BITS, GROUP_SIZES, Format
from tests.quant.calibrated.layers import correlated, decoded, output_error, plainly_rounded


def solved(
    inputs: np.ndarray, weight: np.ndarray, format: Format, dtype: str = "bfloat16"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    statistic = Hessian(weight.shape[1])
    statistic.add(mx.array(inputs))
    return GPTQ().solver(statistic)(weight, format, dtype)


def textbook(inputs: np.ndarray, weight: np.ndarray, format: Format) -> np.ndarray:
    """The paper's algorithm 1 in float64, from the inverse, with each group fitted where it begins."""
    hessian = inputs.T.astype(np.float64) @ inputs
    importance = np.diagonal(hessian).astype(np.float32)[None]
    hessian += 0.01 * importance.mean() * np.eye(len(hessian))
    upper = np.linalg.cholesky(np.linalg.inv(hessian)).T
    columns, result = weight.astype(np.float64), np.empty(weight.shape)
    levels = np.float32(2**format.bits - 1)
    scale = bias = np.zeros(len(weight), np.float32)
    for j in range(weight.shape[1]):
        if j % format.group_size == 0:
            group = slice(j, j + format.group_size)
            scale, bias = fit_groups(
                columns[:, group].astype(np.float32), importance[:, group], format.bits, "float32"
            )
        code = encode_groups(columns[:, j], scale, bias, levels)
        result[:, j] = code * scale + bias
        columns[:, j:] -= np.outer((columns[:, j] - result[:, j]) / upper[j, j], upper[j, j:])
    return result


@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_the_output_error_on_correlated_inputs_is_a_fraction_of_plain_rounding(
    bits: int, group_size: int
) -> None:
    """Without feedback of errors, or with a wrong sign or factor, it would be 0.7 or more."""
    inputs, weight = correlated()
    format = Format(bits, group_size)
    error = output_error(inputs, weight, decoded(*solved(inputs, weight, format, "float32")))
    assert error < 0.16 * output_error(inputs, weight, plainly_rounded(weight, format))


@pytest.mark.parametrize("width", [96, 128, 320])
def test_blocks_and_the_uninverted_factor_change_nothing_about_the_textbook(width: int) -> None:
    inputs, weight = correlated(width=width)
    format = Format(4, 32)
    got = decoded(*solved(inputs, weight, format, "float32"))
    expected = textbook(inputs, weight, format)
    assert np.isclose(got, expected, atol=1e-5).mean() > 0.98  # ties fall either way
    assert output_error(inputs, weight, got) == pytest.approx(
        output_error(inputs, weight, expected), rel=0.02
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_scales_and_biases_are_as_they_are_stored(dtype: str) -> None:
    inputs, weight = correlated(width=128, rows=16)
    codes, scales, biases = solved(inputs, weight, Format(3, 32), dtype)
    assert codes.dtype == np.uint8
    assert codes.max() <= 7
    assert np.array_equal(scales, stored(scales, dtype))
    assert np.array_equal(biases, stored(biases, dtype))


def test_rows_in_pieces_are_coded_like_all_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, weight = correlated(width=128, rows=100)
    whole = solved(inputs, weight, Format(4, 32))
    monkeypatch.setattr(row_pieces, "PIECE", 16)
    pieces = solved(inputs, weight, Format(4, 32))
    assert [part.shape for part in pieces] == [part.shape for part in whole]
    assert np.isclose(decoded(*pieces), decoded(*whole), atol=1e-5).mean() > 0.98  # ties fall either way
    again = solved(inputs, weight, Format(4, 32))
    assert all(np.array_equal(one, other) for one, other in zip(pieces, again, strict=True))


def test_unseen_inputs_are_rounded_to_the_nearest_of_a_plain_fit() -> None:
    _, weight = correlated(width=128, rows=16)
    scale, bias = fit_groups(weight.reshape(-1, 64), np.ones((1, 64), np.float32), 4, "bfloat16")
    codes = encode_groups(weight.reshape(-1, 64), scale[:, None], bias[:, None], np.float32(15))
    got, scales, biases = solved(np.zeros((0, 128), np.float32), weight, Format(4, 64))
    assert np.array_equal(got.reshape(-1, 64), codes)
    assert np.array_equal(scales.reshape(-1), scale)
    assert np.array_equal(biases.reshape(-1), bias)


def test_a_dead_column_keeps_its_weights_and_takes_no_errors() -> None:
    inputs, weight = correlated(width=128, rows=32)
    inputs[:, 70] = 0
    got = decoded(*solved(inputs, weight, Format(8, 64), "float32"))
    steps = (weight[:, 64:].max(axis=1) - weight[:, 64:].min(axis=1)) / 255
    assert (np.abs(got[:, 70] - weight[:, 70]) <= 0.6 * steps).all()


def test_the_weights_are_not_written_to() -> None:
    inputs, weight = correlated(width=128, rows=16)
    before = weight.copy()
    gptq(weight, np.eye(128, dtype=np.float32), np.ones(128, np.float32), Format(4, 32), "float32")
    solved(inputs, weight, Format(4, 32))
    assert np.array_equal(weight, before)
