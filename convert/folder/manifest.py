"""manifest.json: the SHA-256 and size of every file of a folder, and what it was made from.

A copy on another disk or a download can be checked against it, file by file. It says
nothing about who made the folder: whoever can change the files can change it too.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from convert.folder.hub import file_sha256
from convert.folder.versions import versions
from quant.recipe import Recipe
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.jsonfile import read_json_object

MANIFEST = "manifest.json"

#: Of the format of manifests. Raise it when a key changes its meaning.
_VERSION = 1

_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 10_000


@dataclass(frozen=True)
class Listed:
    """A file as its manifest describes it."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a folder was when it was made.

    `files` by name, folders with `/`; `method` of the recipe, None where nothing was quantised;
    `codes` are the SHA-256 of a source's integer codes by name of the matrix, where they were kept.
    """

    files: Mapping[str, Listed]
    method: str | None
    codes: Mapping[str, str]


def write_manifest(
    folder: Path, recipe: Recipe, fingerprint: str, codes: Mapping[str, str] | None = None
) -> None:
    """Writes manifest.json for all files of `folder`, the last step of making it.

    `fingerprint` is the source's; `codes` are the SHA-256 of integer codes that were kept. The same
    files and arguments always give the same bytes.
    """
    files = {
        name: asdict(Listed(file_sha256(folder / name), (folder / name).stat().st_size))
        for name in file_names(folder)
        if name != MANIFEST
    }
    value = {
        "version": _VERSION,
        "made_with": versions(),
        "recipe": asdict(recipe),
        "source": fingerprint,
        "files": files,
        **({"codes": dict(sorted(codes.items()))} if codes else {}),
    }
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of `folder`, None where it has none.

    Raises `CheckpointError` for a manifest that is damaged or names files outside the folder.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    value = read_json_object(path)
    if value.get("version") != _VERSION:
        raise CheckpointError(
            f"{path} has version {value.get('version')!r}, {_VERSION} is known; update this program"
        )
    files, recipe, codes = (_object(path, value, key) for key in ("files", "recipe", "codes"))
    if len(files) > _MOST_FILES:
        raise CheckpointError(f"{path} is damaged: it lists {len(files)} files")
    method = recipe.get("method") if recipe.get("format") or recipe.get("layers") else None
    return Manifest(
        {name: _listed(path, name, entry) for name, entry in files.items()},
        method if isinstance(method, str) else None,
        {name: digest for name, digest in codes.items() if isinstance(digest, str)},
    )


def file_names(folder: Path) -> list[str]:
    """Every file below `folder`, hidden ones left out, as names with `/`, sorted."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))


def _listed(path: Path, name: str, entry: Any) -> Listed:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise CheckpointError(f"{path} names a file outside the folder: {name!r}")
    digest, size = (entry.get("sha256"), entry.get("bytes")) if isinstance(entry, dict) else (None, None)
    if not isinstance(digest, str) or not _HASH.fullmatch(digest) or type(size) is not int or size < 0:
        raise CheckpointError(f"{path} is damaged: it gives {name!r} no proper hash and size")
    return Listed(digest, size)


def _object(path: Path, value: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key, {})
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} is damaged: its {key} must be an object")
    return found
