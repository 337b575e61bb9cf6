"""The line that says what the model is doing."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static


class StatusLine(Static):
    """Model and state, then a hint where there is one, else speed and tokens in context."""

    model: reactive[str] = reactive("")
    state: reactive[str] = reactive("")
    hint: reactive[str] = reactive("")
    tokens_per_second: reactive[float] = reactive(0.0)
    context_tokens: reactive[int] = reactive(0)

    def render(self) -> Content:
        parts = [self.model, self.state]
        if self.hint:
            parts.append(self.hint)
        elif self.context_tokens:
            parts.append(f"{self.tokens_per_second:,.0f} tok/s")
            parts.append(f"{self.context_tokens:,} tokens in context")
        return Content(" · ".join(parts))

    def forget(self) -> None:
        """Drops the numbers of the last answer."""
        self.tokens_per_second = 0.0
        self.context_tokens = 0
