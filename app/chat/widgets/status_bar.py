"""The line under the prompt: what is going on, and the numbers."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from app.chat.screens.text import fitted, line, span_text
from app.chat.session.changes import Progress


class StatusBar(Static):
    """What is being done and a hint on the left, speed and memory on the right."""

    DEFAULT_CSS = """
    StatusBar {
        height: 1;
        padding: 0 1;
        color: $text-muted;
        text-wrap: nowrap;
    }
    """

    state: reactive[str] = reactive("")
    hint: reactive[str] = reactive("")
    numbers: reactive[str] = reactive("")

    def __init__(self) -> None:
        super().__init__(markup=False)

    def render(self) -> Content:
        width = self.size.width
        left = " · ".join(part for part in (line(self.state), line(self.hint)) if part)
        room = width - len(self.numbers) - 2
        if room < len(left) and room < width // 2:  # what is going on goes before numbers
            return Content(fitted(left, width))
        return Content(f"{fitted(left, room)}  {self.numbers}")


def progress_text(progress: Progress) -> str:
    """Such as "reading 12,000 of 40,000 · 0:32 left"."""
    parts = [progress.stage]
    if progress.total:
        parts[0] += f" {progress.done:,} of {progress.total:,}"
    if progress.left is not None:
        parts.append(f"{span_text(progress.left)} left")
    return " · ".join(parts)


def numbers_text(tokens_per_second: float, memory: int) -> str:
    """Such as "63 tok/s  9.1 GB"; what is not known is left out."""
    digits = 0 if tokens_per_second >= 10 else 1
    speed = f"{tokens_per_second:,.{digits}f} tok/s" if tokens_per_second else ""
    return "  ".join(part for part in (speed, bytes_text(memory) if memory else "") if part)


def bytes_text(count: int) -> str:
    """Memory for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
