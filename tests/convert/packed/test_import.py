"""GPTQ and AWQ checkpoints become MLX folders that hold the same integer codes and compute the same."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.utils import load_model as load_with_mlx_lm

from convert.codes_hash import codes_hash, source_hash, written_hash
from convert.conversion import convert
from convert.packed import PackedSource, open_packed
from convert.plan import make_plan
from convert.safetensors_file import stored_tensors
from convert.weights import CodedWeight
from quant.recipe import Recipe
from qwen2_mlx import loading
from tests.convert import quantised_checkpoints as made
from tests.convert.quantised_checkpoints import PACKINGS, Checkpoint

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])
SYMMETRIC = [name for name, (_, packing) in PACKINGS.items() if packing.symmetric]
ASYMMETRIC = [name for name, (_, packing) in PACKINGS.items() if not packing.symmetric]
HALF_ULP_OF_A_BIAS = 15 / 2048  # of a step: biases reach 15 steps, where float16 has 11 bits


@dataclass(frozen=True)
class Import:
    """A packed checkpoint, its reader, and the MLX folder that came out."""

    checkpoint: Checkpoint
    source: PackedSource
    folder: Path


@pytest.fixture(scope="module")
def checkpoint_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Checkpoint]:
    """The packed checkpoint of a name, written once for all tests, which only read it."""
    return cache(lambda name: made.write_packed(tmp_path_factory.mktemp(name), *PACKINGS[name]))


@pytest.fixture(scope="module")
def imported(
    checkpoint_of: Callable[[str], Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Import]:
    """The import of a checkpoint's name in a type, done once for all tests."""

    @cache
    def import_it(name: str, dtype: str | None = None) -> Import:
        target = tmp_path_factory.mktemp(f"{name}-imported") / "target"
        return import_folder(checkpoint_of(name), target, dtype)

    return import_it


@pytest.fixture(scope="module")
def expected_logits(
    checkpoint_of: Callable[[str], Checkpoint], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], mx.array]:
    """The logits of the dequantised float32 model of a checkpoint's name."""
    return cache(
        lambda name: logits(checkpoint_of(name).write_dequantised(tmp_path_factory.mktemp("floats")))
    )


def import_folder(checkpoint: Checkpoint, target: Path, dtype: str | None = None) -> Import:
    source = open_packed(checkpoint.folder, dtype)
    convert(source, make_plan(source, Recipe()), target)
    return Import(checkpoint, source, target)


def logits(folder: Path, fuse: bool = True) -> mx.array:
    model = loading.load_model(folder, loading.read_config(folder), dtype="float32")
    if fuse:
        model.fuse()
    return model(TOKENS)


def relative_error(got: mx.array, expected: mx.array) -> float:
    return float(mx.abs(got - expected).max() / mx.abs(expected).max())


def largest_error_in_steps(done: Import) -> float:
    """Of all quantised matrices, dequantised by MLX in float32, from the float64 reference."""
    tensors = mx.load(str(done.folder / "model.safetensors"))
    assert isinstance(tensors, dict)
    worst = 0.0
    for path in [name.removesuffix(".scales") for name in tensors if name.endswith(".scales")]:
        weight, scales, biases = (tensors[f"{path}.{part}"] for part in ("weight", "scales", "biases"))
        floats = mx.dequantize(
            weight,
            scales.astype(mx.float32),
            biases.astype(mx.float32),
            group_size=made.GROUP,
            bits=done.checkpoint.packing.bits,
        )
        matrix = done.checkpoint.matrix_of(path)
        steps = matrix.scales[:, matrix.g_idx].astype(np.float64)
        error = np.abs(np.array(floats).reshape(steps.shape) - matrix.dequantised()) / steps
        worst = max(worst, float(error.max()))
    return worst


@pytest.mark.parametrize("name", PACKINGS)
def test_every_integer_code_is_kept(name: str, imported: Callable[..., Import]) -> None:
    done = imported(name)
    written = stored_tensors(done.folder)
    coded = [weight for weight in done.source.weights if isinstance(weight, CodedWeight)]
    assert coded
    for weight in coded:
        expected = codes_hash([done.checkpoint.matrix_of(weight.name).codes])
        assert source_hash(weight) == expected
        assert written_hash(written[weight.name], done.checkpoint.packing.bits) == expected


