"""Whatever is wrong with a folder is named, and nothing is said of a folder that is right."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from convert.folder.checks import source as against
from convert.folder.checks import values
from convert.folder.manifest import MANIFEST, write_manifest
from convert.folder.verify import Report, verify
from quant.format import MICROSCALING, Format
from quant.recipe import Recipe
from tests import checkpoints
from tests.checkpoints import edit_json
from tests.convert.folder.folders import Q4, matrices, mlx_tensors, quantized, save, write_mlx_folder
from tests.convert.folder.test_companions import cached_snapshot

LAYER = "model.layers.1.mlp.down_proj"


def written(folder: Path, method: str = "round", **options) -> dict[str, mx.array]:
    """An MLX folder with its manifest; returns its tensors."""
    tensors = write_mlx_folder(folder, **options)
    write_manifest(folder, Recipe(format=Format(4, 32), method=method), "source")
    return tensors


def rewritten(folder: Path, tensors: dict[str, mx.array]) -> None:
    """Changed tensors under a manifest that agrees with them."""
    save(folder, tensors)
    write_manifest(folder, Recipe(format=Format(4, 32), method="round"), "source")


def messages(report: Report) -> list[str]:
    return [str(finding) for finding in report.findings]


FORMATS = [None, Format(4, 32), Format(8, 32), Format(3, 32), MICROSCALING["mxfp4"], MICROSCALING["nvfp4"],
           MICROSCALING["mxfp8"]]  # fmt: skip


@pytest.mark.parametrize("config", [checkpoints.DENSE, checkpoints.MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_nothing_is_said_of_a_folder_that_is_right(
    config: dict, format: Format | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    tensors = written(tmp_path / "m", config=config, formats=format)
    report = verify(tmp_path / "m", source)
    assert messages(report) == []
    assert report.tensors == len(tensors)
    assert report.files == 5
    assert {one.name for one in report.deviations} == {
        name for name in tensors if not name.endswith((".scales", ".biases"))
    }
    assert all(one.rows == one.row_count for one in report.deviations)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_compared_with_the_rounded_source(
    dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source")
    written(tmp_path / "m", formats={LAYER: Format(4, 32)}, dtype=dtype)
    assert messages(verify(tmp_path / "m", source)) == []


def test_the_model_computes_in_a_process_of_its_own(tmp_path: Path) -> None:
    written(tmp_path / "m")
    report = verify(tmp_path / "m")
    assert messages(report) == []
    assert report.computed


# What can happen to one file, and what is said about it.
def cut(folder: Path) -> None:
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(10_000)


def flip(name: str, place: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[place] ^= 1
        (folder / name).write_bytes(content)

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda m: (m / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (cut, "model.safetensors has 10000 bytes, the manifest says"),
        (flip("model.safetensors", -1), "model.safetensors is not the file that the manifest describes"),
        (flip("tokenizer_config.json", 3), "tokenizer_config.json is not the file that the"),
        (lambda m: (m / "model-x.safetensors").write_bytes(b""), "model-x.safetensors is not in the"),
        (lambda m: (m / "modeling.py").write_text(""), "modeling.py is not in the manifest"),
        (lambda m: (m / MANIFEST).write_text("{"), "manifest.json cannot be used"),
        (lambda m: edit_json(m / MANIFEST, files={"../x": {}}), "manifest.json cannot be used"),
        (lambda m: (m / "model.safetensors").unlink(), "model.safetensors is missing"),
    ],
)  # fmt: skip
def test_a_changed_file_is_named(
    change: Callable[[Path], object], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    written(tmp_path / "m")
    change(tmp_path / "m")
    assert any(message.startswith(expected) for message in messages(verify(tmp_path / "m")))


def put(name: str, value: float, place: tuple[int, ...] = (1, 0)):
    """Sets one number of one tensor."""

    def change(tensors: dict[str, mx.array]) -> None:
        changed = np.array(tensors[name])
        changed[place] = value
        tensors[name] = mx.array(changed)

    return change


def replace(name: str, value: Callable[[mx.array], mx.array]):
    def change(tensors: dict[str, mx.array]) -> None:
        tensors[name] = value(tensors[name])

    return change


NORM = "model.layers.0.input_layernorm.weight"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.pop(NORM), [f"{NORM} is missing"]),
        (lambda t: t.pop(f"{LAYER}.biases"), [f"{LAYER}.biases is missing"]),
        (lambda t: t.pop(f"{LAYER}.weight"), [f"{LAYER}.weight is missing"]),
        (lambda t: (t.pop(f"{LAYER}.scales"), t.pop(f"{LAYER}.biases")),
         [f"{LAYER}.weight is uint32 [32, 8], config.json makes it floating point [32, 64]"]),
        (lambda t: t.update(extra=mx.zeros(1)), ["extra is foreign to the architecture"]),
        (lambda t: t.update({f"{NORM[:-7]}.scales": mx.zeros(1)}),
         [f"{NORM[:-7]}.scales is foreign to the architecture"]),
        (replace(NORM, lambda t: t[:-1]), [f"{NORM} is float32 [31], config.json makes it"]),
        (replace(NORM, lambda t: t.astype(mx.int32)), [f"{NORM} is int32 [32], config.json makes it"]),
        (replace(f"{LAYER}.scales", lambda t: t[:, :1]), [f"{LAYER}.scales is float32 [32, 1]"]),
        (put(NORM, np.nan, (3,)), [f"{NORM} holds 1 values that are NaN or infinite"]),
        (put(f"{LAYER}.scales", np.inf), [f"{LAYER}.weight holds 1 values that are NaN or infinite"]),
        (put(f"{LAYER}.biases", np.nan), [f"{LAYER}.weight holds 1 values that are NaN or infinite"]),
    ],
)  # fmt: skip
def test_a_wrong_tensor_is_named(
    change: Callable[[dict], object], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    tensors = written(tmp_path / "m")
    change(tensors)
    rewritten(tmp_path / "m", tensors)
    found = messages(verify(tmp_path / "m"))
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("mode", "part", "byte"),
    [("mxfp4", "scales", 255), ("mxfp8", "scales", 255), ("nvfp4", "scales", 127), ("nvfp4", "scales", 255)],
)
def test_bytes_that_are_no_number_are_found(
    mode: str, part: str, byte: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    tensors = written(tmp_path / "m", formats=MICROSCALING[mode])
    put(f"{LAYER}.{part}", byte)(tensors)
    rewritten(tmp_path / "m", tensors)
    assert messages(verify(tmp_path / "m")) == [f"{LAYER}.weight holds 1 values that are NaN or infinite"]


def test_a_group_beyond_float16_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    tensors = written(tmp_path / "m", dtype="float16")
    put(f"{LAYER}.scales", 60000.0)(tensors)
    rewritten(tmp_path / "m", tensors)
    assert "1 groups that reach beyond the range" in messages(verify(tmp_path / "m"))[0]


def test_groups_without_a_scale_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    tensors = written(tmp_path / "m")
    put(f"{LAYER}.scales", 0.0)(tensors)
    rewritten(tmp_path / "m", tensors)
    report = verify(tmp_path / "m")
    assert (report.zero_groups, messages(report)) == (1, [])
    assert report.groups == sum(t.size for name, t in tensors.items() if name.endswith(".scales"))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (replace(f"{LAYER}.weight", lambda t: t[::-1]), f"{LAYER}.weight is "),
        (replace(f"{LAYER}.scales", lambda t: t[:, ::-1]), f"{LAYER}.weight is "),
        (replace(f"{LAYER}.biases", lambda t: -t), f"{LAYER}.weight is "),
        (replace(f"{LAYER}.scales", lambda t: t * 1.5), f"{LAYER}.weight is "),
        (put(NORM, 9.0, (3,)), f"{NORM} differs from its source in 1 values"),
        (put("model.layers.0.self_attn.q_proj.bias", 9.0, (3,)),
         "model.layers.0.self_attn.q_proj.bias differs from its source in 1 values"),
    ],
)  # fmt: skip
def test_weights_that_are_not_their_sources_are_found(
    change: Callable[[dict], object], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source")
    tensors = written(tmp_path / "m")
    change(tensors)
    rewritten(tmp_path / "m", tensors)
    found = messages(verify(tmp_path / "m", source))
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_method_may_stray_so_far_and_no_farther(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that makes the error somewhat larger than rounding does is left to GPTQ alone, more to nobody."""
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source")
    tensors = written(tmp_path / "m", formats={LAYER: Q4})
    weight = mlx_tensors(checkpoints.DENSE)[f"{LAYER}.weight"]
    noise = mx.array(np.random.default_rng(0).standard_normal(weight.shape).astype(np.float32)) * weight.std()
    for share, methods in ((0.12, {"fit"}), (0.6, {"fit", "gptq"})):
        save(tmp_path / "m", {**tensors, **quantized(LAYER, weight + share * noise, Q4)})
        found = set()
        for method in ("fit", "gptq"):
            write_manifest(tmp_path / "m", Recipe(format=Q4, method=method), "source")
            if verify(tmp_path / "m", source).findings:
                found.add(method)
        assert found == methods


