"""The config.json of a written folder says to every reader what the source said to its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from convert.folder.config import output_config
from qwen2_mlx.config import ModelConfig
from tests import checkpoints

QUANTIZATION = {
    "group_size": 64,
    "bits": 4,
    "mode": "affine",
    "model.embed_tokens": {"group_size": 64, "bits": 8, "mode": "affine"},
    "model.layers.0.mlp.down_proj": False,
}
NEWER = {key: value for key, value in checkpoints.DENSE.items() if key not in ("rope_theta", "torch_dtype")}
YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}


def written(raw: dict[str, Any], quantization: dict[str, Any] | None = None) -> dict[str, Any]:
    return output_config(raw, ModelConfig.from_dict(raw), "bfloat16", quantization)


@pytest.mark.parametrize(
    "raw",
    [
        {**checkpoints.DENSE, "rope_theta": 1e7},
        {**checkpoints.DENSE, "rope_scaling": YARN},
        {**checkpoints.MOE, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6}},
        {**NEWER, "rope_parameters": {"rope_type": "default", "rope_theta": 77.0}},
        {**NEWER, "rope_parameters": {**YARN, "rope_theta": 77.0}},
    ],
)
def test_both_spellings_mean_what_the_source_meant(raw: dict) -> None:
    config, merged = ModelConfig.from_dict(raw), written(raw)
    older = {key: value for key, value in merged.items() if key not in ("rope_parameters", "dtype")}
    newer = {
        key: value
        for key, value in merged.items()
        if key not in ("rope_theta", "rope_scaling", "torch_dtype")
    }
    for spelling in (merged, older, newer):
        read = ModelConfig.from_dict(spelling)
        assert (read.rope, read.dtype) == (config.rope, "bfloat16")


def test_quantization_is_mirrored_and_read_back() -> None:
    merged = written(checkpoints.MOE, QUANTIZATION)
    assert merged["quantization"] == merged["quantization_config"] == QUANTIZATION
    assert ModelConfig.from_dict(merged).quantization == QUANTIZATION


def test_keys_that_run_code_stay_behind_and_all_others_are_kept() -> None:
    dual_chunk = {"chunk_size": 256, "local_size": 32, "original_max_position_embeddings": 256}
    plain = {
        **checkpoints.DENSE,
        "max_position_embeddings": 1010000,
        "dual_chunk_attention_config": dual_chunk,
        "_name_or_path": "Qwen/Qwen2-7B",
        "a_key_of_tomorrow": [1, {"two": None}],
    }
    code = {
        "auto_map": {"AutoModelForCausalLM": "modeling_x.X"},
        "model_file": "modeling_x.py",
        "custom_pipelines": {"text-generation": {"impl": "modeling_x.X"}},
        "trust_remote_code": True,
        "attn_implementation": "someone/kernels",
        "_attn_implementation": "someone/kernels",
        "quantize_activations": True,
    }
    merged = written({**plain, **code})
    assert not code.keys() & merged.keys()
    assert {key: merged[key] for key in plain if key != "torch_dtype"} == {
        key: value for key, value in plain.items() if key != "torch_dtype"
    }


def test_the_quantization_of_the_source_is_not_that_of_the_target() -> None:
    raw = {**checkpoints.DENSE, "quantization": QUANTIZATION, "quantization_config": QUANTIZATION}
    assert not {"quantization", "quantization_config"} & written(raw).keys()


def test_a_path_of_the_machine_that_saved_the_source_is_not_passed_on() -> None:
    assert "_name_or_path" not in written({**checkpoints.DENSE, "_name_or_path": "/home/ann/secret-project"})


@pytest.mark.parametrize(
    "raw", [checkpoints.DENSE, checkpoints.MOE, {**checkpoints.DENSE, "rope_scaling": YARN}]
)
def test_transformers_opens_it_and_reads_the_same(raw: dict, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    merged = written(raw, QUANTIZATION)
    (tmp_path / "config.json").write_text(json.dumps(merged))
    read = transformers.AutoConfig.from_pretrained(tmp_path)
    assert read.rope_parameters["rope_theta"] == raw["rope_theta"]
    assert read.rope_parameters["rope_type"] == ("yarn" if "rope_scaling" in raw else "default")
    assert read.max_position_embeddings == raw["max_position_embeddings"]
    assert str(read.dtype).removeprefix("torch.") == "bfloat16"  # a string where torch is not installed


def test_every_official_config_keeps_its_meaning(shared_data: Path) -> None:
    files = sorted((shared_data / "configs").glob("*.json"))
    assert files
    for file in files:
        raw = json.loads(file.read_text())
        merged = written(raw)
        assert ModelConfig.from_dict(merged) == ModelConfig.from_dict({**raw, "torch_dtype": "bfloat16"})
        assert raw.items() <= merged.items()
