"""A test sees an empty home and no network, whatever ran before it in the same process."""

from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from platformdirs import PlatformDirs


def test_every_user_folder_lies_in_the_home_of_the_test(home: Path) -> None:
    folders = PlatformDirs("qwen2-mlx")
    for folder in (
        Path.home(),
        folders.user_config_path,
        folders.user_data_path,
        folders.user_state_path,
        folders.user_cache_path,
    ):
        assert folder.is_relative_to(home)


@pytest.mark.parametrize("turn", ["first", "second"])
def test_the_hub_cache_lies_in_the_home_of_the_test(home: Path, turn: str) -> None:
    del turn  # the second run meets a hub library that was imported in an earlier home
    assert Path(constants.HF_HUB_CACHE).is_relative_to(home)


def test_the_hub_is_offline() -> None:
    with pytest.raises(LocalEntryNotFoundError):
        huggingface_hub.snapshot_download("Qwen/Qwen2-0.5B-Instruct")
