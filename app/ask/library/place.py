"""Where the user's library lies."""

import os
from pathlib import Path

VARIABLE = "QWEN2_MLX_LIBRARY"


def default_path() -> Path:
    """The file that `QWEN2_MLX_LIBRARY` names, else one in the user's data folder. It need not exist."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    from platformdirs import user_data_path

    return user_data_path("qwen2-mlx") / "library.sqlite"
