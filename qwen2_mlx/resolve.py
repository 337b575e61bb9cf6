"""From the name a person gives a model to the folder that holds it."""

import re
from pathlib import Path
from typing import Any

from qwen2_mlx.errors import ModelNotFoundError, first_line

#: Models inside the package.
BUNDLED = ("tiny", "tiny-moe")

#: Short names of the instruct models in 4 bits.
ALIASES = {
    "0.5b": "mlx-community/Qwen2-0.5B-Instruct-4bit",
    "1.5b": "mlx-community/Qwen2-1.5B-Instruct-4bit",
    "7b": "mlx-community/Qwen2-7B-Instruct-4bit",
    "57b-a14b": "mlx-community/Qwen2-57B-A14B-Instruct-4bit",
    "72b": "mlx-community/Qwen2-72B-Instruct-4bit",
}

#: What is fetched from the hub: weights and text, nothing that can execute.
HUB_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "LICENSE*", "README.md")

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

#: Seconds the hub may stay silent before the local cache has to do.
_HUB_PATIENCE = 10.0


def resolve(ref: str) -> Path:
    """The folder of a bundled model, of a path, or of a hub id or alias after download.

    Downloads show progress on stderr, resume where they stopped, and are answered from
    the local cache when the hub cannot be reached. Raises `ModelNotFoundError`.
    """
    if ref in BUNDLED:
        return Path(__file__).with_name("data") / ref
    try:
        folder = Path(ref).expanduser()
    except RuntimeError as error:  # ~name of a person who is not known here
        raise ModelNotFoundError(f"{ref}: {first_line(error)}; give the whole path") from None
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelNotFoundError(f"{ref} is a file; give the folder that holds config.json and the weights")
    hub_id = ALIASES.get(ref.lower(), ref)
    if not _HUB_ID.fullmatch(hub_id) or ref.startswith((".", "/", "~")):
        names = ", ".join((*BUNDLED, *ALIASES))
        raise ModelNotFoundError(
            f"there is no model {ref!r}; give a folder, a hub id (owner/name) or one of {names}"
        )
    return _download(hub_id)


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    limit_patience()
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(HUB_FILES)))
    except GatedRepoError:
        raise ModelNotFoundError(
            f"{hub_id} asks for a login on the hub; accept its terms there and run: hf auth login"
        ) from None
    except RepositoryNotFoundError:
        raise ModelNotFoundError(f"there is no model {hub_id} on the hub; check the spelling") from None
    except LocalEntryNotFoundError:
        raise ModelNotFoundError(
            f"{hub_id} is not on this machine and the hub cannot be reached; connect, or give a folder"
        ) from None
    except HFValidationError:
        raise ModelNotFoundError(
            f"{hub_id} cannot be the id of a model on the hub; check the spelling"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise ModelNotFoundError(
            f"{hub_id} cannot be downloaded: {first_line(error)}; run the command again to resume"
        ) from None
    except Exception as error:  # noqa: BLE001 - a proxy's login page, a connection cut in an answer: anything
        raise ModelNotFoundError(
            f"{hub_id} cannot be downloaded: the hub's answer is broken ({first_line(error)});"
            " check the connection and run the command again"
        ) from None


def limit_patience() -> None:
    """Gives the hub library's requests a time limit; it sends some of them without any."""
    from huggingface_hub import get_session

    session = get_session()
    hooks = session.event_hooks
    if _limit_request not in hooks["request"]:
        session.event_hooks = {**hooks, "request": [*hooks["request"], _limit_request]}


def _limit_request(request: Any) -> None:
    limits = request.extensions["timeout"]
    request.extensions["timeout"] = {
        kind: _HUB_PATIENCE if limit is None else limit for kind, limit in limits.items()
    }
