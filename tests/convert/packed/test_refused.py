"""What cannot be imported is refused in one line, before any weight is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert.packed import columns as columns_module
from convert.packed import open_packed
from convert.source import open_source
from convert.weights import CodedWeight, FloatWeight
from quant.format import Format
from qwen2_mlx.errors import Qwen2Error
from tests import checkpoints
from tests.convert import quantised_checkpoints as made

Tensors = dict[str, np.ndarray]
Edit = Callable[[Tensors], object]

O_PROJ = "model.layers.0.self_attn.o_proj"
DOWN = "model.layers.1.mlp.down_proj"


def test_8_bit_codes_are_not_imported_in_bfloat16(tmp_path: Path) -> None:
    made.write_packed(tmp_path, *made.PACKINGS["gptq-int8"])
    with pytest.raises(Qwen2Error, match=r"8-bit codes cannot be imported in bfloat16.*float16"):
        open_packed(tmp_path, "bfloat16")


def test_an_unknown_import_type_is_refused(tmp_path: Path) -> None:
    made.write_packed(tmp_path)
    with pytest.raises(Qwen2Error, match="choose one of float16, float32, bfloat16"):
        open_packed(tmp_path, "float8")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": 3}, "bits of quantization_config is 3"),
        ({"bits": True}, "bits of quantization_config is True"),
        ({"bits": 4.0}, "bits of quantization_config is 4.0"),
        ({"bits": None}, "bits of quantization_config is None"),
        ({"bits": [4]}, "bits of quantization_config"),
        ({"group_size": -1}, "group_size of quantization_config is -1"),
        ({"group_size": 10**30}, "group_size of quantization_config is"),
        ({"group_size": 64}, "its config makes it"),
        ({"bits": 8}, "its config makes it"),
        ({"sym": "yes"}, "sym of quantization_config is 'yes'"),
        ({"desc_act": 1}, "desc_act of quantization_config is 1"),
        ({"checkpoint_format": "marlin"}, "format 'marlin'"),
        ({"checkpoint_format": ["gptq"]}, "are shuffled for one kind of GPU"),
        ({"checkpoint_format": "gptq", "format": "gptq_v2"}, "disagree"),
        ({"is_marlin_format": True}, "format 'marlin'"),
        ({"pack_dtype": "int16"}, "pack_dtype"),
        ({"dynamic": {".*down.*": {"bits": 8}}}, "settings of their own"),
        ({"quant_method": "bitsandbytes"}, "quant_method is 'bitsandbytes'"),
        ({"quant_method": {"gptq": 1}}, "quant_method is"),
    ],
)
def test_gptq_settings_that_cannot_be_read_are_named(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made.write_packed(tmp_path)
    settings = {**made.INT4.config, **changes}
    checkpoints.edit_json(tmp_path / "config.json", quantization_config=settings)
    with pytest.raises(Qwen2Error, match=message):
        open_packed(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "gemv"}, "AWQ version 'gemv' is not imported.*'gemm'"),
        ({"version": "gemv_fast"}, "AWQ version 'gemv_fast'"),
        ({"version": "exllama"}, "AWQ version 'exllama'"),
        ({"version": "marlin"}, "AWQ version 'marlin'"),
        ({"version": 1}, "AWQ version 1"),
        ({"bits": 8}, "bits of quantization_config is 8"),
        ({"zero_point": False}, "zero_point"),
        ({"group_size": 127}, "group_size of quantization_config is 127"),
    ],
)
def test_awq_settings_that_cannot_be_read_are_named(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    made.write_packed(tmp_path, *made.PACKINGS["awq"])
    settings = {**made.AWQ.config, **changes}
    checkpoints.edit_json(tmp_path / "config.json", quantization_config=settings)
    with pytest.raises(Qwen2Error, match=message):
        open_packed(tmp_path)


def replace(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    return lambda tensors: tensors.__setitem__(name, change(tensors[name]))


def g_idx(**places: int) -> Edit:
    """Changes elements of a group index: `at_5=9` sets the one at place 5 to 9."""

    def edit(tensors: Tensors) -> None:
        for place, value in places.items():
            tensors[f"{O_PROJ}.g_idx"][int(place.removeprefix("at_"))] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (replace(f"{O_PROJ}.qweight", lambda t: t[:-1]), r"o_proj.qweight has shape \[31, 256\]"),
        (replace(f"{O_PROJ}.qweight", lambda t: np.ascontiguousarray(t.T)), "qweight has shape"),
        (replace(f"{O_PROJ}.qweight", lambda t: t.astype(np.int64)), "qweight is I64, I32 is needed"),
        (replace(f"{O_PROJ}.qzeros", lambda t: t[:, :-1].copy()), r"qzeros has shape \[2, 31\]"),
        (replace(f"{O_PROJ}.qzeros", lambda t: t[:1]), r"qzeros has shape \[1, 32\]"),
        (replace(f"{O_PROJ}.scales", lambda t: t[:1]), r"scales has shape \[1, 256\]"),
        (replace(f"{O_PROJ}.scales", lambda t: t.view(np.int16)), "scales is I16, F16 or BF16 or F32"),
        (replace(f"{O_PROJ}.scales", lambda t: np.full_like(t, np.nan)), "not finite"),
        (replace(f"{O_PROJ}.g_idx", lambda t: t[:-1]), r"g_idx has shape \[255\]"),
        (g_idx(at_5=2), "g_idx names groups from 0 to 2; there are 2"),
        (g_idx(at_5=-1), "g_idx names groups from -1"),
        (g_idx(at_5=2**31 - 1), "g_idx names groups from 0 to 2147483647"),
        (g_idx(at_5=1), "g_idx gives group 0 127 columns; all must have 128"),
        (lambda tensors: tensors.pop(f"{O_PROJ}.qzeros"), "o_proj lacks its qzeros"),
        (lambda tensors: tensors.pop(f"{O_PROJ}.scales"), "o_proj lacks its scales"),
        (lambda tensors: tensors.pop(f"{O_PROJ}.qweight"), "lacks tensors of its architecture: .*o_proj"),
        (lambda tensors: tensors.pop("model.norm.weight"), "lacks tensors of its architecture: model.norm"),
        (replace("model.norm.weight", lambda t: t[:-1]), r"model.norm.weight is F16 of shape \[255\]"),
        (replace("model.norm.weight", lambda t: t.view(np.int16)), "model.norm.weight is I16"),
        (
            lambda tensors: tensors.update({"model.norm.qweight": tensors.pop("model.norm.weight")}),
            "lacks tensors of its architecture: model.norm.weight",
        ),
        (
            lambda tensors: tensors.update({"model.norm.qweight": np.zeros(3, np.int32)}),
            "foreign to its architecture: model.norm.qweight",
        ),
        (
            lambda tensors: tensors.update({f"{O_PROJ}.weight.qweight": np.zeros(3, np.int32)}),
            "foreign to its architecture",
        ),
        (
            lambda tensors: tensors.update({"model.layers.0.self_attn.q_proj.bias.qweight": np.zeros(3)}),
            "foreign to its architecture",
        ),
        (lambda tensors: tensors.update({"extra": np.zeros(3)}), "foreign to its architecture: extra"),
        (lambda tensors: tensors.update({f"{DOWN}.bias": np.ones(256, np.float16)}), "bias is not all zero"),
        (lambda tensors: tensors.update({f"{DOWN}.bias": np.zeros(9, np.float16)}), "bias is not all zero"),
        (
            lambda tensors: tensors.update({f"{DOWN}.bias": np.full(256, np.nan, np.float16)}),
            "bias is not all zero",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused_before_a_weight_is_read(
    edit: Edit, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write_packed(tmp_path)
    checkpoints.edit_tensors(tmp_path, edit)
    monkeypatch.setattr(columns_module, "_read", None)
    with pytest.raises(Qwen2Error, match=message):
        open_packed(tmp_path)


@pytest.mark.parametrize("index", [np.zeros(256), np.zeros(0, np.int32), np.zeros(256, np.int32)])
def test_a_group_index_that_awq_has_no_use_for_is_foreign(index: np.ndarray, tmp_path: Path) -> None:
    made.write_packed(tmp_path, *made.PACKINGS["awq"])
    checkpoints.edit_tensors(tmp_path, lambda tensors: tensors.update({f"{O_PROJ}.g_idx": index}))
    with pytest.raises(Qwen2Error, match=r"foreign to its architecture: .*o_proj\.g_idx"):
        open_packed(tmp_path)


def test_the_tool_may_be_spelled_in_capitals(tmp_path: Path) -> None:
    made.write_packed(tmp_path)
    settings = {**made.INT4.config, "quant_method": "GPTQ"}
    checkpoints.edit_json(tmp_path / "config.json", quantization_config=settings)
    assert open_source(tmp_path).format == Format(4, 128)


def test_a_single_expert_in_floating_point_is_found_under_its_own_name(tmp_path: Path) -> None:
    made.write_packed(tmp_path, {**made.MOE, "num_experts": 1, "num_experts_per_tok": 1})
    path = "model.layers.1.mlp.experts.0.up_proj"

    def unpack(tensors: Tensors) -> None:
        for part in ("qweight", "qzeros", "scales", "g_idx"):
            del tensors[f"{path}.{part}"]
        tensors[f"{path}.weight"] = np.ones((128, 256), np.float16)

    checkpoints.edit_tensors(tmp_path, unpack)
    weights = {weight.name: weight for weight in open_packed(tmp_path).weights}
    stacked = weights["model.layers.1.mlp.switch_mlp.up_proj.weight"]
    assert isinstance(stacked, FloatWeight)
    assert stacked.rows(0, 128).sum().item() == 128 * 256


def test_a_missing_g_idx_is_refused_where_columns_have_an_order(tmp_path: Path) -> None:
    made.write_packed(tmp_path, *made.PACKINGS["gptq-int4-act-order"])
    checkpoints.edit_tensors(tmp_path, lambda tensors: tensors.pop(f"{O_PROJ}.g_idx"))
    with pytest.raises(Qwen2Error, match="o_proj lacks its g_idx"):
        open_packed(tmp_path)


def test_an_expert_that_is_not_packed_like_its_fellows_is_refused(tmp_path: Path) -> None:
    made.write_packed(tmp_path, *made.PACKINGS["moe-gptq-int4"])
    path = "model.layers.1.mlp.experts.2.up_proj"

    def unpack(tensors: Tensors) -> None:
        for part in ("qweight", "qzeros", "scales", "g_idx"):
            del tensors[f"{path}.{part}"]
        tensors[f"{path}.weight"] = np.zeros((128, 256), np.float16)

    checkpoints.edit_tensors(tmp_path, unpack)
    with pytest.raises(Qwen2Error, match=r"experts.2.up_proj.qweight"):
        open_packed(tmp_path)


def test_a_config_that_promises_packed_weights_and_has_none_is_refused(tmp_path: Path) -> None:
    checkpoints.write_checkpoint(tmp_path, {**checkpoints.DENSE, "quantization_config": made.INT4.config})
    with pytest.raises(Qwen2Error, match="holds no GPTQ weights"):
        open_packed(tmp_path)


@pytest.mark.parametrize("key", ["hidden_size", "intermediate_size", "vocab_size", "num_hidden_layers"])
def test_absurd_sizes_in_the_config_are_refused(key: str, tmp_path: Path) -> None:
    made.write_packed(tmp_path)
    size = 1000 if key == "num_hidden_layers" else 2**30
    checkpoints.edit_json(tmp_path / "config.json", **{key: size})
    with pytest.raises(Qwen2Error):
        open_packed(tmp_path)


def test_scales_beyond_float16_are_refused_when_they_are_read(tmp_path: Path) -> None:
    made.write_packed(tmp_path)
    large = replace(f"{O_PROJ}.scales", lambda t: np.full(t.shape, 1e5, np.float32))
    checkpoints.edit_tensors(tmp_path, large)
    (weight,) = [w for w in open_packed(tmp_path).weights if w.name == f"{O_PROJ}.weight"]
    assert isinstance(weight, CodedWeight)
    with pytest.raises(Qwen2Error, match="o_proj has scales beyond the range of float16"):
        weight.rows(0, 1)
    wide = next(w for w in open_packed(tmp_path, "float32").weights if w.name == weight.name)
    assert isinstance(wide, CodedWeight)
    assert float(wide.rows(0, 1).scales.max()) == 1e5


def test_a_file_that_is_cut_while_it_is_read_is_refused(tmp_path: Path) -> None:
    made.write_packed(tmp_path)
    weights = [w for w in open_packed(tmp_path).weights if isinstance(w, CodedWeight)]
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(Qwen2Error, match=r"cut short|become shorter"):
        weights[0].rows(0, 1)
