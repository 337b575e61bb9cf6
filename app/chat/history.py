"""Earlier prompts, called back one by one; what was being written is kept meanwhile."""

from collections.abc import Callable, Sequence


class History:
    """`load` is called when somebody first looks back: the newest first, each text once."""

    def __init__(self, load: Callable[[], Sequence[str]]) -> None:
        self._load = load
        self._prompts: Sequence[str] | None = None
        self._at = -1  # of what is being written; 0 is the newest
        self._draft = ""

    def earlier(self, text: str) -> str | None:
        """What was asked before `text`, which stands in the prompt; None where nothing was."""
        if self._prompts is None:
            self._prompts = self._load()
        if self._at + 1 >= len(self._prompts):
            return None
        if self._at < 0:
            self._draft = text
        self._at += 1
        return self._prompts[self._at]

    def later(self) -> str | None:
        """What was asked after, in the end the text that was being written; None when that stands there."""
        if self._at < 0:
            return None
        self._at -= 1
        return self._draft if self._at < 0 or self._prompts is None else self._prompts[self._at]

    def forget(self) -> None:
        """Begins at the newest again, which may be another by now."""
        self._prompts, self._at, self._draft = None, -1, ""
