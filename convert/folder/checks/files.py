"""Whether the files of a folder are those that were written or downloaded."""

from collections.abc import Callable, Iterator
from pathlib import Path

from convert.folder.checks.finding import Finding
from convert.folder.hub import blob_agrees, blob_of, file_sha256
from convert.folder.manifest import MANIFEST, Listed, Manifest, file_names

_LOADED = (".safetensors", ".py")


def check_manifest(folder: Path, manifest: Manifest, on_bytes: Callable[[int], None]) -> Iterator[Finding]:
    """Every listed file must be there with its size and hash, and there must be no other weights or code."""
    for name, listed in manifest.files.items():
        try:
            problem = _problem(folder / name, listed, on_bytes)
        except OSError as error:
            problem = f"cannot be read: {error.strerror or error}"
        if problem:
            yield Finding(name, problem)
    for name in unlisted(folder, manifest):
        if name.endswith(_LOADED):
            yield Finding(name, "is not in the manifest, and other programs would load it")


def _problem(file: Path, listed: Listed, on_bytes: Callable[[int], None]) -> str | None:
    if not file.is_file():
        return "is missing"
    if (size := file.stat().st_size) != listed.bytes:
        return f"has {size} bytes, the manifest says {listed.bytes}"
    if file_sha256(file, on_bytes) != listed.sha256:
        return "is not the file that the manifest describes: its SHA-256 differs"
    return None


def unlisted(folder: Path, manifest: Manifest) -> list[str]:
    """Files that were put into the folder after it was made."""
    return [name for name in file_names(folder) if name not in manifest.files and name != MANIFEST]


def check_blobs(folder: Path, on_bytes: Callable[[int], None]) -> Iterator[Finding]:
    """The hub cache's files of the snapshot `folder` must have the hash that their blob is named by."""
    for _, blob, name in _blobs(folder):
        if blob_agrees(blob, on_bytes) is False:
            yield Finding(name, "is not the file that the hub offered; delete it and download it again")


def blob_bytes(folder: Path) -> int:
    """Bytes that `check_blobs` reads; 0 where nothing can be checked."""
    return sum(file.stat().st_size for file, _, _ in _blobs(folder))


def _blobs(folder: Path) -> Iterator[tuple[Path, Path, str]]:
    for name in file_names(folder):
        blob = blob_of(folder, folder / name)
        if blob is not None:
            yield folder / name, blob, name
