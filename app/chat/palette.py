"""The command palette: everything that a key or a name can do."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from app.chat.keymap import key_text
from app.chat.keys import KEYS
from app.chat.slash import COMMANDS

if TYPE_CHECKING:
    from app.chat.screens.main import MainScreen

#: Keys that only move about; nobody looks for them by name.
MOVING = ("transcript.", "prompt.", "documents.", "palette")
#: Of those, what does more.
DOING = ("prompt.editor", "documents")

Entry = tuple[str, str, Callable[[], object]]


class ChatCommands(Provider):
    """Finds actions of the table of keys, and commands."""

    async def discover(self) -> Hits:
        for name, help, run in self._entries():
            yield DiscoveryHit(name, run, help=help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, help, run in self._entries():
            score = max(matcher.match(name), 0.6 * matcher.match(help))
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=help)

    def _entries(self) -> Iterable[Entry]:
        """A name, an explanation and what is run, for everything there is."""
        main = self._main
        for key in KEYS:
            if key.id in DOING or not key.id.startswith(MOVING):
                keys = key_text(key, main.config.keymap)
                yield key.help, keys, lambda key=key: main.run_key(key)
        for command in COMMANDS:
            yield command.label, command.help, lambda command=command: main.begin_command(command)

    @property
    def _main(self) -> "MainScreen":
        return self.app.main  # type: ignore[attr-defined]
