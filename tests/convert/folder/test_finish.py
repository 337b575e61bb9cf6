"""A conversion ends with a folder that explains itself, verifies, and opens everywhere."""

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import mlx.core as mx
import pytest
from mlx_lm.utils import load as load_with_mlx_lm

from convert.codes_hash import source_hash
from convert.conversion import convert
from convert.folder.finish import finish, method_of
from convert.folder.manifest import read_manifest
from convert.folder.verify import verify
from convert.plan import make_plan
from convert.source import Source, open_source
from convert.weights import CodedWeight
from quant.format import MICROSCALING, Format
from quant.recipe import Recipe
from qwen2_mlx import loading
from tests import checkpoints
from tests.convert import quantised_checkpoints as packed
from tests.convert.folder.test_companions import cached_snapshot
from tests.convert.gguf.models import write_model

TOKENS = mx.array([[5, 60, 128, 7, 200, 31, 90, 4]])
COMMAND = ("qwen2-convert", "--hf-path", "source", "-q")


def finished(
    source: Path, target: Path, recipe: Recipe, open_it: Callable[[Path], Source] = open_source
) -> Path:
    """The folder that a conversion makes, card and manifest included."""
    opened = open_it(source)
    plan = make_plan(opened, recipe)
    extra = partial(finish, source=opened, plan=plan, reference=target.name, command=COMMAND)
    convert(opened, plan, target, extra=extra)
    return target


RECIPES = {
    "float": Recipe(),
    "fit": Recipe(format=Format(4, 32)),
    "round": Recipe(format=Format(3, 32), method="round"),
    "8 bits": Recipe("bfloat16", Format(8, 32)),
    **{mode: Recipe(format=format) for mode, format in MICROSCALING.items()},
}


@pytest.mark.parametrize("config", [checkpoints.DENSE, checkpoints.MOE], ids=["dense", "moe"])
@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_folder_verifies_against_its_source(
    config: dict, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if recipe is not RECIPES["fit"]:  # one pass for each architecture; it takes seconds
        monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])
    source = checkpoints.write_checkpoint(tmp_path / "source", config)
    report = verify(finished(source, tmp_path / "target", recipe), source)
    assert [str(finding) for finding in report.findings] == []
    assert len(report.deviations) == len(open_source(source).weights)


def test_mlx_lm_loads_the_folder_and_its_tokenizer(tmp_path: Path) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source")
    target = finished(source, tmp_path / "target", Recipe(format=Format(4, 32)))
    model, tokenizer, *_ = load_with_mlx_lm(str(target))
    ours = loading.load_model(target, loading.read_config(target))(TOKENS)
    assert float(mx.abs(model(TOKENS) - ours).max() / mx.abs(ours).max()) < 1e-5
    assert tokenizer.encode("the") == loading.Tokenizer.from_folder(target).encode("the")


def test_everything_in_the_folder_is_in_the_manifest(tmp_path: Path) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source")
    (source / "LICENSE").write_bytes(b"terms\r\n")
    (source / "additional_chat_templates").mkdir()
    (source / "additional_chat_templates" / "rag.jinja").write_text("{{ messages }}")
    target = finished(source, tmp_path / "target", Recipe(format=Format(4, 32)))
    manifest = read_manifest(target)
    assert manifest
    held = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    assert manifest.files.keys() == held.keys() - {"manifest.json"}
    for name, listed in manifest.files.items():
        assert listed.sha256 == hashlib.sha256(held[name].read_bytes()).hexdigest()
    copied = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()}
    for name in copied.keys() - {"config.json", "model.safetensors"}:
        assert held[name].read_bytes() == copied[name].read_bytes()


