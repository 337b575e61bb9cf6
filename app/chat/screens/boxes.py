"""The boxes that open over the main screen, and what becomes of their results."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual.app import SuspendNotSupported
from textual.screen import Screen
from textual.widgets import Input

from app.chat.options import Setup
from app.chat.store.records import Template
from qwen2_mlx.errors import Qwen2Error

if TYPE_CHECKING:
    from app.chat.screens.main import MainScreen


class Boxes:
    """Opens boxes. Each is imported when it is first opened: the first frame needs none."""

    def __init__(self, screen: "MainScreen") -> None:
        self._screen = screen
        self._session = screen.session

    def switch(self, words: str = "") -> None:
        """Finds a chat, by words if there are any."""
        from app.chat.screens.switcher import Switcher

        def chosen(choice: tuple[int, int | None, str] | None) -> None:
            if choice is not None:
                self._screen.open_chat(*choice)

        self._screen.save_draft()
        current = self._session.chat.id if self._session.chat else None
        switcher = Switcher(self._session.store, current)
        self._screen.app.push_screen(switcher, chosen)
        if words:
            switcher.call_after_refresh(lambda: setattr(switcher.query_one(Input), "value", words))

    def models(self) -> None:
        """Chooses a model."""
        from app.chat.screens.models import Models

        def chosen(setup: Setup | Literal["unload"] | None) -> None:
            if setup == "unload":
                self._session.unload()
            elif setup is not None:
                self._screen.guarded(self._session.load, setup)

        used = {chat.options.setup.model for chat in self._session.store.chats(limit=50)}
        self._screen.app.push_screen(Models(self._session, sorted(used)), chosen)

    def settings(self) -> None:
        """Changes how this chat answers."""
        from app.chat.screens.chat_settings import ChatSettings

        def chosen(options: object) -> None:
            if options is not None:
                self._screen.guarded(self._session.update_options, options)

        session, usual = self._session, self._screen.config.options()
        self._screen.app.push_screen(ChatSettings(session.options, session, session.store, usual), chosen)

    def presets(self) -> None:
        """Loads or saves options under a name."""
        from app.chat.screens.presets import Presets

        def chosen(preset: object) -> None:
            if preset is not None:
                self._screen.guarded(self._session.update_options, preset.options)  # type: ignore[attr-defined]

        self._screen.app.push_screen(Presets(self._session.store, self._session.options), chosen)

    def templates(self) -> None:
        """Puts a stored text into the prompt."""
        from app.chat.screens.templates import Templates

        def chosen(template: Template | None) -> None:
            if template is not None:
                self._screen.prompt.write(template.body + self._screen.prompt.text)
                self._screen.prompt.focus()

        self._screen.app.push_screen(Templates(self._session.store), chosen)

    def export(self) -> None:
        """Writes this chat to a file."""
        from app.chat.screens.export import Export

        def chosen(path: Path | None) -> None:
            if path is not None:
                self._screen.say(f"exported to {path}")

        if self._session.chat is None:
            self._screen.say("there is nothing to export yet", "warning")
        else:
            self._screen.app.push_screen(Export(self._session.chat_store, self._session.chat), chosen)

    def import_chats(self) -> None:
        """Reads chats from a file and opens the first."""
        from app.chat.screens.export import ImportChats

        def chosen(chat: int | None) -> None:
            if chat is not None:
                self._screen.open_chat(chat)

        self._screen.app.push_screen(ImportChats(self._session.store), chosen)

    def trash(self) -> None:
        """Restores what was deleted."""
        from app.chat.screens.trash import Trash

        def chosen(changed: bool | None) -> None:
            if changed:
                self._screen.guarded(self._session.reread)

        self._screen.app.push_screen(Trash(self._session.store), chosen)

    def branches(self) -> None:
        """Shows the tree of this chat."""
        from app.chat.screens.branches import Branches

        def chosen(message: int | None) -> None:
            if message is not None:
                self._screen.guarded(self._session.select, message)

        chat = self._session.chat
        if chat is None:
            self._screen.say("this chat has no branches yet", "warning")
        else:
            self._screen.app.push_screen(Branches(self._session.chat_store, chat.id, chat.head), chosen)

    def help(self) -> None:
        """All keys and commands."""
        from app.chat.screens.help import Help

        self._screen.app.push_screen(Help(self._screen.config.keymap, self._session.store.templates()))

    def themes(self) -> None:
        """Chooses the colours, seen at once."""
        self._screen.app.search_themes()

    # Documents.

    def attach(self) -> None:
        """Finds a file to attach."""
        from app.chat.screens.attach import Attach

        def chosen(name: str | None) -> None:
            if name is not None:
                self._screen.commands.attach(name)

        self._screen.app.push_screen(Attach(Path.cwd()), chosen)

    def open_citation(self, message: int, number: int) -> None:
        """Reads the page that a citation stands on."""
        citations = self._session.message(message).citations
        cited = next((each for each in citations if each.number == number), None)
        if cited is None:
            self._screen.say("this quote is not known any more", "warning")
        else:
            self.open_page(cited.file, cited.start, cited.end, cited.quote)

    def open_page(self, file: int, start: int, end: int, quote: str = "") -> None:
        """Reads a page of a document."""
        from app.chat.screens.reader import Reader

        reader: Screen[None] = Reader(self._session.library, file, start, end, quote)
        self._screen.app.push_screen(reader)

    def document_at(self, pasted: str) -> str | None:
        """The file that a pasted text names, if it is one whose text can be read."""
        text = pasted.strip()
        if not text or "\n" in text or len(text) > 4096:
            return None
        from app.ask.documents.kinds import SUFFIXES
        from app.chat.documents.names import path_of

        try:
            path = path_of(text)
            return str(path) if path.suffix.lower() in SUFFIXES and path.is_file() else None
        except (Qwen2Error, OSError, ValueError):
            return None

    # Outside.

    def edit_outside(self) -> None:
        """Writes the prompt in the reader's editor, which has the terminal meanwhile."""
        from app.chat.editor import edit

        prompt = self._screen.prompt
        try:
            with self._screen.app.suspend():
                text = edit(prompt.text, self._screen.config.editor)
        except SuspendNotSupported:
            self._screen.say("this terminal cannot be handed to an editor", "warning")
        except Qwen2Error as error:
            self._screen.say(str(error), "error")
        else:
            prompt.write(text)
        self._screen.app.refresh(repaint=True)
