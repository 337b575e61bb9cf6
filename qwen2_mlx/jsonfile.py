"""Reading the small JSON files of a checkpoint."""

import json
import re
from pathlib import Path
from typing import Any

from qwen2_mlx.errors import CheckpointError, first_line

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_json_object(path: Path, required: bool = True) -> dict[str, Any]:
    """The object in `path`; an empty one when the file is absent and not `required`.

    Raises `CheckpointError`, naming the file, for anything that is not a JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()  # fails for half a pair, which is no text
    except FileNotFoundError:
        if not required:
            return {}
        raise CheckpointError(f"{path} is missing; the checkpoint is incomplete") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read: {first_line(error)}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} is damaged: it holds no JSON object")
    return value
