"""What the hub's local cache tells about a folder, without asking the hub.

The cache keeps a repository as

    models--owner--name/snapshots/REVISION/FILE -> ../../blobs/HASH

where HASH is the SHA-256 of a large file's content, or git's SHA-1 of a small one's. A blob
may itself be a link into a store that all repositories of the cache share, blobs/XX/HASH
beside their folders.
"""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLOCK = 4 * 2**20

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


def is_hub_id(value: Any) -> bool:
    """Whether `value` has the form of a repository's name on the hub: owner/name."""
    return isinstance(value, str) and bool(_HUB_ID.fullmatch(value)) and not value.endswith((".", "-"))


def cached_repository(folder: Path) -> Path | None:
    """The cache's folder of the repository that `folder` is a snapshot of, if it is one."""
    place = folder.resolve()
    repository = place.parent.parent
    is_snapshot = place.parent.name == "snapshots" and repository.name.startswith("models--")
    return repository if is_snapshot else None


def cached_hub_id(folder: Path) -> str | None:
    """The hub's name of the repository that `folder` is a snapshot of."""
    repository = cached_repository(folder)
    if repository is None:
        return None
    name = "/".join(repository.name.removeprefix("models--").split("--", 1))
    return name if is_hub_id(name) else None


def blob_of(folder: Path, file: Path) -> Path | None:
    """The blob behind `file` of the snapshot `folder`; None where it is no link of the cache's own."""
    repository = cached_repository(folder)
    if repository is None or not file.is_symlink():
        return None
    blob = Path(os.path.normpath(file.parent.resolve() / file.readlink()))
    if blob.parent != repository / "blobs":
        return None
    content = blob.resolve()
    shared = content.parent.parent == repository.parent / "blobs"
    return blob if content == blob or shared else None


def blob_agrees(blob: Path, on_bytes: Callable[[int], None] | None = None) -> bool | None:
    """Whether a blob's content has the hash that is its name; None if the name is no hash."""
    if _SHA256.fullmatch(blob.name):
        digest = hashlib.sha256()
    elif _SHA1.fullmatch(blob.name):
        digest = hashlib.sha1(b"blob %d\0" % blob.stat().st_size, usedforsecurity=False)
    else:
        return None
    _feed(digest, blob, on_bytes)
    return digest.hexdigest() == blob.name


def file_sha256(file: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """The SHA-256 of a file's content, in hexadecimal. `on_bytes` hears of each block read."""
    digest = hashlib.sha256()
    _feed(digest, file, on_bytes)
    return digest.hexdigest()


def _feed(digest: Any, file: Path, on_bytes: Callable[[int], None] | None) -> None:
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            digest.update(block)
            if on_bytes:
                on_bytes(len(block))
