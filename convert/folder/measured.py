"""Measured numbers join the card of a folder that was made before them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from convert.folder.card import MEASURED, USE, measured_section
from convert.folder.hub import file_sha256
from convert.folder.manifest import MANIFEST, Listed, read_manifest
from convert.folder.report import Measured
from qwen2_mlx.errors import Qwen2Error
from qwen2_mlx.jsonfile import read_json_object

CARD = "README.md"


def add_measured(folder: Path, measured: Sequence[Measured]) -> None:
    """Puts the numbers into the card of `folder`, in place of earlier ones, and renews its manifest entry.

    Raises `Qwen2Error` for a folder whose card `qwen2-convert` did not write or that was changed since.
    """
    manifest, card = read_manifest(folder), folder / CARD
    listed = manifest.files.get(CARD) if manifest else None
    if listed is None or not card.is_file():
        raise Qwen2Error(f"{folder} has no card of qwen2-convert's; convert the model with it first")
    text = card.read_text(encoding="utf-8")
    if file_sha256(card) != listed.sha256 or f"\n{USE}\n" not in text:
        raise Qwen2Error(f"{card} was changed since it was written; add the numbers by hand")
    before, _, after = text.partition(f"\n{USE}\n")
    before = before.partition(f"\n{MEASURED}\n")[0]
    _replace(card, f"{before}\n{measured_section(measured)}\n{USE}\n{after}")
    value = read_json_object(folder / MANIFEST)
    value["files"][CARD] = asdict(Listed(file_sha256(card), card.stat().st_size))
    _replace(folder / MANIFEST, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    """Writes `text` to `path`, which is never there in part."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
