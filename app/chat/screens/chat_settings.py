"""How one chat answers: its system prompt, sampling, context, memory and documents."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Static

from app import cli
from app.chat.options import Options
from app.chat.screens import fields
from app.chat.screens.dialog import Dialog
from app.chat.screens.field_rows import MARK, AreaRow, FieldRow, Row, SelectionRow
from app.chat.screens.presets import Presets
from app.chat.store.records import Preset

if TYPE_CHECKING:
    from app.chat.engine.messages import ModelInfo
    from app.chat.store import Store


class HasModel(Protocol):
    """The part of a session this screen looks at."""

    @property
    def model(self) -> "ModelInfo | None": ...


class ChatSettings(Dialog[Options | None]):
    """The result is the options as they were changed. What differs from `usual` is marked."""

    HEADING = "Settings of this chat"
    AUTO_FOCUS = "#row-temperature Input"
    HINT = f"tab next   enter, ctrl+s apply   f5 presets   esc close   {MARK} not the default"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "apply", "apply", show=False, priority=True),
        Binding("f5", "presets", "presets", show=False, priority=True),
    ]

    DEFAULT_CSS = """
    ChatSettings {
        & > #box { height: 100%; max-height: 40; }
        #rows { height: 1fr; scrollbar-size-vertical: 1; }
        .section { text-style: bold; margin-top: 1; }
    }
    """

    def __init__(
        self, options: Options, session: HasModel, store: "Store", usual: Options | None = None
    ) -> None:
        super().__init__()
        self._options, self._session, self._store = options, session, store
        self._usual = usual or Options()
        self._base = options  # what the rows do not show comes from here: a preset brings its own

    def body(self) -> Iterable[Widget]:
        yield VerticalScroll(*self._rows(), id="rows", can_focus=False)
        yield Static(id="about", classes="note", markup=False)
        yield Horizontal(
            Button("Apply", id="apply", compact=True),
            Button("Presets", id="presets", compact=True),
            Button("Defaults", id="defaults", compact=True),
            classes="buttons",
        )

    def _rows(self) -> Iterable[Widget]:
        values, usual = _values(self._options), _values(self._usual)

        def field(field: fields.Field) -> FieldRow:
            return FieldRow(field, usual[field.name], values[field.name])

        def selection(selection: fields.Selection) -> SelectionRow:
            return SelectionRow(selection, usual[selection.name], values[selection.name])

        yield AreaRow(
            "system", "system prompt", usual["system"], values["system"], cli.text, str, "the model's own"
        )
        yield Static("Sampling: what is empty comes from the model", classes="section", markup=False)
        yield from (field(each) for each in fields.SAMPLING)
        stop = AreaRow(
            "stop",
            "stop strings",
            usual["stop"],
            values["stop"],
            fields.stop_strings,
            fields.stop_text,
            "one in each line; \\n is a line break",
        )
        stop.add_class("-short")
        yield stop
        yield Static("Context and memory", classes="section", markup=False)
        yield field(fields.CONTEXT)
        yield selection(fields.ROPE)
        yield selection(fields.KV_BITS)
        yield field(fields.MEMORY)
        yield Static("Questions about documents", classes="section", markup=False)
        yield selection(fields.MODE)
        yield field(fields.MAX_TIME)

    def on_mount(self) -> None:
        self.query_one("#rows").scroll_home(animate=False)
        self._say_what_follows()

    def on_row_changed(self) -> None:
        self._say_what_follows()

    def on_input_submitted(self) -> None:
        self.action_apply()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        getattr(self, f"action_{event.button.id}")()

    def action_apply(self) -> None:
        if wrong := self._wrong():
            wrong[0].query("Input, TextArea").first().focus()
            self.tell("something is not right; see the line with !")
            return
        self.dismiss(self._read())

    def action_defaults(self) -> None:
        """Everything as in an untouched chat, but with this model."""
        setup = replace(self._usual.setup, model=self._base.setup.model)
        self._show(replace(self._usual, setup=setup))

    def action_presets(self) -> None:
        if not self._wrong():
            self.app.push_screen(Presets(self._store, self._read()), self._load)
        else:
            self.tell("put right what is marked with ! first")

    def _load(self, preset: Preset | None) -> None:
        if preset is not None:
            self._show(preset.options)

    def _wrong(self) -> list[Row]:
        """The rows whose values are none; each of them says so."""
        return [row for row in self.query(Row) if not row.judge()]

    def _show(self, options: Options) -> None:
        self._base = options
        values = _values(options)
        for row in self.query(Row):
            row.write(values[row.key])
        self._say_what_follows()

    def _read(self) -> Options:
        """The options that stand in the rows, all of which must be right."""
        values = {row.key: row.read() for row in self.query(Row)}
        base = self._base
        shown = {field.name for field in fields.SAMPLING} | {"stop"}
        sampling = {name: value for name, value in base.sampling.items() if name not in shown}
        sampling |= {name: values[name] for name in sorted(shown) if values[name] is not None}
        setup = replace(
            base.setup,
            rope=values["rope"],
            kv_bits=values["kv_bits"],
            memory_limit=values["memory_limit"],
        )
        return replace(
            base,
            setup=setup,
            system=values["system"],
            sampling=sampling,
            context=values["context"],
            mode=values["mode"],
            max_time=values["max_time"],
        )

    def _say_what_follows(self) -> None:
        """What applying costs, and what is known about such a context."""
        told = ""
        if not self._wrong():
            self.tell("")
            told = " ".join(filter(None, (self._reload(), self._past_proven())))
        self.query_one("#about", Static).update(told)

    def _reload(self) -> str:
        setup, now = self._read().setup, self._options.setup
        if setup == now:
            return ""
        if setup.model != now.model:
            return f"Applying loads {setup.name}."
        return "Applying loads the model again: positions and memory are set when it is opened."

    def _past_proven(self) -> str:
        model, context = self._session.model, self._read().context
        if model is None or context is None or context <= model.proven_length:
            return ""
        return (
            f"Models of this size were shown to find facts up to {model.proven_length:,} tokens,"
            " not beyond; check such answers."
        )


def _values(options: Options) -> dict[str, Any]:
    """The value of each row."""
    stop = options.sampling.get("stop")
    return {
        "system": options.system,
        **{field.name: options.sampling.get(field.name) for field in fields.SAMPLING},
        "stop": [str(each) for each in stop] if isinstance(stop, list | tuple) else [stop] if stop else None,
        "context": options.context,
        "rope": options.setup.rope,
        "kv_bits": options.setup.kv_bits,
        "memory_limit": options.setup.memory_limit,
        "mode": options.mode,
        "max_time": options.max_time,
    }
