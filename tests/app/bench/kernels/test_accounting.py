"""`qwen2-bench kernels`: its launches are those that MLX records, its bytes those of the arrays."""

import json
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.models.base import quantized_scaled_dot_product_attention

from app.bench.kernels import measure
from app.bench.kernels.decode import Token, our_attention, our_layer, stock_layer
from app.bench.kernels.prefill import prefill_attention
from app.bench.kernels.work import LAUNCH_SECONDS, MACS, Work, seconds, total
from app.bench.sizes import OFFICIAL
from qwen2_mlx.cache import KVFormat
from qwen2_mlx.config import ModelConfig
from tests.app.bench.kernels.launches import KEYS, VIEWS, our_launches, stock_launches
from tests.app.programs import Run
from tests.qwen2_mlx.kernels.conftest import uncompiled

__all__ = ["uncompiled"]


def token(size: str, keys: int, kv: KVFormat | None = None) -> Token:
    return Token(ModelConfig.from_dict(OFFICIAL[size]).with_rope("plain"), keys, kv=kv)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("size", ["0.5b", "57b-a14b"])
def test_the_launches_of_a_layer_are_those_that_mlx_records(size: str) -> None:
    assert total(stock_layer(token(size, KEYS))).launches == stock_launches(size)
    assert total(our_layer(token(size, KEYS))).launches == our_launches(size)


@pytest.mark.usefixtures("uncompiled")
def test_the_launches_with_a_quantised_cache_are_those_that_mlx_records() -> None:
    eight = KVFormat(8, 8)
    assert total(our_layer(token("0.5b", KEYS, eight))).launches == our_launches("0.5b", eight)


def test_the_bytes_of_keys_and_values_are_those_that_are_cached() -> None:
    # 7B: 4 heads of 128 channels; 8 bits and, for 64 of them, a scale and an offset of 16 bits.
    assert token("7b", 1000).attention_bytes() == 2 * 1000 * 4 * 128 * 2
    assert token("7b", 1000, KVFormat(8, 8)).attention_bytes() == 2 * 1000 * 4 * (128 + 2 * 4)
    assert token("7b", 1000, KVFormat(8, 4)).attention_bytes() == 1000 * 4 * (128 + 64 + 2 * 2 * 4)


@pytest.mark.parametrize("size", ["7b", "72b", "1.5b"])
def test_attention_over_8_bits_moves_at_most_six_tenths_at_128k(size: str) -> None:
    stock = next(row for row in stock_layer(token(size, 131072)) if row.name == "attention")
    share = our_attention(token(size, 131072, KVFormat(8, 8))).bytes / stock.bytes
    assert share <= 0.6
    assert f"{share:.2f}" == "0.54"  # as docs/kernels.md says


def test_the_smallest_model_takes_at_most_seven_tenths_of_the_launches() -> None:
    one = token("0.5b", 4096)
    assert total(our_layer(one)).launches <= 0.7 * total(stock_layer(one)).launches
    assert (total(our_layer(one)).launches, total(stock_layer(one)).launches) == (
        11,
        21,
    )  # as docs/kernels.md says


def test_prefill_over_codes_keeps_no_scores() -> None:
    mlx, mlx_lm, ours = prefill_attention(token("7b", 32768, KVFormat(8, 8)))
    assert (mlx.launches, mlx_lm.launches, ours.launches) == (1, 8, 1)
    assert ours.bytes < 0.7 * mlx.bytes
    assert mlx_lm.bytes - ours.bytes == 6 * 2 * 28 * 2048 * 32768
    assert ours.flops == mlx.flops < mlx_lm.flops


def test_the_launches_of_mlx_lm_over_codes_are_those_that_mlx_records() -> None:
    found: list[str] = []

    def record(event: dict[str, Any]) -> None:
        if event["type"] == "primitive" and event["name"] not in VIEWS:
            found.append(event["name"])

    queries, keys = mx.zeros((1, 4, 8, 64)), mx.quantize(mx.zeros((1, 2, 16, 64)), bits=8)
    mx.eval(keys)
    attention: Any = quantized_scaled_dot_product_attention  # it takes "causal" and does not say so
    mx.export_function(record, lambda q: attention(q, keys, keys, 1.0, "causal"), queries)
    assert len(found) == prefill_attention(token("7b", 32768, KVFormat(8, 8)))[1].launches, found


def test_a_time_is_launches_and_the_slower_of_memory_and_arithmetic() -> None:
    mac = MACS[0]
    assert seconds(Work("", 2, bytes=mac.bandwidth), mac) == 1 + 2 * LAUNCH_SECONDS
    assert seconds(Work("", 0, bytes=mac.bandwidth, flops=3 * mac.flops), mac) == 3


def test_a_kernel_that_does_not_run_has_no_time() -> None:
    assert measure._milliseconds(lambda: None) is None
    assert measure._milliseconds(lambda: mx.zeros(1)) is not None


def test_the_command_says_that_speeds_are_predicted(run: Run) -> None:
    done = run("qwen2-bench", "kernels", "-m", "0.5b", "--context", "4096")
    assert done.code == 0
    assert "calculated" in done.out
    assert "predicted tokens/s" in done.out
    assert "measured" not in done.out  # where there is no Metal


def test_json_holds_the_same_numbers(run: Run) -> None:
    done = run("qwen2-bench", "kernels", "-m", "7b", "--context", "131072", "--kv-bits", "8", "--json")
    (context,) = json.loads(done.out)["contexts"]
    assert context["ours"]["attention_bytes"] <= 0.6 * context["stock"]["attention_bytes"]
    assert context["measured"] is None
