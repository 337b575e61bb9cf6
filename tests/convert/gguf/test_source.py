"""A GGUF file as the converter sees it: its config, its weights row by row, and what it says about them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from convert.gguf import open_gguf
from convert.gguf.source import GgufSource
from convert.weights import CodedWeight, FloatWeight, Weight
from quant.format import Format
from qwen2_mlx.config import ModelConfig, YarnConfig
from qwen2_mlx.errors import CheckpointError
from tests.convert.gguf.builder import metadata_of, model_tensors
from tests.convert.gguf.container import Tensor, Typed, gguf
from tests.convert.gguf.models import DENSE, MOE, TIED, open_model, write_model
from tests.golden.weights import make_weights

CODED = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K")
DECODED = ("Q2_K", "Q3_K", "Q6_K")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def whole(weight: Weight) -> np.ndarray:
    """All numbers of a weight in float32."""
    height = int(np.prod(weight.shape[:-1]))
    if isinstance(weight, FloatWeight):
        return np.array(weight.rows(0, height).astype(mx.float32)).reshape(weight.shape)
    rows = weight.rows(0, height)
    codes, scales, biases = (np.array(part, copy=False) for part in (rows.codes, rows.scales, rows.biases))
    groups = codes.reshape(*scales.shape, -1)
    return (scales[..., None] * groups + biases[..., None]).reshape(weight.shape)


def weights_of(source: GgufSource) -> dict[str, Weight]:
    return {weight.name: weight for weight in source.weights}


def in_hugging_face_names(source: GgufSource) -> dict[str, np.ndarray]:
    """All weights in float32, experts one by one."""
    found: dict[str, np.ndarray] = {}
    for weight in source.weights:
        if ".switch_mlp." in weight.name:
            prefix, part = weight.name.split(".switch_mlp.")
            found |= {f"{prefix}.experts.{e}.{part}": m for e, m in enumerate(whole(weight))}
        else:
            found[weight.name] = whole(weight)
    return found


@pytest.mark.parametrize("config", [TIED, MOE], ids=["tied-dense", "untied-moe"])
@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", *CODED, *DECODED, "MIXED"])
def test_every_parameter_has_the_numbers_that_the_file_stands_for(
    kind: str, config: dict[str, Any], path: Path
) -> None:
    reference = write_model(path, kind, config)
    got = in_hugging_face_names(open_gguf(path))
    assert got.keys() == reference.keys()
    for name, expected in reference.items():
        assert got[name].shape == expected.shape, name
        assert np.abs(got[name] - expected).max() <= 2.0**-22 * np.abs(expected).max(), name


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_floats_keep_their_type_and_the_config_names_it(kind: str, path: Path) -> None:
    source = open_model(path, kind)
    embedding = weights_of(source)["model.embed_tokens.weight"]
    assert isinstance(embedding, FloatWeight)
    assert embedding.dtype == source.config["torch_dtype"]
    assert embedding.rows(0, 1).dtype == getattr(mx, embedding.dtype)
    assert (source.format, dict(source.wishes), source.notes) == (None, {}, [])


@pytest.mark.parametrize("kind", CODED)
def test_integer_codes_are_offered_as_they_are(kind: str, path: Path) -> None:
    source = open_model(path, kind)
    bits = int(kind[1])
    coded = [weight for weight in source.weights if isinstance(weight, CodedWeight)]
    assert {weight.format for weight in coded} == {Format(bits, 32)} == {source.format}
    assert {weight.dtype for weight in coded} == {"float16"} == {source.config["torch_dtype"]}
    assert sum(len(weight.shape) > 1 for weight in source.weights) == len(coded)


@pytest.mark.parametrize("kind", ["Q6_K", "Q3_K", "Q2_K"])
def test_groups_of_16_are_decoded_and_wish_to_be_quantised_anew(kind: str, path: Path) -> None:
    source = open_model(path, kind)
    assert set(source.wishes.values()) == {Format(8, 64)} == {source.format}
    assert "model.layers.1.mlp.down_proj" in source.wishes
    assert all(isinstance(weight, FloatWeight) for weight in source.weights)
    assert [note for note in source.notes if kind in note and "8 bits" in note]


def test_a_mixture_keeps_what_it_can(path: Path) -> None:
    source = open_model(path, "MIXED", DENSE)
    weights = weights_of(source)
    assert source.format == Format(4, 32)
    assert isinstance(weights["model.layers.0.self_attn.q_proj.weight"], CodedWeight)
    assert set(source.wishes) == {
        "lm_head",
        *(f"model.layers.{i}.{part}" for i in range(2) for part in ("self_attn.v_proj", "mlp.down_proj")),
    }


def test_routers_that_are_quantised_are_offered_in_floating_point(path: Path) -> None:
    tensors, _ = model_tensors(MOE, make_weights(MOE, 0), "Q8_0")
    quantised = next(t for t in tensors if t.name == "blk.0.ffn_gate_shexp.weight")
    rows = MOE["num_experts"]
    row_bytes = len(quantised.data) // quantised.shape[0]
    router = Tensor("blk.0.ffn_gate_inp.weight", (rows, 256), "Q8_0", quantised.data[: rows * row_bytes])
    path.write_bytes(gguf(metadata_of(MOE), [router if t.name == router.name else t for t in tensors]))
    weights = weights_of(open_gguf(path))
    gate = weights["model.layers.0.mlp.gate.weight"]
    assert isinstance(gate, FloatWeight)
    assert gate.dtype == "float32"
    assert np.array_equal(
        whole(gate), whole(weights["model.layers.0.mlp.shared_expert.gate_proj.weight"])[:rows]
    )


@pytest.mark.parametrize("kind", ["F16", "Q5_0", "Q6_K"])
def test_any_rows_can_be_read_alone(kind: str, path: Path) -> None:
    weight = weights_of(open_model(path, kind, MOE))["model.layers.1.mlp.switch_mlp.up_proj.weight"]
    everything = whole(weight).reshape(-1, weight.shape[-1])
    for start, stop in ((0, 1), (255, 258), (700, 1024)):
        part = type(weight)(**{**vars(weight), "shape": (stop - start, weight.shape[-1])})
        shifted = type(weight)(**{**vars(part), "rows": lambda a, b, s=start: weight.rows(s + a, s + b)})
        assert np.array_equal(whole(shifted), everything[start:stop])


@pytest.mark.parametrize("config", [TIED, DENSE, MOE], ids=["tied", "dense", "moe"])
def test_the_config_says_what_the_original_said(config: dict[str, Any], path: Path) -> None:
    assert ModelConfig.from_dict(open_model(path, "F32", config).config) == ModelConfig.from_dict(config)


def test_dense_layers_of_a_sparse_model_are_found(path: Path) -> None:
    config = {**MOE, "mlp_only_layers": [0]}
    assert open_model(path, "Q8_0", config).config["mlp_only_layers"] == [0]


def test_expert_widths_that_are_not_stated_are_read_off_the_tensors(path: Path) -> None:
    absent = {"expert_feed_forward_length": ..., "expert_shared_feed_forward_length": ...}
    config = open_model(path, "Q8_0", MOE, **absent).config
    assert (config["moe_intermediate_size"], config["shared_expert_intermediate_size"]) == (256, 512)


def test_yarn_is_carried_over(path: Path) -> None:
    changes = {
        "rope__scaling__type": "yarn",
        "rope__scaling__factor": 4.0,
        "rope__scaling__original_context_length": 128,
        "rope__scaling__yarn_beta_fast": 16.0,
    }
    config = ModelConfig.from_dict(open_model(path, "F32", **changes).config)
    assert config.rope.yarn == YarnConfig(4.0, 128, beta_fast=16.0)


@pytest.mark.parametrize("kind", ["none", "linear", ...])
def test_scaling_that_changes_nothing_is_left_out(kind: Any, path: Path) -> None:
    config = open_model(path, "F32", rope__scaling__type=kind, rope__scaling__factor=1.0).config
    assert "rope_scaling" not in config


def test_a_temperature_factor_multiplies_the_one_of_yarn(path: Path) -> None:
    changes = {"rope__scaling__type": "yarn", "rope__scaling__factor": 4.0, "rope__scaling__attn_factor": 0.5}
    yarn = ModelConfig.from_dict(open_model(path, "F32", **changes).config).rope.yarn
    assert yarn
    assert yarn.attention_factor == pytest.approx(0.5 * (0.1 * np.log(4) + 1))
    assert yarn.original_max_position_embeddings == TIED["max_position_embeddings"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rope__scaling__type": "linear", "rope__scaling__factor": 2.0}, "are scaled as 'linear'"),
        ({"rope__scaling__factor": 2.0}, "are scaled as 'linear'"),
        ({"rope__scaling__type": "longrope"}, "are scaled as 'longrope'"),
        ({"attention__causal": False}, "attention.causal is False"),
        ({"pooling_type": 1}, "pooling_type is 1"),
        ({"attention__key_length": 32, "attention__value_length": 64}, "value_length is 64"),
        ({"block_count": 3}, "lacks tensor blk.2.attn_norm.weight"),
        ({"block_count": Typed("u64", 2**63)}, "lacks tensor blk.2.attn_norm.weight"),
        ({"block_count": 1}, "foreign to its architecture: blk.1."),
        ({"feed_forward_length": 511}, "has shape [512, 256], its settings make it [511, 256]"),
        ({"embedding_length": ...}, "embedding_length is missing"),
        ({"attention__head_count": "four"}, "head_count is 'four'; a positive whole number is needed"),
        ({"attention__head_count_kv": [2, 2]}, "head_count_kv is an array of 2"),
        ({"attention__head_count": 0}, "head_count is 0"),
        ({"context_length": Typed("i32", -1)}, "context_length is -1"),
        ({"rope__freq_base": float("nan")}, "freq_base is nan; a number is needed"),
        ({"rope__freq_base": 0.5}, "rope_theta is 0.5"),
        ({"attention__layer_norm_rms_epsilon": "1e-6"}, "a number is needed"),
        ({"attention__key_length": 63}, "head_dim is 63"),
    ],
)
def test_settings_that_cannot_be_followed_are_named(changes: dict[str, Any], said: str, path: Path) -> None:
    write_model(path, "F32", **changes)
    with pytest.raises(CheckpointError) as caught:
        open_gguf(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_another_architecture_is_refused(path: Path) -> None:
    path.write_bytes(gguf({"general.architecture": "llama"}))
    with pytest.raises(CheckpointError, match="architecture 'llama'; supported: qwen2, qwen2moe"):
        open_gguf(path)


@pytest.mark.parametrize(
    ("number", "said"),
    [(23, "type IQ4_XS"), (39, "type MXFP4"), (4, "unknown type 4"), (999, "unknown type 999")],
)
def test_a_type_that_cannot_be_converted_is_named(number: int, said: str, path: Path) -> None:
    path.write_bytes(gguf(metadata_of(TIED), [Tensor("token_embd.weight", (264, 256), number, b"")]))
    with pytest.raises(CheckpointError, match=f"token_embd.weight has {said}, which cannot be converted"):
        open_gguf(path)


def test_a_tensor_that_lies_the_other_way_round_is_refused(path: Path) -> None:
    """A column of numbers is as large as the row of them that is meant, and has other rows."""
    weights = make_weights(MOE, 0)
    tensors, _ = model_tensors(MOE, weights, "F32")
    name = "blk.1.ffn_gate_inp_shexp.weight"
    turned = [replace(t, shape=(*t.shape, 1)) if t.name == name else t for t in tensors]
    path.write_bytes(gguf(metadata_of(MOE), turned))
    with pytest.raises(CheckpointError, match=r"ffn_gate_inp_shexp.weight has shape \[256, 1\]"):
        open_gguf(path)


def test_a_foreign_tensor_is_named(path: Path) -> None:
    tensors, _ = model_tensors(TIED, make_weights(TIED, 0), "F32")
    extra = Tensor("rope_freqs.weight", (32,), "F32", bytes(128))
    path.write_bytes(gguf(metadata_of(TIED), [*tensors, extra]))
    with pytest.raises(CheckpointError, match=r"foreign to its architecture: rope_freqs\.weight"):
        open_gguf(path)


def test_scales_of_k_types_are_rounded_with_a_note_or_kept(path: Path) -> None:
    assert any("float16" in note and "Q4_K" in note for note in open_model(path, "Q4_K").notes)
    kept = open_gguf(path, "float32")
    assert kept.notes == []
    assert {weight.dtype for weight in kept.weights} == {"float32"}


def test_8_bit_codes_are_never_given_bfloat16_scales(path: Path) -> None:
    write_model(path, "Q8_0")
    with pytest.raises(CheckpointError, match="use --import-dtype float16 or float32"):
        open_gguf(path, "bfloat16")
    write_model(path, "Q4_0")
    assert open_gguf(path, "bfloat16").config["torch_dtype"] == "bfloat16"


def test_an_import_type_for_a_float_file_is_refused(path: Path) -> None:
    write_model(path, "F16")
    with pytest.raises(CheckpointError, match="not quantised, so --import-dtype has no meaning"):
        open_gguf(path, "float32")


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_K", "Q6_K"])
def test_a_scale_that_is_no_number_is_damage(kind: str, path: Path) -> None:
    source = open_model(path, kind)
    tensor = source.file.tensors["blk.0.attn_q.weight"]
    at = tensor.offset + {"Q4_0": 0, "Q4_K": 0, "Q6_K": 208}[kind]
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(b"\x00\x7e")
    with pytest.raises(CheckpointError, match=r"attn_q\.weight holds scales that are no numbers"):
        weights_of(source)["model.layers.0.self_attn.q_proj.weight"].rows(0, 1)


def test_a_scale_beyond_float16_asks_for_float32(path: Path) -> None:
    source = open_model(path, "Q8_0")
    offset = source.file.tensors["blk.0.attn_q.weight"].offset
    with path.open("r+b") as stream:
        stream.seek(offset)
        stream.write(np.float16(600).tobytes())
    name = "model.layers.0.self_attn.q_proj.weight"
    with pytest.raises(CheckpointError, match="too large for float16; use --import-dtype float32"):
        weights_of(source)[name].rows(0, 1)
    weight = weights_of(open_gguf(path, "float32"))[name]
    assert isinstance(weight, CodedWeight)
    assert weight.rows(0, 1).biases[0, 0].item() == -128 * 600


def test_a_file_cut_after_it_was_opened_is_an_error(path: Path) -> None:
    source = open_model(path, "Q8_0")
    os.truncate(path, path.stat().st_size - 1)
    last = max(source.file.tensors.values(), key=lambda tensor: tensor.offset)
    with pytest.raises(CheckpointError, match="became shorter"):
        last.rows(0, last.shape[0])


def test_the_fingerprint_follows_the_file(path: Path) -> None:
    source = open_model(path, "Q8_0")
    before = source.fingerprint()
    assert open_gguf(path).fingerprint() == before
    os.utime(path, ns=(0, 0))
    assert source.fingerprint() != before
