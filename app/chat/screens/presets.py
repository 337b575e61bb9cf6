"""Options of chats under names: load, save and remove them."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static

from app.chat.options import Options
from app.chat.screens.confirm import Confirm
from app.chat.screens.dialog import Dialog
from app.chat.screens.rows import Draw, Rows
from app.chat.screens.text import fitted, line
from app.chat.store.records import Preset

if TYPE_CHECKING:
    from app.chat.store import Store

LONGEST_NAME = 60
NAME_WIDTH = 24


class Presets(Dialog[Preset | None]):
    """The result is the preset to load; `options` are those that are saved under a new name."""

    HEADING = "Presets"
    HINT = "enter load   s save these settings   x remove   esc close"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "save_as", "save", show=False),
        Binding("x,delete", "remove", "remove", show=False),
    ]

    DEFAULT_CSS = """
    Presets {
        & > #box { height: 60%; }
        &.-narrow > #box { height: 90%; }
    }
    """

    def __init__(self, store: "Store", options: Options) -> None:
        super().__init__()
        self._store, self._options = store, options
        self._presets: Sequence[Preset] = ()

    def body(self) -> Iterable[Widget]:
        yield Rows()
        yield Static(id="empty", classes="note", markup=False)
        yield Input(
            placeholder="save these settings under a name", compact=True, id="name", max_length=LONGEST_NAME
        )
        yield Horizontal(
            Button("Load", id="load", compact=True),
            Button("Save", id="save", compact=True),
            Button("Remove", id="remove", compact=True),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self._refill()
        self.query_one(Rows if self._presets else Input).focus()

    def on_option_list_option_selected(self, _: OptionList.OptionSelected) -> None:
        self.dismiss(self._highlighted)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "load":
                self.dismiss(self._highlighted)
            case "save":
                self._save()
            case _:
                self.action_remove()

    def on_input_submitted(self) -> None:
        self._save()

    def action_save_as(self) -> None:
        self.query_one(Input).focus()

    def action_remove(self) -> None:
        if (preset := self._highlighted) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes and self.attempt(lambda: self._store.remove_preset(preset.id)):
                self._refill()

        self.app.push_screen(Confirm(f"Remove the preset “{preset.name}”?", "Remove"), answered)

    def _save(self) -> None:
        name = line(self.query_one(Input).value)
        if not name:
            self.tell("the name is empty; type one")
            self.query_one(Input).focus()
            return
        if any(preset.name == name for preset in self._presets):

            def answered(yes: bool | None) -> None:
                if yes:
                    self._store_as(name)

            self.app.push_screen(Confirm(f"Replace the preset “{name}”?", "Replace"), answered)
            return
        self._store_as(name)

    def _store_as(self, name: str) -> None:
        if self.attempt(lambda: self._store.save_preset(name, self._options)):
            self.query_one(Input).value = ""
            self._refill(name)
            self.query_one(Rows).focus()

    @property
    def _highlighted(self) -> Preset | None:
        index = self.query_one(Rows).highlighted
        return None if index is None or index >= len(self._presets) else self._presets[index]

    def _refill(self, name: str = "") -> None:
        """Lists the presets; `name` is highlighted, else the first."""
        self._presets = self._store.presets()
        names = [preset.name for preset in self._presets]
        self.query_one(Rows).show(
            [_row(preset) for preset in self._presets], names.index(name) if name in names else 0
        )
        self.query_one("#empty", Static).update("" if self._presets else "no presets yet")
        for button in self.query(Button):
            button.disabled = not self._presets and button.id != "save"


def _row(preset: Preset) -> Draw:
    def draw(width: int) -> Content:
        name = fitted(preset.name, NAME_WIDTH)
        return Content.assemble((name, "bold"), " ", fitted(_summary(preset.options), width - NAME_WIDTH - 1))

    return draw


def _summary(options: Options) -> str:
    """What a preset sets, in one line."""
    parts = [options.setup.name]
    parts += [f"{name.replace('_', ' ')} {value}" for name, value in options.sampling.items()]
    if options.context:
        parts.append(f"context {options.context:,}")
    if options.system:
        parts.append(f"“{line(options.system)}”")
    return " · ".join(parts)