@pytest.mark.parametrize("name", ["gptq-int4", "gptq-int8-act-order", "moe-gptq-int4", "moe-awq"])
def test_rows_are_the_same_however_they_are_read(
    name: str, checkpoint_of: Callable[[str], Checkpoint]
) -> None:
    checkpoint = checkpoint_of(name)
    for weight in open_packed(checkpoint.folder).weights:
        if isinstance(weight, CodedWeight):
            matrix = checkpoint.matrix_of(weight.name)
            end = len(matrix.codes)  # experts have 128 rows, so some pieces belong to two of them
            for start, stop in ((0, 1), (3, 8), (90, min(131, end)), (end - 3, end)):
                part = weight.rows(start, stop)
                assert np.array_equal(part.codes, matrix.codes[start:stop])
                assert np.array_equal(part.scales, matrix.scales[start:stop].astype(np.float32))
                zeros = matrix.zeros[start:stop].astype(np.float32)
                assert np.array_equal(part.biases, -zeros * np.array(part.scales))


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_codes_mean_exactly_the_same_in_float16(name: str, imported: Callable[..., Import]) -> None:
    done = imported(name)
    assert largest_error_in_steps(done) == 0
    assert not any("rounded" in note for note in done.source.notes)


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_asymmetric_codes_are_half_an_ulp_off_in_float16_and_exact_in_float32(
    name: str, imported: Callable[..., Import]
) -> None:
    half, full = imported(name), imported(name, "float32")
    zeros = np.concatenate([matrix.zeros.ravel() for matrix in half.checkpoint.matrices.values()])
    assert {0, 15} <= set(zeros.tolist())
    assert 0 < largest_error_in_steps(half) <= HALF_ULP_OF_A_BIAS
    assert any("--import-dtype float32 keeps them exact" in note for note in half.source.notes)
    assert largest_error_in_steps(full) == 0
    assert not any("rounded" in note for note in full.source.notes)


def test_bfloat16_keeps_the_codes_and_says_what_it_costs(imported: Callable[..., Import]) -> None:
    done = imported("gptq-int4", "bfloat16")
    error = largest_error_in_steps(done)
    (note,) = done.source.notes
    assert 0 < error < 0.04
    assert float(note.split("up to ")[1].split()[0]) == pytest.approx(error, abs=0.005)


@pytest.mark.parametrize("name", PACKINGS)
@pytest.mark.parametrize("fuse", [False, True], ids=["apart", "fused"])
def test_logits_equal_those_of_the_dequantised_model(
    name: str,
    fuse: bool,
    imported: Callable[..., Import],
    expected_logits: Callable[[str], mx.array],
) -> None:
    exact = imported(name, "float32" if name in ASYMMETRIC else None)
    assert relative_error(logits(exact.folder, fuse), expected_logits(name)) < 1e-4


@pytest.mark.parametrize("name", ASYMMETRIC)
def test_logits_of_rounded_biases_are_close(
    name: str, imported: Callable[..., Import], expected_logits: Callable[[str], mx.array]
) -> None:
    assert relative_error(logits(imported(name).folder), expected_logits(name)) < 1e-2