def test_experts_in_another_order_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source", checkpoints.MOE)
    tensors = written(tmp_path / "m", config=checkpoints.MOE)
    name = "model.layers.0.mlp.switch_mlp.up_proj"
    for kind in ("weight", "scales", "biases"):
        tensors[f"{name}.{kind}"] = tensors[f"{name}.{kind}"][mx.array([1, 0, 2, 3])]
    rewritten(tmp_path / "m", tensors)
    assert [one.split(" is ")[0] for one in messages(verify(tmp_path / "m", source))] == [f"{name}.weight"]


def test_another_models_source_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(
        tmp_path / "source", {**checkpoints.DENSE, "intermediate_size": 32, "num_hidden_layers": 1}
    )
    written(tmp_path / "m")
    found = messages(verify(tmp_path / "m", source))
    assert "model.layers.0.mlp.down_proj.weight has shape [32, 64], in the source (32, 32)" in found
    assert f"{NORM.replace('0', '1')} is no parameter of the source" in found


def awq_scaled(config: dict, factor: float = 2.0) -> dict[str, mx.array]:
    """A model's float tensors with channels multiplied and divided as AWQ does, in both MLP parts."""
    tensors = mlx_tensors(config)
    rng = np.random.default_rng(1)

    def powers(*shape: int) -> mx.array:
        return mx.array(factor ** rng.integers(-3, 4, shape).astype(np.float32))

    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        columns = powers(config["hidden_size"])
        tensors[f"{prefix}.input_layernorm.weight"] /= columns
        for part in "qkv":
            tensors[f"{prefix}.self_attn.{part}_proj.weight"] *= columns
        rows = powers(tensors[f"{prefix}.self_attn.v_proj.bias"].size)
        tensors[f"{prefix}.self_attn.v_proj.weight"] /= rows[:, None]
        tensors[f"{prefix}.self_attn.v_proj.bias"] /= rows
        block = (
            f"{prefix}.mlp.switch_mlp"
            if f"{prefix}.mlp.switch_mlp.up_proj.weight" in tensors
            else f"{prefix}.mlp"
        )
        up = tensors[f"{block}.up_proj.weight"]
        inner = powers(*up.shape[:-1])
        tensors[f"{block}.up_proj.weight"] = up / inner[..., None]
        tensors[f"{block}.down_proj.weight"] *= inner[..., None, :]
    return tensors


