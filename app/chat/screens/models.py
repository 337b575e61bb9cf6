"""The models there are, whether they fit, and fetching those that are not here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, OptionList, Static

from app.chat.models.download import Fetch
from app.chat.models.fit import CONTEXTS, fit_text, proven_text
from app.chat.models.installed import Installed, installed, look_up
from app.chat.options import Options, Setup
from app.chat.screens.choice import Choice
from app.chat.screens.confirm import Confirm
from app.chat.screens.dialog import Dialog
from app.chat.screens.download_line import DownloadLine
from app.chat.screens.fields import KV_BITS, ROPE
from app.chat.screens.model_rows import Heads, model_row
from app.chat.screens.rows import Rows
from app.chat.screens.text import line
from qwen2_mlx.resolve import ALIASES

if TYPE_CHECKING:
    from app.chat.engine.messages import Fitted, ModelInfo

#: Seconds on one row before it is asked whether it fits.
SETTLED = 0.05
USUAL_CONTEXT = "32K"


class HasModels(Protocol):
    """The part of a session this screen uses. `fit` calls `reply` later, on this thread."""

    @property
    def model(self) -> "ModelInfo | None": ...

    @property
    def options(self) -> Options: ...

    def fit(self, setup: Setup, context: int, reply: "Callable[[Fitted], None]") -> None: ...


class Models(Dialog[Setup | Literal["unload"] | None]):
    """The result is what to load, or "unload". `folders` are references that were used before.

    `context` is the length that was chosen for the estimate, in tokens.
    """

    HEADING = "Models"
    HINT = "up, down   enter load, download   tab length, memory, unload   esc close"
    HINT_DOWNLOADING = "esc stops the download; what has arrived is kept"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move('cursor_up')", "before", show=False),
        Binding("down", "move('cursor_down')", "next", show=False),
        Binding("pageup", "move('page_up')", "page back", show=False),
        Binding("pagedown", "move('page_down')", "page on", show=False),
    ]

    DEFAULT_CSS = """
    Models {
        & > #box { height: 90%; }
        &.-narrow > #box { height: 100%; }
        .chooser { height: 1; }
        .chooser > Static { width: 12; color: $text-muted; }
        #fit { height: 2; }
        #proven { height: auto; }
    }
    """

    def __init__(
        self,
        session: HasModels,
        folders: Iterable[str] = (),
        *,
        cache: Path | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        super().__init__()
        self._session, self._cache, self._fetch = session, cache, fetch
        self._folders = tuple(folders)
        self._all: Sequence[Installed] = ()
        self._listed: Sequence[Installed] = ()
        self._ticket = 0
        self._fitted: Fitted | None = None
        self._ask_soon: Timer | None = None

    def body(self) -> Iterable[Widget]:
        setup = self._session.options.setup
        yield Input(placeholder="Find, or a hub id (owner/name) or a folder", compact=True)
        yield Heads()
        yield Rows(focusable=False)
        yield _chooser("length", Choice(tuple(CONTEXTS), self._first_context(), id="context"))
        yield _chooser("positions", Choice(ROPE.values, setup.rope, id="rope"))
        yield _chooser("cache bits", Choice(KV_BITS.values, setup.kv_bits, id="kv"))
        yield Static(id="fit", markup=False)
        yield Static(id="proven", classes="note", markup=False)
        yield DownloadLine(self._fetch)
        yield Horizontal(
            Button("Load", id="load", compact=True),
            Button("Unload", id="unload", compact=True, disabled=self._session.model is None),
            classes="buttons",
        )

    def on_mount(self) -> None:
        self._scan()

    @property
    def context(self) -> int:
        return CONTEXTS[self.query_one("#context", Choice).value]

    # The list.

    def _scan(self) -> None:
        """Looks for models on a thread of its own: a cache may lie on a slow disk."""

        def scan() -> None:
            found = installed(self._folders, self._cache)
            self.app.call_from_thread(self._found, found)

        self.run_worker(scan, thread=True, exclusive=True)

    def _found(self, found: Sequence[Installed]) -> None:
        if not self.is_current:  # closed meanwhile
            return
        chosen = self._highlighted
        self._all = found
        self._list(chosen.ref if chosen else self._session.options.setup.model)

    def _list(self, ref: str = "") -> None:
        """Lists what the words in the box leave, and what they name themselves; `ref` is highlighted."""
        text = self.query_one(Input).value.strip()
        words = text.casefold().split()
        listed = [model for model in self._all if all(word in model.name.casefold() for word in words)]
        known = {model.ref for model in self._all}
        if text and (named := look_up(text)) is not None and named.ref not in known:
            listed.append(named)
        self._listed = listed
        at = next((index for index, model in enumerate(listed) if _same(ref, model.ref)), 0)
        self.query_one(Rows).show([model_row(model, self._is_open(model)) for model in listed], at)
        if not listed:
            self.query_one("#fit", Static).update("no model of that name; owner/name of the hub, or a folder")
            self.query_one("#proven", Static).update("")

    def on_input_changed(self) -> None:
        self.tell("")
        self._list()

    def _is_open(self, model: Installed) -> bool:
        loaded = self._session.model
        return loaded is not None and _same(loaded.setup.model, model.ref)

    @property
    def _highlighted(self) -> Installed | None:
        index = self.query_one(Rows).highlighted
        return None if index is None or index >= len(self._listed) else self._listed[index]

    # Whether it fits.

    def on_option_list_option_highlighted(self) -> None:
        self._ask_later()

    def on_choice_changed(self) -> None:
        self._ask_later()

    def _ask_later(self) -> None:
        self._ticket += 1  # what is still on its way is about something else
        self._fitted = None
        if self._ask_soon is not None:
            self._ask_soon.stop()
        self._ask_soon = self.set_timer(SETTLED, self._ask)

    def _ask(self) -> None:
        model = self._highlighted if self.is_current else None
        if model is None:
            return
        load = self.query_one("#load", Button)
        load.label = "Load" if model.here and not model.missing else "Download"
        load.refresh(layout=True)
        self.query_one("#proven", Static).update(proven_text(model, self.context))
        if model.problem:
            self.query_one("#fit", Static).update(f"! {line(model.problem)}")
            return
        ticket = self._ticket

        def reply(told: "Fitted") -> None:
            if ticket == self._ticket and self.is_current:
                self._fitted = told
                unknown = told.fits is None and not model.here
                said = (
                    "not on this machine; what it needs is known when it is" if unknown else line(told.line)
                )
                self.query_one("#fit", Static).update(fit_text(replace(told, line=said)))

        self.query_one("#fit", Static).update(fit_text(None))
        setup, context = self._setup(model), self.context
        if setup.rope == "auto" and model.longest:  # more than the model handles is no question of memory
            context = min(context, model.longest)
        self._session.fit(setup, context, reply)

    def _setup(self, model: Installed) -> Setup:
        return replace(
            self._session.options.setup,
            model=model.ref,
            rope=self.query_one("#rope", Choice).value,
            kv_bits=self.query_one("#kv", Choice).value,
        )

    def _first_context(self) -> str:
        wanted = self._session.options.context or CONTEXTS[USUAL_CONTEXT]
        return next((name for name, count in CONTEXTS.items() if count >= wanted), "1M")

    # What is chosen.

    def action_move(self, way: str) -> None:
        getattr(self.query_one(Rows), f"action_{way}")()

    def on_input_submitted(self) -> None:
        self._choose()

    def on_option_list_option_selected(self, _: OptionList.OptionSelected) -> None:
        self._choose()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "unload":
            self.dismiss("unload")
        else:
            self._choose()

    def action_close(self) -> None:
        """Stops a download first: who closes the list while one runs means that."""
        download = self.query_one(DownloadLine)
        if download.running:
            download.stop()
        else:
            self.dismiss(None)

    def _choose(self) -> None:
        model = self._highlighted
        if model is None:
            self.tell("choose a model first")
        elif self.query_one(DownloadLine).running:
            self.tell("a download is running; esc stops it, and what has arrived is kept")
        elif model.problem:
            self.tell(model.problem)
        elif model.missing and model.is_folder:
            self.tell(f"this folder lacks {model.missing}; convert or copy the model again")
        elif not model.here or model.missing:
            self._begin_download(model)
        else:
            self._load(model)

    def _load(self, model: Installed) -> None:
        setup, told = self._setup(model), self._fitted
        if told is None or told.fits is not False or told.longest:
            self.dismiss(setup)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(setup)

        question = f"{setup.name} is too large for this memory, and the program may be ended for it."
        self.app.push_screen(Confirm(question, "Load anyway"), answered)

    # Downloads.

    def _begin_download(self, model: Installed) -> None:
        self.tell("")
        self.hint(self.HINT_DOWNLOADING)
        self.query_one(DownloadLine).begin(model.ref)

    def on_download_line_ended(self, event: DownloadLine.Ended) -> None:
        self.hint(self.HINT)
        self.tell(event.problem)
        self._scan()


def _same(ref: str, listed: str) -> bool:
    """Whether a reference, which may be an alias, is that of a listed model."""
    return ALIASES.get(ref.lower(), ref) == listed


def _chooser(label: str, choice: Choice) -> Horizontal:
    return Horizontal(Static(label, markup=False), choice, classes="chooser")
