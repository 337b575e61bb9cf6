"""Where everything of the chat lies, for `qwen2-chat --paths`."""

from collections.abc import Iterator
from pathlib import Path


def config_path() -> Path:
    """The settings, which need not exist. On macOS the folder is that of the chats, too."""
    from platformdirs import user_config_path

    return user_config_path("qwen2-mlx") / "chat.toml"


def locations(config: Path | None = None) -> Iterator[tuple[str, Path]]:
    """What is kept, and the file or folder it is kept in, whether that exists or not."""
    from app.ask.library.place import default_path as library_path
    from app.chat.store.place import default_path as chats_path
    from qwen2_mlx.prefix_store.settings import prefix_folder

    yield "settings", config or config_path()
    yield "chats", chats_path()
    yield "documents", library_path()
    yield "processed texts", prefix_folder()
    yield "models", _model_cache()


def _model_cache() -> Path:
    """Where the hub's library keeps models; said without importing it, which takes long."""
    import os

    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    home = os.environ.get("HF_HOME")
    caches = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return (Path(home) if home else Path(caches) / "huggingface").expanduser() / "hub"
