"""Where a model came from, as far as its folder tells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convert.folder.front_matter import read_front_matter
from convert.folder.hub import blob_of, cached_hub_id, is_hub_id
from qwen2_mlx.errors import Qwen2Error


@dataclass(frozen=True)
class Origin:
    """The hub's name of the model that was converted, and `terms`: license and language keys of its card."""

    base_model: str | None = None
    terms: Mapping[str, list[str]] = field(default_factory=dict)


def origin_of(source: Path, config: Mapping[str, Any], named: str | None = None) -> Origin:
    """The origin of `source`, a checkpoint's folder or file whose config.json holds `config`.

    The base model is the one that the person `named`; else the repository whose snapshot in
    the hub's cache the folder is; else what the config was saved from; else the base model of
    the source's own card, which is its parent rather than itself and so comes last.

    Raises `Qwen2Error` when `named` is no name on the hub.
    """
    if named is not None and not is_hub_id(named):
        raise Qwen2Error(f"--base-model {named!r} is no name on the hub; give one as owner/name")
    folder = source if source.is_dir() else source.parent
    card = folder / "README.md"
    ours = source.is_dir() or cached_hub_id(folder)  # beside a single file anyone's README may lie
    inside = blob_of(folder, card) or card.resolve().is_relative_to(folder.resolve())
    header = read_front_matter(card) if ours and inside else {}
    parents = header.pop("base_model", [])
    candidates = (named, cached_hub_id(folder), config.get("_name_or_path"), parents[0] if parents else None)
    base = next((name for name in candidates if name is not None and is_hub_id(name)), None)
    return Origin(base, header)
