"""The manifest says of every file what it was, in bytes that depend on nothing else."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from convert.folder.checks.files import check_manifest
from convert.folder.manifest import MANIFEST, read_manifest, write_manifest
from quant.format import Format
from quant.recipe import Recipe
from qwen2_mlx.errors import CheckpointError
from tests.checkpoints import edit_json

RECIPE = Recipe("bfloat16", Format(4, 64), "fit", {"lm_head": Format(8, 64), "model.embed_tokens": None})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m" / "additional_chat_templates").mkdir(parents=True)
    for name in ("model.safetensors", "config.json", "additional_chat_templates/rag.jinja"):
        (tmp_path / "m" / name).write_text(name)
    write_manifest(tmp_path / "m", RECIPE, "source-fingerprint", codes={"b": "2" * 64, "a": "1" * 64})
    return tmp_path / "m"


def test_every_file_has_its_hash_and_size(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest
    assert {name: (one.sha256, one.bytes) for name, one in manifest.files.items()} == {
        name: (hashlib.sha256(name.encode()).hexdigest(), len(name))
        for name in ("model.safetensors", "config.json", "additional_chat_templates/rag.jinja")
    }
    assert manifest.method == "fit"
    assert manifest.codes == {"a": "1" * 64, "b": "2" * 64}


def test_the_recipe_and_the_source_are_told(folder: Path) -> None:
    value = json.loads((folder / MANIFEST).read_text())
    assert value["source"] == "source-fingerprint"
    assert value["recipe"]["format"] == {"bits": 4, "group_size": 64, "mode": "affine"}
    assert value["recipe"]["layers"]["model.embed_tokens"] is None
    assert value["made_with"].keys() == {"qwen2-mlx", "mlx"}


def test_writing_again_gives_the_same_bytes(folder: Path) -> None:
    before = (folder / MANIFEST).read_bytes()
    write_manifest(folder, RECIPE, "source-fingerprint", codes={"a": "1" * 64, "b": "2" * 64})
    assert (folder / MANIFEST).read_bytes() == before


def test_hidden_files_are_left_out(folder: Path) -> None:
    (folder / ".DS_Store").touch()
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x").touch()
    write_manifest(folder, RECIPE, "f")
    manifest = read_manifest(folder)
    assert manifest
    assert len(manifest.files) == 3


def test_a_float_recipe_has_no_method(folder: Path) -> None:
    write_manifest(folder, Recipe("bfloat16"), "f")
    manifest = read_manifest(folder)
    assert manifest
    assert manifest.method is None


def test_a_folder_without_a_manifest_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


LISTED = {"sha256": "0" * 64, "bytes": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"files": {"../x": LISTED}}, "names a file outside the folder"),
        ({"files": {"/etc/passwd": LISTED}}, "names a file outside the folder"),
        ({"files": {"a/../../x": LISTED}}, "names a file outside the folder"),
        ({"files": {"a\\..\\x": LISTED}}, "names a file outside the folder"),
        ({"files": {"": LISTED}}, "names a file outside the folder"),
        ({"files": {"x": {"sha256": "0" * 63, "bytes": 1}}}, "no proper hash and size"),
        ({"files": {"x": {"sha256": "0" * 64, "bytes": -1}}}, "no proper hash and size"),
        ({"files": {"x": {"sha256": "0" * 64, "bytes": True}}}, "no proper hash and size"),
        ({"files": {"x": None}}, "no proper hash and size"),
        ({"files": []}, "its files must be an object"),
        ({"files": {str(n): LISTED for n in range(10_001)}}, "lists 10001 files"),
        ({"recipe": "x"}, "its recipe must be an object"),
        ({"version": 2}, "update this program"),
        ({"version": ...}, "update this program"),
    ],
)
def test_a_damaged_manifest_is_one_clear_error(folder: Path, changes: dict[str, Any], reason: str) -> None:
    edit_json(folder / MANIFEST, **changes)
    with pytest.raises(CheckpointError, match=reason):
        read_manifest(folder)


def test_a_file_that_cannot_be_looked_at_is_a_finding_like_any_other(folder: Path) -> None:
    edit_json(folder / MANIFEST, files={"x" * 5000: LISTED, "gone": LISTED})
    manifest = read_manifest(folder)
    assert manifest
    problems = [finding.problem for finding in check_manifest(folder, manifest, lambda _: None)]
    assert problems[0].startswith("cannot be read: File name too long")
    assert problems[1] == "is missing"
