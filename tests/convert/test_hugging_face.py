"""A Hugging Face checkpoint becomes an MLX folder that every reader of the family opens."""

import json
import os
from pathlib import Path
from typing import cast

import mlx.core as mx
import pytest
from mlx_lm.utils import load_model as load_with_mlx_lm

from convert import plan as planning
from quant.recipe import Recipe
from qwen2_mlx import loading
from qwen2_mlx.errors import Qwen2Error
from tests import checkpoints
from tests.convert.conversions import EIGHT_BITS, FOUR_BITS, convert_folder

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])


def logits(folder: Path) -> mx.array:
    model = loading.load_model(folder, loading.read_config(folder), dtype="float32")
    return model(TOKENS)


def relative_error(got: mx.array, expected: mx.array) -> float:
    return float(mx.abs(got - expected).max() / mx.abs(expected).max())


def tensors(file: Path) -> dict[str, mx.array]:
    return cast(dict[str, mx.array], mx.load(str(file)))


@pytest.mark.parametrize("config", [checkpoints.DENSE, checkpoints.MOE], ids=["dense", "moe"])
def test_the_converted_model_computes_the_same(config: dict, tmp_path: Path) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    convert_folder(source, tmp_path / "target", Recipe())
    assert mx.array_equal(logits(tmp_path / "target"), logits(source))


@pytest.mark.parametrize("config", [checkpoints.DENSE, checkpoints.MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("bits", [None, 8])
def test_mlx_lm_reads_the_folder_and_computes_the_same(
    config: dict, bits: int | None, tmp_path: Path
) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source", {**config, "rope_theta": 12345.0})
    convert_folder(source, tmp_path / "target", EIGHT_BITS if bits else Recipe())
    theirs, _ = load_with_mlx_lm(tmp_path / "target")
    assert relative_error(theirs(TOKENS), logits(tmp_path / "target")) < 1e-5


def test_mlx_lm_reads_a_source_in_the_newer_dialect_only_after_conversion(tmp_path: Path) -> None:
    """mlx-lm takes theta from `rope_theta` alone and falls back to 1e6 in silence."""
    newer = {"rope_parameters": {"rope_type": "default", "rope_theta": 77.0}, "dtype": "float32"}
    config = {**checkpoints.DENSE, **newer}
    del config["rope_theta"], config["torch_dtype"]
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    convert_folder(source, tmp_path / "target", Recipe())
    before, _ = load_with_mlx_lm(source)
    after, _ = load_with_mlx_lm(tmp_path / "target")
    assert relative_error(before(TOKENS), logits(source)) > 1e-2
    assert relative_error(after(TOKENS), logits(source)) < 1e-5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_the_weights_have_the_type_that_was_asked_for(dtype: str, checkpoint: Path, tmp_path: Path) -> None:
    convert_folder(checkpoint, tmp_path / "target", Recipe(dtype=dtype))
    written = tensors(tmp_path / "target" / "model.safetensors")
    assert {str(tensor.dtype) for tensor in written.values()} == {f"mlx.core.{dtype}"}
    assert json.loads((tmp_path / "target" / "config.json").read_text())["torch_dtype"] == dtype


def test_shards_hold_every_tensor_once_and_load(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "SHARD_BYTES", 20_000)
    convert_folder(checkpoint, tmp_path / "target", Recipe())
    shards = sorted((tmp_path / "target").glob("*.safetensors"))
    index = json.loads((tmp_path / "target" / "model.safetensors.index.json").read_text())
    held = [name for shard in shards for name in tensors(shard)]
    assert len(shards) > 2
    assert sorted(held) == sorted(index["weight_map"])
    assert index["metadata"]["total_size"] == sum(tensors(s)[n].nbytes for s in shards for n in tensors(s))
    assert mx.array_equal(logits(tmp_path / "target"), logits(checkpoint))


def test_companions_are_copied_byte_for_byte(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "LICENSE").write_bytes(b"terms\r\n")
    convert_folder(checkpoint, tmp_path / "target", Recipe())
    for name in ("LICENSE", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (tmp_path / "target" / name).read_bytes() == (checkpoint / name).read_bytes()


def test_a_failure_leaves_no_target_and_no_remains(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full_disk)
    with pytest.raises(Qwen2Error, match="No space left on device"):
        convert_folder(checkpoint, tmp_path / "out" / "target", Recipe())
    assert not list(tmp_path.glob("out/*"))


def test_an_empty_target_folder_is_used_and_a_full_one_kept(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    convert_folder(checkpoint, tmp_path / "empty", Recipe())
    assert (tmp_path / "empty" / "config.json").is_file()
    with pytest.raises(Qwen2Error, match="exists already"):
        convert_folder(checkpoint, tmp_path / "empty", FOUR_BITS)
    assert "quantization" not in json.loads((tmp_path / "empty" / "config.json").read_text())


def test_the_plan_counts_bits(checkpoint: Path, tmp_path: Path) -> None:
    plan = convert_folder(checkpoint, tmp_path / "target", Recipe(dtype="bfloat16"))
    assert plan.bits_per_weight == 16
    assert plan.weight_bytes == sum(
        t.nbytes for t in tensors(tmp_path / "target" / "model.safetensors").values()
    )
