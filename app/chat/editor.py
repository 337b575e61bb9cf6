"""Writing a prompt with the reader's own editor."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from qwen2_mlx.errors import Qwen2Error

FALLBACK = "vi"


def command_of(configured: str) -> list[str]:
    """The editor of the settings, else that of the environment. Raises `Qwen2Error` where it is none."""
    command = configured or os.environ.get("VISUAL") or os.environ.get("EDITOR") or FALLBACK
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if not words:
        raise Qwen2Error(f"the editor {command!r} is no command; set `editor` or $EDITOR")
    return words


def edit(text: str, configured: str = "") -> str:
    """`text` as the reader left it in the editor, which has the terminal meanwhile.

    Raises `Qwen2Error` where there is no such editor or it failed; the text is as it was then.
    """
    command = command_of(configured)
    with tempfile.TemporaryDirectory(prefix="qwen2-chat-") as folder:
        file = Path(folder) / "prompt.md"
        file.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*command, str(file)], check=True)
            return file.read_text(encoding="utf-8-sig").rstrip("\n")
        except (OSError, subprocess.CalledProcessError, UnicodeDecodeError) as error:
            raise Qwen2Error(f"{command[0]} did not edit the prompt: {error}") from None
