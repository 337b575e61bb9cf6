"""Models of the hub are found where they were downloaded, whole ones only, and never fetched."""

import shutil
import socket
from pathlib import Path

import pytest
from huggingface_hub import constants

from app.chat.engine.fingerprint import fingerprint
from app.chat.engine.where import hub_id_of, local_folder
from qwen2_mlx.errors import ModelNotFoundError
from tests.checkpoints import write_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def download(home: Path, hub_id: str) -> Path:
    """Puts a checkpoint where the hub's library keeps what it downloaded."""
    repository = home / "huggingface" / "hub" / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return write_checkpoint(repository / "snapshots" / COMMIT)


def test_what_was_downloaded_is_found_by_id_and_alias(home: Path) -> None:
    folder = download(home, "mlx-community/Qwen2-7B-Instruct-4bit")
    assert local_folder("mlx-community/Qwen2-7B-Instruct-4bit") == folder
    assert local_folder("7b") == local_folder("7B") == folder


def test_a_download_that_was_cut_off_is_none(home: Path) -> None:
    folder = download(home, "owner/model")
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}')
    with pytest.raises(ModelNotFoundError, match="not downloaded; F2"):
        local_folder("owner/model")
    shutil.copy(folder / "model.safetensors", folder / "model-2.safetensors")
    assert local_folder("owner/model") == folder


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": []}', "{}"])
def test_a_damaged_index_is_left_to_whoever_loads_the_model(home: Path, index: str) -> None:
    folder = download(home, "owner/model")
    (folder / "model.safetensors.index.json").write_text(index)
    assert local_folder("owner/model") == folder


@pytest.mark.parametrize("name", ["5", '"../model.safetensors.lock"', '""', "null"])
def test_an_index_that_names_no_file_of_the_folder_is_not_believed(home: Path, name: str) -> None:
    folder = download(home, "owner/model")
    (folder / "model.safetensors.index.json").write_text(f'{{"weight_map": {{"a": {name}}}}}')
    with pytest.raises(ModelNotFoundError, match="not downloaded"):
        local_folder("owner/model")


@pytest.mark.parametrize("ref", ["tiny", "tiny-moe", "./x", "/x/y", "~/x", "x", "x/y/z", "../x", "-x/y"])
def test_what_is_no_hub_id_is_looked_for_on_disk(ref: str) -> None:
    assert hub_id_of(ref) is None


def test_a_folder_with_the_shape_of_an_id_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path / "owner" / "model")
    monkeypatch.chdir(tmp_path)
    assert local_folder("owner/model") == Path("owner/model")


@pytest.mark.parametrize("ref", ["owner/" + "x" * 200, "owner/a..b", "owner/a--b", "o/m.git"])
def test_an_id_that_the_hub_would_not_have_is_not_downloaded(ref: str) -> None:
    with pytest.raises(ModelNotFoundError, match="not downloaded"):
        local_folder(ref)


def test_nothing_is_asked_of_the_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    download(home, "owner/model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **_: asked.append(arguments) or [])
    local_folder("owner/model")
    with pytest.raises(ModelNotFoundError):
        local_folder("7b")
    assert asked == []


# Fingerprints


def test_checkpoints_of_the_same_shape_are_told_apart(tmp_path: Path) -> None:
    one, same = write_checkpoint(tmp_path / "one", seed=1), write_checkpoint(tmp_path / "same", seed=1)
    other = write_checkpoint(tmp_path / "other", seed=2)
    assert fingerprint(one) == fingerprint(same) != fingerprint(other)


def test_another_template_is_another_model(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    before = fingerprint(folder)
    (folder / "tokenizer_config.json").write_text("{}")
    assert fingerprint(folder) != before