@pytest.mark.parametrize("name", ["gptq-int4", "gptq-int4-act-order", "awq", "moe-gptq-int4"])
def test_logits_equal_those_of_the_dequantised_model_in_transformers(
    name: str, imported: Callable[..., Import], tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    done = imported(name, "float32")
    floats = done.checkpoint.write_dequantised(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(floats, dtype=torch.float32).eval()
    with torch.no_grad():
        expected = model(torch.tensor(np.array(TOKENS).astype(np.int64))).logits.numpy()
    assert relative_error(logits(done.folder), mx.array(expected)) < 1e-4


@pytest.mark.parametrize("name", ["gptq-int4", "gptq-int8", "awq", "moe-gptq-int4", "moe-awq"])
def test_mlx_lm_reads_the_folder_and_computes_the_same(name: str, imported: Callable[..., Import]) -> None:
    folder = imported(name, "float32").folder
    theirs, _ = load_with_mlx_lm(folder)
    assert relative_error(theirs(TOKENS), logits(folder)) < 1e-5


def test_an_mlp_padded_between_its_channels_computes_as_without(tmp_path: Path) -> None:
    """The official 72B is padded from 29,568 to 29,696 with a zero after each of its first 128 channels."""
    checkpoint = made.write_packed(tmp_path / "source", change=made.pad_between)
    import_folder(checkpoint, tmp_path / "target")
    kept = np.delete(np.arange(checkpoint.config["intermediate_size"]), np.arange(1, 256, 2))
    for name, weight in checkpoint.weights.items():
        if name.endswith(("gate_proj.weight", "up_proj.weight")):
            checkpoint.weights[name] = np.ascontiguousarray(weight[kept])
        elif name.endswith("down_proj.weight"):
            checkpoint.weights[name] = np.ascontiguousarray(weight[:, kept])
    checkpoint.config["intermediate_size"] = len(kept)
    expected = logits(checkpoint.write_dequantised(tmp_path / "floats"))
    assert relative_error(logits(tmp_path / "target"), expected) < 1e-4


def test_act_order_of_the_down_projection_costs_nothing_at_run_time(imported: Callable[..., Import]) -> None:
    source = imported("gptq-int4-act-order").source
    parts = {path.rpartition(".")[2] for path in source.permutations}
    assert parts == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj"}
    assert any("mlx-lm cannot load" in note for note in source.notes)


def test_experts_in_act_order_are_written_in_floating_point_with_a_note(
    checkpoint_of: Callable[[str], Checkpoint],
) -> None:
    source = open_packed(checkpoint_of("moe-gptq-int4-act-order").folder)
    floats = [weight.name for weight in source.weights if not isinstance(weight, CodedWeight)]
    assert "model.layers.0.mlp.switch_mlp.up_proj.weight" in floats
    assert "model.layers.0.mlp.shared_expert.up_proj.weight" not in floats
    assert any("experts" in note for note in source.notes)


@pytest.mark.parametrize(("dtype", "spelled"), [("float16", "F16"), ("float32", "F32"), ("bfloat16", "BF16")])
def test_everything_that_is_not_quantised_has_the_import_type(
    dtype: str, spelled: str, imported: Callable[..., Import]
) -> None:
    done = imported("moe-awq", dtype)
    assert {tensor.dtype for tensor in stored_tensors(done.folder).values()} == {"U32", spelled}
    assert done.source.config["torch_dtype"] == dtype


def test_all_zero_biases_are_dropped_with_a_note(imported: Callable[..., Import]) -> None:
    done = imported("gptq-int4-zero-biases")
    assert "model.layers.0.mlp.down_proj.bias" not in stored_tensors(done.folder)
    assert done.source.notes == ["8 all-zero biases of layers that have none are left out"]


@pytest.mark.parametrize("differs", [False, True])
def test_a_head_beside_a_tied_embedding_is_left_out_only_if_it_is_a_copy(
    differs: bool, tmp_path: Path
) -> None:
    made.write_packed(tmp_path)

    def add_head(tensors: dict[str, np.ndarray]) -> None:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"] * np.float16(1 + differs)

    made.checkpoints.edit_tensors(tmp_path, add_head)
    source = open_packed(tmp_path)
    assert ("lm_head.weight" in [weight.name for weight in source.weights]) == differs
    assert any("untied" in note for note in source.notes) == differs
    assert source.config["tie_word_embeddings"] != differs


def test_another_import_type_and_another_reading_change_the_fingerprint(tmp_path: Path) -> None:
    made.write_packed(tmp_path)
    prints = {open_packed(tmp_path, dtype).fingerprint() for dtype in (None, "float16", "float32")}
    made.checkpoints.edit_json(
        tmp_path / "config.json", quantization_config={**made.INT4.config, "sym": False}
    )
    prints.add(open_packed(tmp_path).fingerprint())
    assert len(prints) == 3
