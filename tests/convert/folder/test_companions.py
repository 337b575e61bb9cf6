"""What belongs to a model is copied byte for byte, and nothing else comes along."""

import hashlib
import os
from pathlib import Path

import pytest

from convert.folder.companions import companions_of, write_companions
from qwen2_mlx.errors import CheckpointError


def copied(source: Path, target: Path) -> dict[str, bytes]:
    """What `target` holds after the companions of `source` were copied there."""
    target.mkdir()
    write_companions(companions_of(source), target)
    files = (path for path in target.rglob("*") if path.is_file())
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


def test_every_companion_is_copied_byte_for_byte(tmp_path: Path) -> None:
    names = (
        "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json",
        "added_tokens.json", "chat_template.jinja", "generation_config.json", "LICENSE", "NOTICE.txt",
        "LICENCE.md", "additional_chat_templates/tools.jinja",
    )  # fmt: skip
    contents = {name: f"{name}\r\n\xe9\x00".encode("latin-1") for name in names}
    (tmp_path / "source" / "additional_chat_templates").mkdir(parents=True)
    for name, content in contents.items():
        (tmp_path / "source" / name).write_bytes(content)
    assert copied(tmp_path / "source", tmp_path / "target") == contents


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "config.json", "model.safetensors", "modeling_x.py", "LICENSE.py", "pytorch_model.bin",
        "additional_chat_templates/run.py", "additional_chat_templates/.jinja", "LICENSE\n.txt", ".LICENSE",
        "old/LICENSE", "tokenizer.json.bak",
    ],
)  # fmt: skip
def test_nothing_else_comes_along(name: str, tmp_path: Path) -> None:
    file = tmp_path / "source" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    assert copied(tmp_path / "source", tmp_path / "target") == {}


def test_a_link_out_of_the_folder_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a private key")
    (checkpoint / "LICENSE").symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match=r"LICENSE is a link to .*secret, outside its folder"):
        companions_of(checkpoint)


def test_a_file_that_cannot_be_read_is_not_taken_for_a_target_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone cannot be read: No such file"):
        write_companions({"LICENSE": tmp_path / "gone"}, tmp_path)


def test_a_linked_folder_of_templates_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.jinja").write_text("secret")
    (checkpoint / "additional_chat_templates").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match="outside its folder"):
        companions_of(checkpoint)


def test_a_link_inside_the_folder_and_a_linked_folder_are_followed(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "terms").write_text("terms")
    (checkpoint / "LICENSE").symlink_to("terms")
    (tmp_path / "alias").symlink_to(checkpoint)
    assert copied(tmp_path / "alias", tmp_path / "target")["LICENSE"] == b"terms"


@pytest.mark.parametrize("shared", [False, True], ids=["own blobs", "shared blobs"])
def test_the_hub_caches_own_links_are_followed(shared: bool, tmp_path: Path) -> None:
    snapshot = cached_snapshot(tmp_path, {"LICENSE": b"terms"}, shared)
    (snapshot / "additional_chat_templates").mkdir()
    template = snapshot / "additional_chat_templates" / "rag.jinja"
    template.symlink_to(f"../../../blobs/{hashlib.sha256(b'terms').hexdigest()}")
    assert copied(snapshot, tmp_path / "target") == {
        "LICENSE": b"terms",
        "additional_chat_templates/rag.jinja": b"terms",
    }


def test_a_blob_of_the_cache_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    snapshot = cached_snapshot(tmp_path, {"LICENSE": b"terms"})
    blob = (snapshot / "LICENSE").resolve()
    blob.unlink()
    (tmp_path / "secret").write_text("a private key")
    blob.symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match="outside its folder"):
        companions_of(snapshot)


def test_a_file_too_large_for_its_name_is_refused_unread(checkpoint: Path) -> None:
    with (checkpoint / "tokenizer.json").open("wb") as file:
        file.truncate(2**40)  # no byte of it on the disk
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is too large"):
        companions_of(checkpoint)


def test_content_is_written_as_it_is(tmp_path: Path) -> None:
    write_companions({"tokenizer.json": b"{}\r\n"}, tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == b"{}\r\n"


@pytest.mark.parametrize(
    "name",
    [
        "../LICENSE", "/tmp/LICENSE", "a/b", "additional_chat_templates/../../x.jinja", "..", ".", "", "a\\b",
        "additional_chat_templates/a/b.jinja", "a\0b", "a\nb", ".hidden", "Config.json", "README.md",
        "manifest.json", "model.safetensors", "model.SAFETENSORS", "Model.safetensors.index.json", "x" * 101,
        "c:x",
    ],
)  # fmt: skip
def test_a_name_that_is_no_plain_file_name_or_the_converters_own_writes_nothing(
    name: str, tmp_path: Path
) -> None:
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CheckpointError, match="which is not written"):
        write_companions({"LICENSE": b"terms", name: b"x"}, target)
    assert sorted(tmp_path.rglob("*")) == before


def cached_snapshot(cache: Path, files: dict[str, bytes], shared: bool = False) -> Path:
    """A repository as the hub's cache keeps it, of large files only."""
    repository = cache / "models--Qwen--Qwen2-tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    (repository / "blobs").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        blob = repository / "blobs" / digest
        if shared:
            store = cache / "blobs" / digest[:2] / digest
            store.parent.mkdir(parents=True)
            store.write_bytes(content)
            blob.symlink_to(os.path.relpath(store, blob.parent))
        else:
            blob.write_bytes(content)
        (snapshot / name).symlink_to(f"../../blobs/{digest}")
    return snapshot
