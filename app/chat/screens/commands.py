"""What is called by name, in the prompt and in the palette; see `app.chat.slash`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from app.ask.answer import Mode
from app.chat.screens.text import line
from app.chat.slash import Slash

if TYPE_CHECKING:
    from app.chat.screens.main import MainScreen


class Commands:
    """One method for each command, given what stood behind its name."""

    def __init__(self, screen: "MainScreen") -> None:
        self._screen = screen
        self._session = screen.session
        #: What can be chosen from behind a command, by the name in `Slash.choices`.
        self.choices: Mapping[str, Callable[[], Iterable[str]]] = {
            "themes": lambda: sorted(screen.app.available_themes),
            "modes": lambda: get_args(Mode),
            "models": self._models,
            "documents": lambda: [item.name for item in self._session.documents.items],
        }

    def run(self, command: Slash, argument: str) -> None:
        """Carries a command out."""
        name = command.name.replace("-", "_")
        do = getattr(self, f"{name}_" if name in ("import", "continue") else name)
        self._screen.guarded(do, argument)

    # Chats.

    def new(self, _: str) -> None:
        self._screen.action_new_chat()

    def chats(self, words: str) -> None:
        self._screen.boxes.switch(words)

    def rename(self, title: str) -> None:
        if (chat := self._stored_chat()) is not None:
            self._session.rename(chat, title)

    def pin(self, _: str) -> None:
        if (chat := self._session.chat) is None:
            self._stored_chat()
        else:
            self._session.pin(chat.id, not chat.pinned)
            self._screen.say("not pinned any more" if chat.pinned else "pinned")

    def archive(self, _: str) -> None:
        if (chat := self._session.chat) is None:
            self._stored_chat()
        else:
            self._session.archive(chat.id, not chat.archived)
            self._screen.say("back in the list" if chat.archived else "archived; /archived lists such chats")

    def archived(self, _: str) -> None:
        chats = self._screen.chats
        if not chats.display:
            self._screen.action_toggle_list()
        chats.show_archived(not chats.archived)

    def duplicate(self, _: str) -> None:
        if self._stored_chat() is not None:
            self._session.duplicate_chat()

    def delete(self, _: str) -> None:
        if (chat := self._stored_chat()) is not None:
            self.delete_chat(chat)

    def delete_chat(self, chat: int) -> None:
        """Moves any chat to the trash."""
        self._screen.guarded(self._session.delete_chat, chat)
        self._screen.say("moved to the trash; /restore brings it back")

    def restore(self, _: str) -> None:
        if not self._session.undo_delete_chat():
            self._screen.say("no chat was deleted just now; /trash holds the others", "warning")

    def trash(self, _: str) -> None:
        self._screen.boxes.trash()

    def export(self, _: str) -> None:
        self._screen.boxes.export()

    def import_(self, _: str) -> None:
        self._screen.boxes.import_chats()

    def list(self, _: str) -> None:
        self._screen.action_toggle_list()

    # How it answers.

    def system(self, text: str) -> None:
        self._session.update_options(replace(self._session.options, system=text or None))
        self._screen.say("the system prompt is set" if text else "the model's own system prompt is used")

    def settings(self, _: str) -> None:
        self._screen.boxes.settings()

    def presets(self, _: str) -> None:
        self._screen.boxes.presets()

    def templates(self, _: str) -> None:
        self._screen.boxes.templates()

    def model(self, name: str) -> None:
        if name:
            self._session.load(replace(self._session.options.setup, model=name))
        else:
            self._screen.boxes.models()

    def unload(self, _: str) -> None:
        self._session.unload()

    # Documents.

    def attach(self, name: str) -> None:
        if name:
            self._screen.guarded(self._session.attach, name)
        else:
            self._screen.boxes.attach()

    def detach(self, name: str) -> None:
        items = self._session.documents.items
        matching = [item for item in items if line(item.name) == name] or list(items[:1] if not name else ())
        if len(matching) != 1 or (not name and len(items) > 1):
            names = ", ".join(line(item.name) for item in items)
            self._screen.say(f"which one? {names}" if names else "no document is attached", "warning")
            return
        item = matching[0]
        self._session.detach(item.key if item.file is None else item.file)

    def mode(self, name: str) -> None:
        modes = get_args(Mode)
        if name not in modes:
            self._screen.say(f"there is no such mode; choose of {', '.join(modes)}", "warning")
            return
        self._session.update_options(replace(self._session.options, mode=name))
        self._screen.say(f"documents are read in mode {name}")

    # The conversation.

    def retry(self, _: str) -> None:
        self._screen.action_retry()

    def continue_(self, _: str) -> None:
        path = self._session.path
        if path and path[-1].role == "assistant":
            self._session.resume(path[-1].id)
        else:
            self._screen.say("there is no answer to go on with", "warning")

    def undo(self, _: str) -> None:
        self._session.undo()

    def branches(self, _: str) -> None:
        self._screen.boxes.branches()

    def find(self, words: str) -> None:
        self._screen.find(words)

    # The program.

    def theme(self, name: str) -> None:
        if not name:
            self._screen.boxes.themes()
        elif name in self._screen.app.available_themes:
            self._screen.app.theme = name
        else:
            self._screen.say("there is no such theme; a blank behind /theme lists them", "warning")

    def stats(self, _: str) -> None:
        self._screen.say(self._screen.showing.stats_text())

    def help(self, _: str) -> None:
        self._screen.boxes.help()

    def quit(self, _: str) -> None:
        self._screen.call_later(self._screen.app.action_quit)

    def _stored_chat(self) -> int | None:
        """The open chat; says so where nothing of it is stored yet."""
        if self._session.chat is None:
            self._screen.say("this chat is empty", "warning")
            return None
        return self._session.chat.id

    def _models(self) -> Iterable[str]:
        used = {chat.options.setup.model for chat in self._session.store.chats(limit=50)}
        return sorted(used | {"tiny", "tiny-moe", "0.5b", "1.5b", "7b", "57b-a14b", "72b"})
