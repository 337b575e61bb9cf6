"""A finished folder goes to the hub, file by file as its manifest lists them.

Only what the manifest lists is uploaded, and only when every file still is what it lists:
a folder that changed since it was made would spread the damage, and whatever else was put
into it, a note or a key, was not meant to be published.
"""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from convert.folder.checks.files import check_manifest
from convert.folder.hub import is_hub_id
from convert.folder.manifest import MANIFEST, Manifest, read_manifest
from qwen2_mlx.errors import Qwen2Error, first_line


class Hub(Protocol):
    """The part of `huggingface_hub.HfApi` that an upload needs."""

    def create_repo(self, repo_id: str, *, repo_type: str, exist_ok: bool) -> Any: ...

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: Path,
        repo_type: str,
        commit_message: str,
        allow_patterns: list[str],
    ) -> Any: ...


def check_repository(repository: str) -> str:
    """Returns `repository`; raises `Qwen2Error` when it cannot be a name on the hub."""
    if not is_hub_id(repository):
        raise Qwen2Error(f"--upload-repo {repository!r} is no name on the hub; give one as owner/name")
    return repository


def upload(
    folder: Path,
    repository: str,
    on_bytes: Callable[[int], None] = lambda count: None,
    hub: Hub | None = None,
) -> str:
    """Uploads the finished `folder` to `repository`, made if it does not exist; returns its address.

    An interrupted upload goes on where it stopped when it is called again. `on_bytes` hears
    of what is read to check the files. Raises `Qwen2Error` when the folder has no manifest or differs
    from it, and when the hub cannot be reached or does not let the person in.
    """
    check_repository(repository)
    manifest = _whole_manifest(folder, on_bytes)
    names = [_pattern(name) for name in (*manifest.files, MANIFEST)]
    try:
        api = hub or _hub()
        api.create_repo(repository, repo_type="model", exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            repo_type="model",
            commit_message=f"Upload {folder.resolve().name}",
            allow_patterns=names,
        )
    except Exception as error:  # noqa: BLE001 - of the library and all that it stands on
        raise Qwen2Error(_reason(folder, repository, error)) from None
    return f"https://huggingface.co/{repository}"


def _whole_manifest(folder: Path, on_bytes: Callable[[int], None]) -> Manifest:
    manifest = read_manifest(folder)
    if manifest is None:
        raise Qwen2Error(f"{folder} has no {MANIFEST}; only folders that qwen2-convert made are uploaded")
    if finding := next(check_manifest(folder, manifest, on_bytes), None):
        raise Qwen2Error(f"{folder} is not uploaded: {finding}; run qwen2-convert verify on it")
    return manifest


def _pattern(name: str) -> str:
    """A pattern that only `name` fits."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _hub() -> Hub:
    from huggingface_hub import HfApi

    return HfApi()


def _reason(folder: Path, repository: str, error: Exception) -> str:
    """What went wrong and what to do about it, from what the library raised."""
    from huggingface_hub import errors

    kept = f"{folder} itself is complete"
    again = f"hf upload {shlex.quote(repository)} {shlex.quote(str(folder))}"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.LocalTokenNotFoundError) or status == 401:
        return f"the hub asks who you are; run: hf auth login, then: {again} ({kept})"
    if status == 403:
        return (
            f"your login may not write to {repository}; use a token with write access, then: {again} ({kept})"
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"HF_HUB_OFFLINE is set, so nothing is uploaded; unset it, then: {again} ({kept})"
    return f"{repository} was not uploaded: {first_line(error)}; to go on: {again} ({kept})"
