"""Files that belong to a model beside its weights and its config, copied byte for byte.

A tokenizer that was read and written again is no longer the one that the model was trained
with, so nothing here looks into what it copies.

A folder from elsewhere may hold links: `LICENSE -> ~/.ssh/id_ed25519` would take a key into
a folder that is meant to be shared. A link is therefore followed only where it stays inside
the folder, or where it is the hub cache's own, from a snapshot to its blob. Any other link is
an error rather than left out in silence, because a folder without its tokenizer is no model.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from convert.folder.hub import blob_of
from qwen2_mlx.errors import CheckpointError
from qwen2_mlx.weights import INDEX_NAME

#: Where transformers keeps named templates beside the default one.
TEMPLATES = "additional_chat_templates"

_NAMES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json",
    "added_tokens.json", "chat_template.jinja", "generation_config.json",
)  # fmt: skip

#: LICENSE, LICENSE.txt, NOTICE.md, and licences of several parts such as LICENSE-DATA.
_TERMS = re.compile(r"(licen[cs]e|notice|copying)([-_.][\w.-]+)?", re.ASCII | re.IGNORECASE)
_TERMS_SUFFIXES = ("", ".txt", ".md")

_TEMPLATE_NAME = re.compile(r"[\w-][\w.-]*\.jinja", re.ASCII)

#: Names that the converter itself writes, whatever their case: the Mac's file system ignores it.
_OWN_NAMES = {"config.json", "readme.md", "manifest.json", INDEX_NAME.casefold()}

_LARGEST_NAME = 100
_MOST_TERMS_AND_TEMPLATES = 100

#: The largest tokenizer of the family has 11 MB. More than this is no tokenizer.
_LARGEST_FILE = 256 * 2**20


def companions_of(folder: Path) -> dict[str, Path | bytes]:
    """Tokenizer, chat templates, generation settings and terms in `folder`, by name.

    Raises `CheckpointError` for a link that leads out of the folder and for an absurd size.
    """
    found = {name: folder / name for name in _candidates(folder) if (folder / name).is_file()}
    for file in found.values():
        _check_place(folder, file)
        if file.stat().st_size > _LARGEST_FILE:
            raise CheckpointError(f"{file} is too large for what its name says; remove it from the folder")
    return dict(found)


def write_companions(companions: Mapping[str, Path | bytes], folder: Path) -> None:
    """Writes each companion, a file to copy or its content, under its name into `folder`.

    Raises `CheckpointError` for a name that would climb out of the folder, is no plain file
    name, or is that of a file the converter writes; nothing is written then. So does a file that
    cannot be read.
    """
    for name in companions:
        _check_name(name)
    for name, content in companions.items():
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        else:
            _copy(content, place)


def _candidates(folder: Path) -> Iterator[str]:
    """Names that may be companions; whether they exist and are files is not yet known."""
    yield from _NAMES
    found = sorted(entry.name for entry in folder.iterdir() if _are_terms(entry.name))
    if (folder / TEMPLATES).is_dir():
        names = (entry.name for entry in (folder / TEMPLATES).iterdir())
        found += sorted(f"{TEMPLATES}/{name}" for name in names if _TEMPLATE_NAME.fullmatch(name))
    if len(found) > _MOST_TERMS_AND_TEMPLATES:
        raise CheckpointError(f"{folder} holds {len(found)} licences and chat templates; remove some")
    yield from found


def _are_terms(name: str) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    return bool(_TERMS.fullmatch(name)) and len(name) <= _LARGEST_NAME and suffix in _TERMS_SUFFIXES


def _copy(file: Path, place: Path) -> None:
    try:
        source = file.open("rb")
    except OSError as error:  # told apart from a target that cannot be written
        raise CheckpointError(f"{file} cannot be read: {error.strerror or error}") from None
    with source, place.open("wb") as copy:
        shutil.copyfileobj(source, copy)


def _check_place(folder: Path, file: Path) -> None:
    if blob_of(folder, file) is None and not file.resolve().is_relative_to(folder.resolve()):
        raise CheckpointError(
            f"{file} is a link to {file.resolve()}, outside its folder; put a copy of the file in its place"
        )


def _check_name(name: str) -> None:
    parts = name.split("/")
    if parts[0] == TEMPLATES and len(parts) == 2:
        allowed = _TEMPLATE_NAME.fullmatch(parts[1])
    else:
        plain = PurePosixPath(name).name == name and re.fullmatch(r"[\w-][\w .-]*", name, re.ASCII)
        own = name.casefold() in _OWN_NAMES or name.casefold().endswith(".safetensors")
        allowed = plain and not own
    if not allowed or len(name) > _LARGEST_NAME:
        raise CheckpointError(f"a file of the model is called {name[:_LARGEST_NAME]!r}, which is not written")
