"""However a checkpoint in floating point lays out its tensors, every parameter is found or missed by name."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from convert.float_source import FloatSource, open_float
from convert.source import open_source
from qwen2_mlx.errors import CheckpointError, ConfigError, ModelNotFoundError
from qwen2_mlx.loading import load_model, read_config
from tests.checkpoints import DENSE, MOE, edit_json, edit_tensors, split_into_shards, write_checkpoint
from tests.convert.conversions import convert_folder

Tensors = dict[str, np.ndarray]
EXPERTS = range(MOE["num_experts"])


def values(source: FloatSource) -> dict[str, mx.array]:
    return {w.name: w.rows(0, prod(w.shape[:-1])).reshape(w.shape) for w in source.weights}


def assert_same(one: dict[str, mx.array], other: dict[str, mx.array]) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        assert mx.array_equal(value, other[name]), name


def fuse_experts(tensors: Tensors) -> None:
    """As transformers 5 holds them: gate above up, the experts of a layer in one tensor."""
    for layer in range(MOE["num_hidden_layers"]):
        prefix = f"model.layers.{layer}.mlp.experts"
        parts = {
            part: np.stack([tensors.pop(f"{prefix}.{e}.{part}_proj.weight") for e in EXPERTS])
            for part in ("gate", "up", "down")
        }
        tensors[f"{prefix}.gate_up_proj"] = np.concatenate([parts["gate"], parts["up"]], axis=1)
        tensors[f"{prefix}.down_proj"] = parts["down"]


def stack_experts(tensors: Tensors) -> None:
    """As MLX names them."""
    for layer in range(MOE["num_hidden_layers"]):
        mlp = f"model.layers.{layer}.mlp"
        for part in ("gate_proj", "up_proj", "down_proj"):
            stacked = [tensors.pop(f"{mlp}.experts.{e}.{part}.weight") for e in EXPERTS]
            tensors[f"{mlp}.switch_mlp.{part}.weight"] = np.stack(stacked)


@pytest.mark.parametrize("config", [DENSE, MOE], ids=["dense", "moe"])
def test_parameters_are_those_that_the_engine_loads(config: dict[str, Any], tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", config)
    model = load_model(folder, read_config(folder), dtype="float32")
    found = values(open_float(folder))
    for name, value in found.items():
        module: Any = model
        for key in name.split("."):
            module = module[int(key)] if key.isdigit() else module[key]
        assert mx.array_equal(value, module), name


@pytest.mark.parametrize("layout", [fuse_experts, stack_experts])
def test_experts_are_found_in_every_layout(moe_checkpoint: Path, layout: Callable[[Tensors], None]) -> None:
    expected = values(open_float(moe_checkpoint))
    edit_tensors(moe_checkpoint, layout)
    assert_same(values(open_float(moe_checkpoint)), expected)


@pytest.mark.parametrize("rows", [(0, 1), (30, 34), (31, 97), (100, 128)])
def test_rows_of_stacked_experts_may_cross_experts(moe_checkpoint: Path, rows: tuple[int, int]) -> None:
    for weight in open_float(moe_checkpoint).weights:
        if "switch_mlp" in weight.name:
            whole = weight.rows(0, 128)
            assert mx.array_equal(weight.rows(*rows), whole[slice(*rows)])


def test_shards_make_no_difference(moe_checkpoint: Path) -> None:
    expected = values(open_float(moe_checkpoint))
    split_into_shards(moe_checkpoint)
    assert_same(values(open_float(moe_checkpoint)), expected)


def test_rotary_tables_are_ignored(checkpoint: Path) -> None:
    expected = values(open_float(checkpoint))
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    edit_tensors(checkpoint, lambda tensors: tensors.update({name: np.ones(4, np.float32)}))
    assert_same(values(open_float(checkpoint)), expected)


def test_a_tied_copy_of_the_embedding_is_dropped(checkpoint: Path) -> None:
    expected = values(open_float(checkpoint))
    edit_tensors(checkpoint, lambda t: t.update({"lm_head.weight": t["model.embed_tokens.weight"].copy()}))
    source = open_float(checkpoint)
    assert_same(values(source), expected)
    assert not source.notes
    assert source.config["tie_word_embeddings"]


def test_a_head_that_differs_in_one_bit_is_kept_untied_with_a_note(checkpoint: Path, tmp_path: Path) -> None:
    def add_head(tensors: Tensors) -> None:
        head = tensors["model.embed_tokens.weight"].copy()
        head.view(np.uint32)[-1, -1] ^= 1
        tensors["lm_head.weight"] = head

    edit_tensors(checkpoint, add_head)
    source = open_float(checkpoint)
    assert "untied" in source.notes[0]
    found = values(source)
    assert not mx.array_equal(found["lm_head.weight"], found["model.embed_tokens.weight"])
    convert_folder(checkpoint, tmp_path / "target")
    assert not read_config(tmp_path / "target").tie_word_embeddings


def test_the_newer_dialect_is_read(checkpoint: Path) -> None:
    rope = {"rope_type": "default", "rope_theta": 1e6}
    edit_json(
        checkpoint / "config.json", rope_theta=..., torch_dtype=..., dtype="float32", rope_parameters=rope
    )
    assert open_float(checkpoint).weights


NORM = "model.norm.weight"
EXPERT = "model.layers.1.mlp.experts.2.up_proj.weight"


def test_missing_tensors_are_named(moe_checkpoint: Path) -> None:
    edit_tensors(moe_checkpoint, lambda tensors: [tensors.pop(name) for name in (NORM, EXPERT)])
    with pytest.raises(CheckpointError, match=f"lacks tensors.*{EXPERT}.*{NORM}"):
        open_float(moe_checkpoint)


def test_a_config_that_asks_for_millions_of_experts_is_noticed_soon(moe_checkpoint: Path) -> None:
    edit_json(moe_checkpoint / "config.json", num_experts=1024, num_hidden_layers=1024)
    with pytest.raises(CheckpointError, match="lacks tensors"):
        open_float(moe_checkpoint)


@pytest.mark.parametrize("name", ["model.layers.2.mlp.up_proj.weight", "../../climbing", "lm_head.bias"])
def test_foreign_tensors_are_named(name: str, checkpoint: Path, tmp_path: Path) -> None:
    edit_tensors(checkpoint, lambda tensors: tensors.update({name: np.ones(4, np.float32)}))
    with pytest.raises(CheckpointError, match="foreign to its architecture"):
        convert_folder(checkpoint, tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize("name", [NORM, EXPERT, "model.layers.0.mlp.gate.weight"])
def test_a_wrong_shape_is_named(name: str, moe_checkpoint: Path) -> None:
    edit_tensors(moe_checkpoint, lambda tensors: tensors.update({name: tensors[name][..., :-1].copy()}))
    with pytest.raises(CheckpointError, match=f"{name} has shape .* its config makes it"):
        open_float(moe_checkpoint)


@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.uint8])
def test_numbers_of_another_kind_are_named(dtype: type[np.generic], checkpoint: Path) -> None:
    edit_tensors(checkpoint, lambda tensors: tensors.update({NORM: tensors[NORM].astype(dtype)}))
    with pytest.raises(CheckpointError, match=f"{NORM} is .* are read"):
        open_float(checkpoint)


def test_an_expert_of_another_type_is_named(moe_checkpoint: Path) -> None:
    edit_tensors(moe_checkpoint, lambda tensors: tensors.update({EXPERT: tensors[EXPERT].astype(np.float16)}))
    with pytest.raises(CheckpointError, match=f"{EXPERT} has type F16, its fellows F32"):
        open_float(moe_checkpoint)


def test_a_folder_without_config_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="is missing"):
        open_source(tmp_path)


def test_a_foreign_quantisation_is_one_error(checkpoint: Path) -> None:
    edit_json(checkpoint / "config.json", quantization_config={"quant_method": "bitsandbytes"})
    with pytest.raises(ConfigError, match="bitsandbytes"):
        open_source(checkpoint)


def test_an_import_type_for_a_source_in_floating_point_is_one_error(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="use --dtype"):
        open_source(checkpoint, "float16")


def test_the_fingerprint_changes_with_the_files_and_the_config(checkpoint: Path) -> None:
    first = open_float(checkpoint).fingerprint()
    assert open_float(checkpoint).fingerprint() == first
    edit_tensors(checkpoint, lambda tensors: tensors[NORM].__setitem__(0, 7))
    second = open_float(checkpoint).fingerprint()
    edit_json(checkpoint / "config.json", rope_theta=5.0)
    assert len({first, second, open_float(checkpoint).fingerprint()}) == 3