def write_awq(folder: Path, config: dict, tensors: dict[str, mx.array]) -> None:
    write_mlx_folder(folder, config)
    stored = dict(tensors)
    for path in matrices(config):
        weight = stored.pop(f"{path}.weight")
        stored |= quantized(path, weight, Q4) if weight.shape[-1] % 32 == 0 else {f"{path}.weight": weight}
    save(folder, stored)
    write_manifest(folder, Recipe(format=Q4, method="awq"), "source")


@pytest.mark.parametrize("config", [checkpoints.DENSE, checkpoints.MOE], ids=["dense", "moe"])
def test_channels_multiplied_by_powers_of_two_are_allowed_to_awq_alone(
    config: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    write_awq(tmp_path / "m", config, awq_scaled(config))
    assert messages(verify(tmp_path / "m", source)) == []
    write_manifest(tmp_path / "m", Recipe(format=Q4, method="gptq"), "source")
    found = messages(verify(tmp_path / "m", source))
    assert any(one.startswith("model.layers.0.self_attn.q_proj.weight is ") for one in found)
    assert any(one.startswith(f"{NORM} differs from its source") for one in found)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("model.layers.0.self_attn.q_proj.weight", lambda t: t[::-1]),
        ("model.layers.1.mlp.down_proj.weight", lambda t: t[:, ::-1]),
        ("model.layers.1.mlp.up_proj.weight", lambda t: mx.abs(t)),
        (NORM, lambda t: t * 3),
        ("model.norm.weight", lambda t: t * 2),
    ],
)
def test_what_no_power_of_two_explains_is_found(
    name: str, change: Callable[[mx.array], mx.array], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    source = checkpoints.write_checkpoint(tmp_path / "source")
    tensors = awq_scaled(checkpoints.DENSE)
    write_awq(tmp_path / "m", checkpoints.DENSE, {**tensors, name: change(tensors[name])})
    assert [finding.subject for finding in verify(tmp_path / "m", source).findings] == [name]


def test_large_matrices_are_sampled_evenly_and_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    monkeypatch.setattr(against, "SAMPLE", 1024)
    monkeypatch.setattr(values, "PIECE", 256)
    ranges = against.compared_ranges((4, 66, 32))
    assert ranges[0] == (0, 2)
    assert ranges[-1] == (262, 264)
    assert len(ranges) == 16
    source = checkpoints.write_checkpoint(tmp_path / "source")
    tensors = written(tmp_path / "m")
    replace("model.embed_tokens.weight", lambda t: t[::-1])(tensors)
    put("model.embed_tokens.scales", np.nan, (200, 0))(tensors)
    rewritten(tmp_path / "m", tensors)
    report = verify(tmp_path / "m", source)
    assert messages(report)[0] == "model.embed_tokens.weight holds 1 values that are NaN or infinite"
    assert messages(report)[1].startswith("model.embed_tokens.weight is ")
    assert next(one for one in report.deviations if "embed" in one.name).rows == 32


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"bits": 7}, "7 bits are not possible"),
        ({"group_size": 128}, "no whole number of groups"),
        ({"mode": "mxfp4"}, "shape|uint8|config.json makes it"),
        ({"mode": 5}, "no proper bits"),
        ({LAYER: False}, "config.json says that it is not quantised"),
    ],
)
def test_a_config_that_does_not_fit_is_told(
    settings: dict, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    written(tmp_path / "m")
    quantization = json.loads((tmp_path / "m" / "config.json").read_text())["quantization"]
    edit_json(tmp_path / "m" / "config.json", quantization={**quantization, **settings})
    report = verify(tmp_path / "m")
    problems = [one.problem for one in report.findings if one.subject.startswith("model.layers.")]
    assert problems
    assert any(part in problems[0] for part in expected.split("|"))


def test_the_hub_caches_files_are_checked_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_forward(monkeypatch)
    plain = checkpoints.write_checkpoint(tmp_path / "plain")
    contents = {file.name: file.read_bytes() for file in plain.iterdir()}
    snapshot = cached_snapshot(tmp_path / "hub", contents)
    written(tmp_path / "m")
    assert messages(verify(tmp_path / "m", snapshot)) == []
    assert verify(snapshot).notes == []
    blob = (snapshot / "tokenizer.json").resolve()
    blob.write_bytes(blob.read_bytes() + b" ")
    problem = "tokenizer.json is not the file that the hub offered; delete it and download it again"
    assert messages(verify(snapshot)) == [problem]
    assert messages(verify(tmp_path / "m", snapshot)) == [f"the source's {problem}"]


def test_a_folder_without_a_manifest_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    write_mlx_folder(tmp_path / "m")
    report = verify(tmp_path / "m")
    assert messages(report) == []
    assert "no manifest.json" in report.notes[0]


def test_a_file_that_was_added_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    written(tmp_path / "m")
    (tmp_path / "m" / "notes.txt").touch()
    (tmp_path / "m" / ".DS_Store").touch()
    report = verify(tmp_path / "m")
    assert (messages(report), report.notes) == ([], ["notes.txt is not in the manifest"])


def test_a_model_larger_than_the_memory_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convert.folder.verify._memory", lambda: 1000)
    written(tmp_path / "m")
    report = verify(tmp_path / "m")
    assert not report.computed
    assert "was not run" in report.notes[0]


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda m: (m / "tokenizer.json").write_text("{}"), "cannot be loaded"),
        (lambda m: edit_json(m / "config.json", num_hidden_layers=3), "lacks tensors"),
        (lambda m: edit_json(m / "config.json", hidden_act="gelu"), "hidden_act"),
    ],
)
def test_a_folder_that_does_not_load_says_why_in_one_line(
    break_it: Callable[[Path], object], expected: str, tmp_path: Path
) -> None:
    write_mlx_folder(tmp_path / "m")
    break_it(tmp_path / "m")
    found = [str(one) for one in verify(tmp_path / "m").findings if one.subject == "the model"]
    assert found
    assert expected in found[-1]
    assert all("\n" not in one for one in found)


