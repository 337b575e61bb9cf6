"""A terminal that people use: tmux, with keys sent to it and its screen read back."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest

PATIENCE = 30.0

#: Variables of the terminal in which the tests run.
FOREIGN = ("TMUX", "COLUMNS", "LINES")

#: Seconds between keys that people press, and after an Escape: before that it could begin another key's code.
BETWEEN, ALONE = 0.1, 0.3


class Tmux:
    """One window of a tmux server of its own, in which a shell waits for commands."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("needs tmux")
        self._server = f"test-{uuid.uuid4().hex[:12]}"
        columns, rows = map(str, size)
        self._tmux("new-session", "-d", "-x", columns, "-y", rows, "-c", str(folder), "env PS1='$ ' sh")
        self.wait_for("$")

    def close(self) -> None:
        """Ends the server and all that runs in it."""
        self._tmux("kill-server")

    def keys(self, *keys: str) -> None:
        """Presses keys, by tmux's names: Enter, Escape, C-q."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(ALONE if key == "Escape" else BETWEEN)

    def type(self, text: str) -> None:
        """Types a text."""
        self._tmux("send-keys", "-l", text)

    def run(self, command: str) -> None:
        """Enters a command line."""
        self.type(command)
        self.keys("Enter")

    @property
    def screen(self) -> str:
        """What is on the screen."""
        return self._tmux("capture-pane", "-p")

    def state(self, name: str) -> str:
        """A variable of the terminal, such as alternate_on."""
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def wait_for(self, *texts: str, gone: Sequence[str] = ()) -> str:
        """The screen, once all of `texts` and none of `gone` are on it."""
        end = time.monotonic() + PATIENCE
        while True:
            screen = self.screen
            if all(text in screen for text in texts) and not any(text in screen for text in gone):
                return screen
            assert time.monotonic() < end, f"{texts} without {gone} never came:\n{screen}"
            time.sleep(0.05)

    def _tmux(self, *words: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        done = subprocess.run(
            ["tmux", "-L", self._server, "-f", "/dev/null", *words],
            capture_output=True,
            text=True,
            check=True,
            env={**environment, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"},
        )
        return done.stdout
