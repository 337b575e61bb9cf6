"""Only what a manifest vouches for goes to the hub, and what goes wrong there is one clear line."""

import inspect
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

from convert.folder.manifest import write_manifest
from convert.folder.upload import upload
from quant.recipe import Recipe
from qwen2_mlx.errors import Qwen2Error


class FakeHub:
    """Notes what it is asked for, or fails."""

    def __init__(self, error: BaseException | None = None):
        self.error, self.calls = error, []

    def create_repo(self, repo_id: str, *, repo_type: str, exist_ok: bool) -> None:
        self.calls.append(("create_repo", repo_id, repo_type, exist_ok))

    def upload_folder(self, **options: Any) -> None:
        if self.error:
            raise self.error
        self.calls.append(("upload_folder", options))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "m" / "additional_chat_templates").mkdir(parents=True)
    names = (
        "model.safetensors",
        "config.json",
        "README.md",
        "additional_chat_templates/x.jinja",
        "LICENSE [a]",
    )
    for name in names:
        (tmp_path / "m" / name).write_text(name)
    write_manifest(tmp_path / "m", Recipe(), "source")
    return tmp_path / "m"


def test_the_listed_files_go_to_the_repository(folder: Path) -> None:
    (folder / "notes.txt").write_text("private")
    (folder / ".env").write_text("SECRET")
    hub = FakeHub()
    assert upload(folder, "me/mine", hub=hub) == "https://huggingface.co/me/mine"
    created, (_, options) = hub.calls
    assert created == ("create_repo", "me/mine", "model", True)
    assert (options["repo_id"], options["folder_path"]) == ("me/mine", folder)
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    uploaded = {name for name in files if any(fnmatch(name, p) for p in options["allow_patterns"])}
    assert uploaded == set(files) - {"notes.txt", ".env"}


def test_what_is_asked_for_is_what_the_library_takes() -> None:
    asked = {"repo_id", "folder_path", "repo_type", "commit_message", "allow_patterns"}
    assert asked <= inspect.signature(HfApi.upload_folder).parameters.keys()
    assert {"repo_id", "repo_type", "exist_ok"} <= inspect.signature(HfApi.create_repo).parameters.keys()


@pytest.mark.parametrize("name", ["model.safetensors", "README.md"])
def test_a_changed_file_keeps_everything_at_home(folder: Path, name: str) -> None:
    (folder / name).write_text(name.swapcase())
    hub = FakeHub()
    with pytest.raises(Qwen2Error, match=f"is not uploaded: {name} is not the file"):
        upload(folder, "me/mine", hub=hub)
    assert not hub.calls


def test_a_folder_without_a_manifest_stays_at_home(tmp_path: Path) -> None:
    hub = FakeHub()
    with pytest.raises(Qwen2Error, match=r"has no manifest\.json"):
        upload(tmp_path, "me/mine", hub=hub)
    assert not hub.calls


@pytest.mark.parametrize("repository", ["mine", "a/b/c", "../x", "me/mi ne", ""])
def test_a_name_that_is_none_on_the_hub_is_refused(folder: Path, repository: str) -> None:
    hub = FakeHub()
    with pytest.raises(Qwen2Error, match="is no name on the hub"):
        upload(folder, repository, hub=hub)
    assert not hub.calls


def answered(status: int) -> HfHubHTTPError:
    response: Any = SimpleNamespace(status_code=status, headers={}, request=None)
    return HfHubHTTPError(f"{status} Error\nmore", response=response)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LocalTokenNotFoundError("no token"), "hf auth login"),
        (answered(401), "hf auth login"),
        (answered(403), "may not write to me/mine"),
        (OfflineModeIsEnabled("offline"), "HF_HUB_OFFLINE is set"),
        (answered(500), "500 Error; to go on: hf upload"),
        (ConnectionError("name resolution failed"), "name resolution failed; to go on: hf upload"),
        (ValueError(""), "ValueError; to go on: hf upload"),
    ],
)
def test_what_goes_wrong_is_one_line_that_helps(folder: Path, error: Exception, words: str) -> None:
    with pytest.raises(Qwen2Error) as caught:
        upload(folder, "me/mine", hub=FakeHub(error))
    assert words in str(caught.value)
    assert "itself is complete" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_real_library_without_a_network_is_one_line(folder: Path) -> None:
    with pytest.raises(Qwen2Error, match=r"HF_HUB_OFFLINE|hf auth login|was not uploaded"):
        upload(folder, "me/mine")


def test_an_interruption_stays_one(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        upload(folder, "me/mine", hub=FakeHub(KeyboardInterrupt()))
