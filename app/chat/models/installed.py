"""The models that are on this machine: bundled, in the hub's cache, and folders that were named.

The hub's cache is read as the folders it is, without the hub's library: this must be quick, and a broken
entry is one line in the list, never a failure of the list.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.cli import clean
from qwen2_mlx.config import MODEL_TYPES, ModelConfig
from qwen2_mlx.errors import CheckpointError, Qwen2Error
from qwen2_mlx.jsonfile import read_json_object
from qwen2_mlx.resolve import ALIASES, BUNDLED

INDEX = "model.safetensors.index.json"

#: Bytes of a config.json and of a list of tensors; what is larger is none.
LARGEST_CONFIG = 1_000_000
LARGEST_INDEX = 20_000_000
#: Entries of a cache and files of a model that are looked at.
MOST_ENTRIES = 2000
MOST_FILES = 2000

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_ENTRY = re.compile(r"models--([\w.-]+?)--([\w.-]+)")


@dataclass(frozen=True)
class Installed:
    """One model of the list.

    `ref` is what `Setup.model` takes. `size` is in bytes, `bits` such as "4" or "16", lengths are in
    tokens as `rope="auto"` gives them. `here` is False for a name that is yet to be downloaded, and
    `missing` says what an incomplete download lacks. A `problem` keeps it from being opened. `is_folder`
    tells a folder that people named from what the hub has.
    """

    ref: str
    name: str
    here: bool = True
    size: int = 0
    bits: str = ""
    trained: int = 0
    longest: int = 0
    proven: int = 0
    missing: str = ""
    problem: str = ""
    is_folder: bool = False


def hub_cache() -> Path:
    """Where the hub's library keeps its downloads: the same variables, the same order."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(name):
            return Path(value).expanduser()
    home = os.environ.get("HF_HOME")
    if not home:
        home = str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(home).expanduser() / "hub"


def installed(folders: Iterable[str] = (), cache: Path | None = None) -> list[Installed]:
    """Bundled models, folders that were named, the hub's cache, then aliases that are not here yet."""
    from qwen2_mlx.resolve import resolve

    found = [_look(name, name, resolve(name)) for name in BUNDLED]
    found += _named(folders)
    cached = list(_cached(hub_cache() if cache is None else cache))
    found += cached
    here = {model.ref for model in cached}
    found += [
        Installed(hub_id, f"{alias}  {hub_id}", here=False)
        for alias, hub_id in ALIASES.items()
        if hub_id not in here
    ]
    return found


def look_up(text: str) -> Installed | None:
    """The folder or hub id that a person typed; None where it is neither."""
    text = text.strip()
    for model in _named([text]):
        return model
    hub_id = ALIASES.get(text.lower(), text)
    return Installed(hub_id, hub_id, here=False) if _HUB_ID.fullmatch(hub_id) else None


def _named(folders: Iterable[str]) -> Iterator[Installed]:
    """Those of the references that are folders, each once."""
    seen: set[str] = set()
    for ref in folders:
        try:
            folder = Path(ref).expanduser()
            if not ref or ref in seen or ref in BUNDLED or not folder.is_dir():
                continue
        except (OSError, RuntimeError, ValueError):  # a name that no folder can have
            continue
        seen.add(ref)
        # Of a path the end tells it from others, and it is the beginning that is always seen.
        yield replace(_look(ref, f"{folder.name}  {ref}", folder), is_folder=True)


def _cached(cache: Path) -> Iterator[Installed]:
    """The models of the family in the hub's cache; those of other kinds are passed over."""
    try:
        entries = sorted(entry.name for entry in os.scandir(cache))[:MOST_ENTRIES]
    except OSError:
        return
    names = {hub_id: alias for alias, hub_id in ALIASES.items()}
    for entry in entries:
        if not (match := _ENTRY.fullmatch(entry)):
            continue
        hub_id = f"{match[1]}/{match[2]}"
        snapshot = _snapshot(cache / entry)
        if snapshot is None or not _is_of_the_family(snapshot):
            continue
        alias = names.get(hub_id)
        yield _look(hub_id, f"{alias}  {hub_id}" if alias else hub_id, snapshot)


def _snapshot(entry: Path) -> Path | None:
    """The folder of the files that the main branch of a cache entry names."""
    try:
        commit = (entry / "refs" / "main").read_text(encoding="ascii")[:64].strip()
    except (OSError, ValueError):
        commit = ""
    folder = entry / "snapshots" / commit
    if _COMMIT.fullmatch(commit) and folder.is_dir():
        return folder
    return None


def _is_of_the_family(folder: Path) -> bool:
    """Whether config.json says so; also where it cannot be read, so that the problem is shown."""
    try:
        kind = _config(folder).get("model_type")
    except CheckpointError:
        return (folder / "config.json").exists()
    return isinstance(kind, str) and kind in MODEL_TYPES


def _look(ref: str, name: str, folder: Path) -> Installed:
    """What a folder holds."""
    name = clean(name)
    size = _size(folder)
    try:
        raw = _config(folder)
        config = ModelConfig.from_dict(raw).with_rope("auto")
        missing = _missing(folder)
    except Qwen2Error as error:
        return Installed(ref, name, size=size, problem=str(error))
    return Installed(
        ref,
        name,
        size=size,
        bits=_bits(config),
        trained=config.trained_length,
        longest=config.context_length,
        proven=config.proven_length,
        missing=missing,
    )


def _config(folder: Path) -> dict[str, Any]:
    return _small_json(folder / "config.json", LARGEST_CONFIG)


def _small_json(path: Path, largest: int) -> dict[str, Any]:
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    if size > largest:
        raise CheckpointError(f"{path.name} has {size:,} bytes and cannot be one; download the model again")
    return read_json_object(path)


def _size(folder: Path) -> int:
    """Bytes of the files of a folder, links followed; those that are gone count nothing."""
    total = 0
    try:
        for number, entry in enumerate(os.scandir(folder)):
            if number >= MOST_FILES:
                break
            try:
                total += entry.stat().st_size if entry.is_file() else 0
            except OSError:  # a link to a file that was removed
                continue
    except OSError:
        return 0
    return total


def _missing(folder: Path) -> str:
    """What a download that was cut still lacks, in a few words; "" when it is complete."""
    if not (folder / INDEX).exists():
        return "" if (folder / "model.safetensors").exists() else "the weights"
    shards = _small_json(folder / INDEX, LARGEST_INDEX).get("weight_map")
    names = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
    if not names:
        raise CheckpointError(f"{INDEX} names no files of weights; download the model again")
    # A name is compared with what lies there and never joined to a path: it could climb out.
    try:
        lying = {entry.name for entry in os.scandir(folder) if entry.is_file()}
    except OSError:
        lying = set()
    lacking = len(names - lying)
    return f"{lacking} of {len(names)} files of weights" if lacking else ""


def _bits(config: ModelConfig) -> str:
    """Bits of a weight: of the quantisation, else of the type."""
    if config.quantization is not None:
        widths = {config.quantization.get("bits")}
        widths |= {part.get("bits") for part in config.quantization.values() if isinstance(part, dict)}
        return "-".join(str(width) for width in sorted(width for width in widths if isinstance(width, int)))
    return {"float32": "32", "bfloat16": "16", "float16": "16"}.get(config.dtype or "", "")