def test_the_card_names_the_repository_in_the_hubs_cache(tmp_path: Path) -> None:
    plain = checkpoints.write_checkpoint(tmp_path / "plain")
    (plain / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\n---\n# Theirs")
    snapshot = cached_snapshot(tmp_path / "hub", {file.name: file.read_bytes() for file in plain.iterdir()})
    card = (finished(snapshot, tmp_path / "target", Recipe(format=Format(4, 32))) / "README.md").read_text()
    for line in (
        'base_model: "Qwen/Qwen2-tiny"',
        'base_model_relation: "quantized"',
        'license: "apache-2.0"',
    ):
        assert f"\n{line}\n" in card
    assert "qwen2-convert --hf-path source -q" in card
    assert "Theirs" not in card
    assert verify(tmp_path / "target", snapshot).findings == []


PACKINGS = {
    "gptq": packed.Packing(),
    "gptq 8 bits": packed.Packing(bits=8),
    "act-order": packed.Packing(act_order=True),
    "awq": packed.Packing("awq"),
}


@pytest.mark.parametrize(
    ("config", "dtype"),
    [(packed.DENSE, None), (packed.DENSE, "float32"), (packed.MOE, None)],
    ids=["dense", "dense float32", "moe"],
)
@pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS)
def test_imported_codes_are_compared_with_their_source_one_by_one(
    config: dict, packing: packed.Packing, dtype: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])
    packed.write_packed(tmp_path / "source", config, packing)
    open_it = partial(open_source, import_dtype=dtype)
    target = finished(tmp_path / "source", tmp_path / "target", Recipe(), open_it)
    assert [str(finding) for finding in verify(target, tmp_path / "source").findings] == []
    manifest = read_manifest(target)
    assert manifest
    coded = [w for w in open_source(tmp_path / "source").weights if isinstance(w, CodedWeight)]
    assert manifest.codes == {weight.name: source_hash(weight) for weight in coded}
    assert coded


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("F32", None), ("Q8_0", None), ("Q4_K", "float32"), ("MIXED", None), ("MIXED", "float32")],
)
def test_a_folder_made_of_gguf_verifies_against_the_file(
    kind: str, dtype: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])
    write_model(tmp_path / "model.gguf", kind)
    open_it = partial(open_source, import_dtype=dtype)
    target = finished(tmp_path / "model.gguf", tmp_path / "target", Recipe(), open_it)
    assert [str(finding) for finding in verify(target, tmp_path / "model.gguf").findings] == []


def test_one_changed_code_is_found_by_the_source_and_by_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convert.folder.verify.check_forward", lambda folder: [])
    packed.write_packed(tmp_path / "source")
    target = finished(tmp_path / "source", tmp_path / "target", Recipe())
    name = "model.layers.1.mlp.down_proj.weight"
    tensors = mx.load(str(target / "model.safetensors"))
    assert isinstance(tensors, dict)
    tensors[name][3, 4] = tensors[name][3, 4] ^ 1
    mx.save_safetensors(str(target / "model.safetensors"), tensors, {"format": "mlx"})
    found = [str(finding) for finding in verify(target, tmp_path / "source").findings]
    assert f"{name} differs from its source in 1 integer codes" in found
    assert f"{name} holds other integer codes than the manifest says" in found


@pytest.mark.parametrize(
    ("recipe", "method"),
    [(Recipe(), None), (Recipe(format=Format(4, 32), method="round"), "round"),
     (Recipe(format=MICROSCALING["nvfp4"]), "nvfp4")],
)  # fmt: skip
def test_the_card_says_how_codes_were_chosen(recipe: Recipe, method: str | None, checkpoint: Path) -> None:
    source = open_source(checkpoint)
    assert method_of(source, make_plan(source, recipe)) == method


def test_the_config_is_plain_json_that_keeps_unknown_keys(tmp_path: Path) -> None:
    source = checkpoints.write_checkpoint(tmp_path / "source", {**checkpoints.DENSE, "tomorrow": "é"})
    target = finished(source, tmp_path / "target", Recipe())
    assert json.loads((target / "config.json").read_text())["tomorrow"] == "é"
    shutil.rmtree(target)
