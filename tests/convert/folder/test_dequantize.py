"""A quantised folder goes back to floating point: the same numbers, under the names the family has."""

import json
from pathlib import Path
from typing import cast

import mlx.core as mx
import numpy as np
import pytest

from convert.conversion import convert
from convert.folder.dequantize import open_quantized
from convert.folder.verify import verify
from convert.plan import make_plan
from quant.format import MICROSCALING, Format
from quant.recipe import Recipe
from qwen2_mlx import loading
from qwen2_mlx.errors import CheckpointError
from tests import checkpoints
from tests.checkpoints import edit_json
from tests.convert.folder.folders import as_numpy, matrices, quantized, save, write_mlx_folder

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])
FORMATS = [Format(4, 32), Format(3, 32), Format(8, 32), *MICROSCALING.values()]
CONFIGS = {"dense": checkpoints.DENSE, "moe": checkpoints.MOE}


def dequantized(folder: Path, target: Path, recipe: Recipe | None = None) -> dict[str, mx.array]:
    """The tensors of the floating-point checkpoint that `folder` becomes."""
    source = open_quantized(folder)
    convert(source, make_plan(source, recipe or Recipe()), target)
    return cast(dict[str, mx.array], mx.load(str(target / "model.safetensors")))


def expected(tensors: dict[str, mx.array], format: Format, dtype: mx.Dtype) -> dict[str, mx.array]:
    """What MLX itself makes of every matrix, computed in float32 and rounded once."""
    found = {name: t for name, t in tensors.items() if not name.endswith((".scales", ".biases"))}
    for name in [name for name in tensors if name.endswith(".scales")]:
        path = name.removesuffix(".scales")
        biases = tensors.get(f"{path}.biases")
        scales = tensors[name] if biases is None else tensors[name].astype(mx.float32)
        biases = None if biases is None else biases.astype(mx.float32)
        rows = mx.dequantize(
            tensors[f"{path}.weight"], scales, biases, format.group_size, format.bits, format.mode,
            dtype=mx.float32,
        )  # fmt: skip
        found[f"{path}.weight"] = rows.astype(dtype)
    for name in [name for name in found if ".switch_mlp." in name]:
        prefix, part = name.split(".switch_mlp.")
        stack = found.pop(name)
        found |= {f"{prefix}.experts.{expert}.{part}": stack[expert] for expert in range(stack.shape[0])}
    return found


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_weight_is_what_mlx_dequantises_it_to(
    config: dict, format: Format, dtype: str, tmp_path: Path
) -> None:
    tensors = write_mlx_folder(tmp_path / "m", config, format, dtype)
    found = dequantized(tmp_path / "m", tmp_path / "out")
    wanted = expected(tensors, format, loading.DTYPES[dtype])
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == loading.DTYPES[dtype]
        assert mx.array_equal(found[name], tensor), name


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_result_computes_what_the_quantised_model_does(config: dict, tmp_path: Path) -> None:
    write_mlx_folder(tmp_path / "m", config, Format(4, 32))
    dequantized(tmp_path / "m", tmp_path / "out")
    before, after = (
        loading.load_model(folder, loading.read_config(folder))(TOKENS)
        for folder in (tmp_path / "m", tmp_path / "out")
    )
    assert float(mx.abs(after - before).max() / mx.abs(before).max()) < 1e-5


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_transformers_loads_the_result_and_computes_the_same(config: dict, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    write_mlx_folder(tmp_path / "m", config, Format(4, 32))
    dequantized(tmp_path / "m", tmp_path / "out")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        logits = theirs(torch.tensor(np.array(TOKENS).astype(np.int64))).logits.numpy()
    ours = as_numpy(loading.load_model(tmp_path / "m", loading.read_config(tmp_path / "m"))(TOKENS))
    assert np.abs(logits - ours).max() / np.abs(ours).max() < 1e-4


def test_the_config_no_longer_speaks_of_quantisation(tmp_path: Path) -> None:
    write_mlx_folder(tmp_path / "m", dtype="bfloat16")
    dequantized(tmp_path / "m", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert not {"quantization", "quantization_config"} & config.keys()
    assert config["torch_dtype"] == config["dtype"] == "bfloat16"
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (
        tmp_path / "m" / "tokenizer.json"
    ).read_bytes()


def test_another_type_is_rounded_to_once(tmp_path: Path) -> None:
    tensors = write_mlx_folder(tmp_path / "m", formats=Format(8, 32), dtype="bfloat16")
    found = dequantized(tmp_path / "m", tmp_path / "out", Recipe("float32"))
    wanted = expected(tensors, Format(8, 32), mx.float32)
    name = "model.layers.0.mlp.up_proj.weight"
    assert mx.array_equal(found[name], wanted[name])


def test_columns_go_back_to_the_order_of_the_model(tmp_path: Path) -> None:
    tensors = write_mlx_folder(tmp_path / "m", formats=None)
    path = "model.layers.0.self_attn.o_proj"
    weight = tensors.pop(f"{path}.weight")
    order = mx.array(np.random.default_rng(0).permutation(32).astype(np.int32))
    tensors |= quantized(path, weight[:, order], Format(8, 32))
    tensors[f"{path}.perm"] = order
    save(tmp_path / "m", tensors)
    common = {"group_size": 32, "bits": 8, "mode": "affine"}
    edit_json(tmp_path / "m" / "config.json", quantization={**common, path: common})
    found = dequantized(tmp_path / "m", tmp_path / "out")
    assert f"{path}.perm" not in found
    assert float(mx.abs(found[f"{path}.weight"] - weight).max()) < 0.02 * float(mx.abs(weight).max())


def test_mixed_formats_are_each_read_in_their_own(tmp_path: Path) -> None:
    paths = list(matrices(checkpoints.MOE))
    formats = {path: FORMATS[index % 3] if index % 4 else None for index, path in enumerate(paths)}
    write_mlx_folder(tmp_path / "m", checkpoints.MOE, formats)
    dequantized(tmp_path / "m", tmp_path / "out")
    before, after = (
        loading.load_model(folder, loading.read_config(folder))(TOKENS)
        for folder in (tmp_path / "m", tmp_path / "out")
    )
    assert float(mx.abs(after - before).max() / mx.abs(before).max()) < 1e-5


def test_experts_that_lie_one_by_one_verify_too(tmp_path: Path) -> None:
    write_mlx_folder(tmp_path / "m", checkpoints.MOE)
    dequantized(tmp_path / "m", tmp_path / "out")
    report = verify(tmp_path / "out")
    assert not report.findings
    assert report.computed


def test_few_rows_are_in_memory_at_a_time(tmp_path: Path) -> None:
    write_mlx_folder(tmp_path / "m", checkpoints.MOE)
    weights = {weight.name: weight for weight in open_quantized(tmp_path / "m").weights}
    expert = weights["model.layers.1.mlp.experts.2.up_proj.weight"]
    assert expert.shape == (32, 32)
    assert mx.array_equal(expert.rows(3, 5), expert.rows(0, 32)[3:5])


def test_a_folder_in_floating_point_is_refused(checkpoint: Path) -> None:
    with pytest.raises(CheckpointError, match="is not quantised"):
        open_quantized(checkpoint)


def test_a_damaged_folder_is_refused_by_name(tmp_path: Path) -> None:
    tensors = write_mlx_folder(tmp_path / "m")
    del tensors["model.layers.0.mlp.up_proj.biases"]
    save(tmp_path / "m", tensors)
    with pytest.raises(CheckpointError, match=r"tensor model\.layers\.0\.mlp\.up_proj\.biases is missing"):
        open_quantized(tmp_path / "m")


def test_a_changed_folder_has_another_fingerprint(tmp_path: Path) -> None:
    tensors = write_mlx_folder(tmp_path / "m")
    first = open_quantized(tmp_path / "m").fingerprint()
    assert open_quantized(tmp_path / "m").fingerprint() == first
    save(tmp_path / "m", {**tensors})
    assert open_quantized(tmp_path / "m").fingerprint() != first
