"""Opening a screen for the first time must not wait for libraries that it may never need."""

import subprocess
import sys

SCREENS = "switcher models chat_settings presets trash export templates confirm".split()
HEAVY = ("mlx", "huggingface_hub", "lxml", "tokenizers", "transformers", "numpy", "httpx2", "pypdfium2")


def test_no_screen_imports_what_is_heavy() -> None:
    names = ", ".join(f"app.chat.screens.{name}" for name in SCREENS)
    code = f"import sys, {names}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