def test_logits_that_are_no_numbers_are_found(tmp_path: Path) -> None:
    tensors = write_mlx_folder(tmp_path / "m", formats=None)
    for name in tensors:
        if name.endswith("layernorm.weight"):
            tensors[name] = tensors[name] * 1e38
    save(tmp_path / "m", tensors)
    found = messages(verify(tmp_path / "m"))
    assert len(found) == 1
    assert found[0].startswith("the model computes logits of which ")


def test_the_pass_does_not_run_code_from_where_the_person_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "m"
    write_mlx_folder(folder)
    for name in ("mlx.py", "json.py", "qwen2_mlx.py", "convert.py", "sitecustomize.py"):
        (folder / name).write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\nraise SystemExit(3)\n")
    monkeypatch.chdir(folder)
    assert messages(verify(Path())) == []
    assert not (tmp_path / "mark").exists()


def test_the_quantised_matrices_of_the_tests_are_those_of_a_model() -> None:
    assert LAYER in matrices(checkpoints.DENSE)
    assert len(matrices(checkpoints.MOE)) == 2 + 2 * (4 + 3 + 3)


def without_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the process of its own, which takes a second."""
    monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])


def test_a_copy_elsewhere_verifies_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_forward(monkeypatch)
    written(tmp_path / "m")
    shutil.copytree(tmp_path / "m", tmp_path / "copy")
    assert messages(verify(tmp_path / "copy")) == []
