"""The list over the prompt from which what is being typed can be completed."""

from collections.abc import Sequence

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from app.chat.completion import Candidate
from app.chat.screens.text import fitted

ROWS = 8
LABEL_WIDTH = 24


class PromptMenu(Static):
    """Shows candidates, the chosen one reversed; the prompt moves the choice, so this takes no focus."""

    DEFAULT_CSS = """
    PromptMenu {
        display: none;
        height: auto;
        margin: 0 1;
        padding: 0 1;
        background: $panel;
    }
    """

    chosen: reactive[int] = reactive(0, layout=True)

    def __init__(self) -> None:
        super().__init__(markup=False)
        self._candidates: Sequence[Candidate] = ()

    def show(self, candidates: Sequence[Candidate]) -> None:
        """Offers these; none hide the list."""
        if candidates != self._candidates:
            self._candidates, self.chosen = candidates, 0
            self.display = bool(candidates)
            self.refresh(layout=True)

    @property
    def candidate(self) -> Candidate | None:
        """The chosen one."""
        return self._candidates[self.chosen] if self._candidates else None

    def move(self, step: int) -> None:
        """Chooses another; from the last the first follows."""
        if self._candidates:
            self.chosen = (self.chosen + step) % len(self._candidates)

    def render(self) -> Content:
        width = max(20, self.size.width or 80)
        first = max(0, min(self.chosen - ROWS // 2, len(self._candidates) - ROWS))
        labels = min(width, max((len(each.label) for each in self._candidates), default=0) + 2)
        labels = max(labels, LABEL_WIDTH) if any(each.hint for each in self._candidates) else width
        rows: list[Content] = []
        for index, each in enumerate(self._candidates[first : first + ROWS], first):
            row = Content(fitted(each.label, labels)) + Content.styled(
                fitted(each.hint, width - labels), "dim"
            )
            rows.append(row.stylize("reverse") if index == self.chosen else row)
        return Content("\n").join(rows)
