"""Where the user's chats lie."""

import os
from pathlib import Path

VARIABLE = "QWEN2_MLX_CHATS"


def default_path() -> Path:
    """The file that `QWEN2_MLX_CHATS` names, else one in the user's data folder. It need not exist."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("qwen2-mlx") / "chats.sqlite"
