"""A chat as a file, and chats back from one."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from app.chat.screens.choice import Choice
from app.chat.screens.dialog import Dialog
from app.chat.screens.new_file import file_name, free_path, path_of, write_new
from app.chat.screens.text import line
from app.chat.store.records import Chat
from qwen2_mlx.errors import Qwen2Error, first_line
from qwen2_mlx.memory.limit import size_text

if TYPE_CHECKING:
    from app.chat.store import Store

Kind = Literal["markdown", "json", "html"]

KINDS: dict[str, Kind] = {"Markdown": "markdown", "JSON": "json", "HTML": "html"}
ENDINGS: dict[Kind, str] = {"markdown": ".md", "json": ".json", "html": ".html"}
EVERY_BRANCH = "every branch"
BRANCHES = ("the branch that is shown", EVERY_BRANCH)

#: Bytes of a file that is read to import it; a chat of 10,000 messages has some ten million.
LARGEST_IMPORT = 500_000_000


class Export(Dialog[Path | None]):
    """Saves `chat` under a name that does not exist yet; the result is the file."""

    HEADING = "Export this chat"
    HINT = "left, right choose   tab next   enter, ctrl+s save   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "save", "save", show=False, priority=True)]

    DEFAULT_CSS = """
    Export {
        & > #box { width: 80; max-width: 100%; }
        #box > * { margin-bottom: 1; }
        #box > #hint, #box > .label { margin-bottom: 0; }
    }
    """

    def __init__(self, store: "Store", chat: Chat, folder: Path | None = None) -> None:
        super().__init__()
        self._store, self._chat, self._folder = store, chat, folder or Path.cwd()
        self._name, self._suggested = file_name(chat.title), ""

    def body(self) -> Iterable[Widget]:
        yield Static(line(self._chat.title) or "untitled", classes="label", markup=False)
        yield Choice(tuple(KINDS), id="kind")
        yield Choice(BRANCHES, id="branches")
        yield Static("file", classes="label", markup=False)
        yield Input(compact=True, id="path")
        yield Horizontal(Button("Save", id="save", compact=True), classes="buttons")

    def on_mount(self) -> None:
        path = self.query_one("#path", Input)
        path.value = self._suggested = self._suggest()
        path.focus()

    def on_choice_changed(self) -> None:
        """Follows with the name: a new one in place of ours, of another name only the ending."""
        path = self.query_one("#path", Input)
        ending = ENDINGS[self._kind]
        if path.value == self._suggested:
            path.value = self._suggested = self._suggest()
        elif (old := Path(path.value).suffix) in ENDINGS.values() and old != ending:
            path.value = path.value.removesuffix(old) + ending
        self.tell("")

    def on_input_changed(self) -> None:
        self.tell("")

    def on_input_submitted(self) -> None:
        self.action_save()

    def on_button_pressed(self) -> None:
        self.action_save()

    def action_save(self) -> None:
        from app.chat.portable import export_chat

        try:
            path = self._folder / path_of(self.query_one("#path", Input).value)
            whole = self.query_one("#branches", Choice).value == EVERY_BRANCH
            write_new(path, export_chat(self._store, self._chat, self._kind, whole))
        except Qwen2Error as error:
            self.tell(str(error))
            self.query_one("#path").focus()
            return
        self.dismiss(path)

    @property
    def _kind(self) -> Kind:
        return KINDS[self.query_one("#kind", Choice).value]

    def _suggest(self) -> str:
        return str(free_path(self._folder / f"{self._name}{ENDINGS[self._kind]}"))


class ImportChats(Dialog[int | None]):
    """Reads chats that were exported as JSON; the result is the first of them."""

    HEADING = "Import chats"
    HINT = "enter import   esc close"

    DEFAULT_CSS = "ImportChats > #box { width: 80; max-width: 100%; }"

    def __init__(self, store: "Store", folder: Path | None = None) -> None:
        super().__init__()
        self._store, self._folder = store, folder or Path.cwd()

    def body(self) -> Iterable[Widget]:
        yield Static("a JSON file that this program exported", classes="label", markup=False)
        yield Input(placeholder="path, or drop the file here", compact=True, id="path")
        yield Horizontal(Button("Import", id="import", compact=True), classes="buttons")

    def on_input_changed(self) -> None:
        self.tell("")

    def on_input_submitted(self) -> None:
        self._import()

    def on_button_pressed(self) -> None:
        self._import()

    def _import(self) -> None:
        from app.chat.portable import import_chats

        try:
            text = _read(self._folder / path_of(self.query_one(Input).value))
            chats = import_chats(self._store, text)
        except Qwen2Error as error:
            self.tell(str(error))
            return
        if not chats:
            self.tell("there are no chats in this file")
            return
        self.dismiss(chats[0].id)


def _read(path: Path) -> str:
    """The text of a file that a person chose. Raises Qwen2Error with one line."""
    try:
        if not path.is_file():  # a pipe would never end, a folder is none
            raise Qwen2Error(f"there is no file {path}; check the path")
        size = path.stat().st_size
        if size > LARGEST_IMPORT:
            limit = size_text(LARGEST_IMPORT)
            raise Qwen2Error(f"{path.name} has {size_text(size)}; at most {limit} are imported")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise Qwen2Error(f"{path.name} cannot be read: {first_line(error)}") from None
