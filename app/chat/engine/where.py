"""Where a model lies on this machine; nothing is asked of the network."""

import json
import re
from pathlib import Path

from app.ask.roles.scout import cached_folder
from app.cli import clean
from qwen2_mlx.errors import ModelNotFoundError
from qwen2_mlx.resolve import ALIASES, BUNDLED, resolve

#: Characters of a name that cannot be one.
_SHOWN = 60

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def local_folder(ref: str) -> Path:
    """The folder of a model that is on this machine.

    Raises `ModelNotFoundError`, which says how to get a model of the hub that is not.
    """
    hub_id = hub_id_of(ref)
    if hub_id is None:
        try:
            return resolve(ref)
        except (OSError, ValueError):  # a name that no file system takes
            raise ModelNotFoundError(
                f"there is no model {ref[:_SHOWN]!r}; give a folder, a hub id or an alias"
            ) from None
    folder = _cached(hub_id)
    if folder is None:
        raise ModelNotFoundError(f"{clean(ref)} is not downloaded; F2 downloads it")
    return folder


def hub_id_of(ref: str) -> str | None:
    """The id on the hub that a reference stands for; None for bundled models and folders."""
    hub_id = ALIASES.get(ref.lower(), ref)
    try:
        is_path = Path(ref).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # a name too long, ~nobody, or with a NUL
        return None
    return None if ref in BUNDLED or is_path or not _HUB_ID.fullmatch(hub_id) else hub_id


def _cached(hub_id: str) -> Path | None:
    from huggingface_hub.errors import HFValidationError

    try:
        folder = cached_folder(hub_id)
    except HFValidationError:  # such as a name that is too long
        return None
    return folder if folder and _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether all files that the index names are there: a download may have been cut off."""
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
        names = set(index["weight_map"].values())
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True  # loading says what is wrong with it
    return all(isinstance(name, str) and (folder / Path(name).name).is_file() for name in names)
