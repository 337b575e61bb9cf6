"""Fixtures for every test: nothing reads or writes the user's own folders, nothing reaches the network."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests import checkpoints

# A GPU's shortened float32 products would hide what the tests compare. MLX reads this once.
os.environ.setdefault("MLX_ENABLE_TF32", "0")

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell's background job ignores Ctrl-C, and so would the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder of its own for each test, with an offline Hugging Face cache in it."""
    home = tmp_path_factory.mktemp("home")
    hub = home / "huggingface"
    folders = {
        "HOME": home,
        "XDG_CONFIG_HOME": home / "config",
        "XDG_DATA_HOME": home / "data",
        "XDG_STATE_HOME": home / "state",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_RUNTIME_DIR": home / "runtime",
        "HF_HOME": hub,
    }
    for name, folder in folders.items():
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("HF_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("QWEN2_MLX_CACHE_DIR", "QWEN2_MLX_CACHE_LIMIT", "QWEN2_MLX_LIBRARY", "QWEN2_MLX_CHATS"):
        monkeypatch.delenv(name, raising=False)
    # huggingface_hub reads the environment only once, when it is first imported.
    if constants := sys.modules.get("huggingface_hub.constants"):
        monkeypatch.setattr(constants, "HF_HOME", str(hub))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return home


@pytest.fixture
def shared_data() -> Path:
    """The optional folder `../shared/data`: official configs, the Qwen2 tokenizer, stories260K."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the optional data folder ../shared/data next to the repository")
    return SHARED_DATA


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A complete, tiny, random dense checkpoint."""
    return checkpoints.write_checkpoint(tmp_path / "model")


@pytest.fixture
def moe_checkpoint(tmp_path: Path) -> Path:
    """A complete, tiny, random mixture-of-experts checkpoint."""
    return checkpoints.write_checkpoint(tmp_path / "moe", checkpoints.MOE)
