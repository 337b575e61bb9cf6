"""One of a few values, all in view in one line: "auto [16] 8 8/4"."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Choice(Widget, can_focus=True):
    """Values to choose from with the arrow keys or a click. The chosen one stands in brackets."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "before", show=False),
        Binding("right,space", "step(1)", "next", show=False),
        Binding("home", "step(-1000)", "first", show=False),
        Binding("end", "step(1000)", "last", show=False),
    ]

    DEFAULT_CSS = "Choice { height: auto; width: 1fr; }"

    index = reactive(0)
    has_ring = reactive(False)

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: "Choice") -> None:
            self.choice = choice
            super().__init__()

        @property
        def control(self) -> "Choice":
            return self.choice

    def __init__(self, values: Sequence[str], value: str | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.values = tuple(values)
        with self.prevent(self.Changed):
            self.index = self.values.index(value) if value in self.values else 0

    @property
    def value(self) -> str:
        return self.values[self.index]

    @value.setter
    def value(self, value: str) -> None:
        self.index = self.values.index(value)

    def validate_index(self, index: int) -> int:
        return max(0, min(index, len(self.values) - 1))

    def watch_index(self) -> None:
        self.post_message(self.Changed(self))

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.has_ring = has_focus

    def action_step(self, by: int) -> None:
        if by == 1 and self.index == len(self.values) - 1:
            by = -1000  # round: one key alone reaches every value
        self.index += by

    def on_click(self, event: events.Click) -> None:
        at = 0
        for index, label in enumerate(self._labels()):
            if at <= event.x < at + len(label):
                self.index = index
            at += len(label)

    def render(self) -> Content:
        chosen = "reverse" if self.has_ring else "bold"
        return Content.assemble(
            *((label, chosen if index == self.index else "") for index, label in enumerate(self._labels()))
        )

    def _labels(self) -> list[str]:
        return [
            f"[{value}]" if index == self.index else f" {value} " for index, value in enumerate(self.values)
        ]
