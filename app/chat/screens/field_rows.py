"""Rows of a form: a mark where the value is not the usual one, a label, the value, and what is wrong."""

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from app.chat.screens.choice import Choice
from app.chat.screens.fields import Field, Selection
from app.chat.screens.text import line, safe

#: Stands before a value that is not the usual one.
MARK = "*"


class Row(Vertical):
    """One value. `usual` is the value of an untouched chat."""

    DEFAULT_CSS = """
    Row {
        height: auto;
        & > Horizontal { height: auto; }
        .row-label { width: 19; color: $text-muted; }
        .row-help { width: auto; color: $text-muted; padding-left: 1; }
        .row-problem { color: $text-error; height: auto; padding-left: 2; display: none; }
        .row-problem.-told { display: block; }
        &:focus-within .row-label { color: $foreground; text-style: bold; }
    }
    """

    class Changed(Message):
        """The value of `row` may be another now."""

        def __init__(self, row: "Row") -> None:
            self.row = row
            super().__init__()

    def __init__(self, name: str, label: str, usual: Any) -> None:
        super().__init__(id=f"row-{name}")
        self.key, self.label, self.usual = name, label, usual

    def compose(self) -> ComposeResult:
        yield Horizontal(Static(classes="row-label", markup=False), *self.editor())
        yield Static(classes="row-problem", markup=False)

    def editor(self) -> Iterable[Widget]:
        return ()

    def on_mount(self) -> None:
        self.judge()

    def read(self) -> Any:
        """The value; raises ArgumentTypeError where what was typed is none."""
        raise NotImplementedError

    def write(self, value: Any) -> None:
        """Shows a value."""
        raise NotImplementedError

    def judge(self) -> bool:
        """Shows the mark and what is wrong; whether nothing is."""
        problem, differs = "", True
        try:
            differs = self.read() != self.usual
        except argparse.ArgumentTypeError as error:
            problem = line(f"{self.label} {error}")
        mark = MARK if differs else " "
        self.query_one(".row-label", Static).update(Content(f"{mark} {self.label}"))
        told = self.query_one(".row-problem", Static)
        told.update(f"! {problem}" if problem else "")
        told.set_class(bool(problem), "-told")
        return not problem

    def changed(self) -> None:
        self.judge()
        self.post_message(self.Changed(self))


class FieldRow(Row):
    """A value of one line; empty is None."""

    DEFAULT_CSS = "FieldRow Input { width: 16; }"

    def __init__(self, field: Field, usual: Any, value: Any) -> None:
        super().__init__(field.name, field.label, usual)
        self._field, self._first = field, value

    def editor(self) -> Iterable[Widget]:
        text, empty = self._text(self._first), self._field.empty
        yield Input(text, empty, compact=True, select_on_focus=False)
        yield Static(self._field.help, classes="row-help", markup=False)

    def on_input_changed(self) -> None:
        self.changed()

    def read(self) -> Any:
        text = self.query_one(Input).value.strip()
        return self._field.parse(text) if text else None

    def write(self, value: Any) -> None:
        self.query_one(Input).value = self._text(value)

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        try:
            return line(self._field.text(value))
        except (TypeError, ValueError):  # a stored value of another kind: shown, and told to be none
            return line(str(value))


class AreaRow(Row):
    """A value of several lines; empty is None."""

    DEFAULT_CSS = """
    AreaRow TextArea { height: 3; border: none; padding: 0; }
    AreaRow.-short TextArea { height: 2; }
    """

    def __init__(
        self,
        name: str,
        label: str,
        usual: Any,
        value: Any,
        parse: Callable[[str], Any],
        text: Callable[[Any], str],
        placeholder: str,
    ) -> None:
        super().__init__(name, label, usual)
        self._first, self._parse, self._text, self._placeholder = value, parse, text, placeholder

    def editor(self) -> Iterable[Widget]:
        yield TextArea(self._shown(self._first), compact=True, placeholder=self._placeholder)

    def on_text_area_changed(self) -> None:
        self.changed()

    def read(self) -> Any:
        text = self.query_one(TextArea).text
        return self._parse(text) if text.strip() else None

    def write(self, value: Any) -> None:
        self.query_one(TextArea).text = self._shown(value)

    def _shown(self, value: Any) -> str:
        return "" if value is None else safe(self._text(value))


class SelectionRow(Row):
    """One of a few values."""

    def __init__(self, selection: Selection, usual: str, value: Any) -> None:
        super().__init__(selection.name, selection.label, usual)
        self._choice = Choice(selection.values, value)

    def editor(self) -> Iterable[Widget]:
        yield self._choice

    def on_choice_changed(self) -> None:
        self.changed()

    def read(self) -> str:
        return self._choice.value

    def write(self, value: Any) -> None:
        self._choice.value = value if value in self._choice.values else self._choice.values[0]
