"""A GGUF file becomes an MLX folder whose model computes what the file stands for."""

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.utils import load_model as load_with_mlx_lm
from safetensors.numpy import save_file

from convert.codes_hash import codes_hash, written_hash
from convert.conversion import convert
from convert.plan import make_plan
from convert.safetensors_file import stored_tensors
from convert.source import open_source
from quant.recipe import Recipe
from qwen2_mlx import load, loading
from qwen2_mlx.loading import load_model, read_config
from tests.checkpoints import write_checkpoint
from tests.convert.gguf.builder import model_codes
from tests.convert.gguf.models import MOE, TIED, write_model
from tests.golden.weights import make_weights

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])
CONFIGS = pytest.mark.parametrize("config", [TIED, MOE], ids=["tied-dense", "untied-moe"])


def converted(folder: Path, kind: str, config: dict[str, Any], import_dtype: str | None = None) -> Path:
    """The folder made of a GGUF file of this kind; the model it stands for is in `reference`."""
    reference = write_model(folder / "model.gguf", kind, config)
    write_checkpoint(folder / "reference", config)
    save_file(reference, folder / "reference" / "model.safetensors", {"format": "pt"})
    source = open_source(folder / "model.gguf", import_dtype)
    convert(source, make_plan(source, Recipe()), folder / "target")
    return folder / "target"


def logits(folder: Path) -> mx.array:
    return load_model(folder, read_config(folder), dtype="float32")(TOKENS)


def relative_error(got: mx.array, expected: mx.array) -> float:
    return float(mx.abs(got - expected).max() / mx.abs(expected).max())


def error_of(target: Path) -> float:
    return relative_error(logits(target), logits(target.parent / "reference"))


@CONFIGS
@pytest.mark.parametrize("kind", ["F32", "Q4_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K"])
def test_float32_scales_give_the_logits_of_the_dequantised_model(
    kind: str, config: dict[str, Any], tmp_path: Path
) -> None:
    assert error_of(converted(tmp_path, kind, config, "float32" if kind != "F32" else None)) < 1e-4


@CONFIGS
@pytest.mark.parametrize("kind", ["F16", "BF16", "Q4_1", "Q5_0", "Q8_0", "Q4_K"])
def test_half_precision_scales_stay_near(kind: str, config: dict[str, Any], tmp_path: Path) -> None:
    assert error_of(converted(tmp_path, kind, config)) < 1e-2


@CONFIGS
@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q6_K", "MIXED"])
def test_what_is_quantised_anew_stays_near(kind: str, config: dict[str, Any], tmp_path: Path) -> None:
    assert error_of(converted(tmp_path, kind, config, "float32")) < 2e-2


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K"])
def test_the_codes_in_the_folder_are_the_codes_in_the_file(kind: str, tmp_path: Path) -> None:
    stored = stored_tensors(converted(tmp_path, kind, MOE))
    written_codes = model_codes(MOE, make_weights(MOE, 0), kind)
    assert len(written_codes) == 22
    for name, codes in written_codes.items():
        bits = 32 * stored[name].shape[-1] // codes.shape[-1]
        assert bits == int(kind[1])
        assert written_hash(stored[name], bits) == codes_hash([codes]), name


@CONFIGS
def test_mlx_lm_reads_the_folder_and_computes_the_same(config: dict[str, Any], tmp_path: Path) -> None:
    target = converted(tmp_path, "MIXED", config, "float32")
    theirs, _ = load_with_mlx_lm(target)
    assert relative_error(theirs(TOKENS), logits(target)) < 1e-5


@CONFIGS
def test_the_folder_is_complete_and_answers(config: dict[str, Any], tmp_path: Path) -> None:
    target = converted(tmp_path, "MIXED", config)
    model, tokenizer = load(str(target))
    ids = tokenizer.encode_chat([{"role": "user", "content": "the"}])
    reference = loading.load(str(tmp_path / "reference"))[1]
    assert ids == reference.encode_chat([{"role": "user", "content": "the"}])
    assert tokenizer.eos_ids == reference.eos_ids
    assert np.isfinite(np.array(model(mx.array([ids])))[..., : len(tokenizer)]).all()
