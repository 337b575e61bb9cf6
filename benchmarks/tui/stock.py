"""The peer: a chat in fifty lines that lets Textual's own Markdown stream draw the answer.

python -m benchmarks.tui.stock KIND RATE
"""

import asyncio
import sys
import time

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, Markdown

from benchmarks.tui.text import tokens

FLUSH = 0.05  # seconds; the stream gets what has come, as Textual advises
LONGEST = 20_000  # tokens


class StockChat(App[None]):
    """One answer to whatever is entered."""

    BINDINGS = [("ctrl+q", "quit", "Quit")]  # noqa: RUF012

    def __init__(self, kind: str, rate: float) -> None:
        super().__init__()
        self._tokens, self._rate = tokens(kind, LONGEST), rate

    def compose(self) -> ComposeResult:
        yield VerticalScroll()
        yield Input(placeholder="ask")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    async def on_input_submitted(self) -> None:
        self.query_one(Input).value = ""
        answer = Markdown()
        scroll = self.query_one(VerticalScroll)
        await scroll.mount(answer)
        scroll.anchor()
        self.run_worker(self._stream(answer))

    async def _stream(self, answer: Markdown) -> None:
        stream = Markdown.get_stream(answer)
        began, written = time.perf_counter(), 0
        while written < len(self._tokens):
            await asyncio.sleep(FLUSH)
            come = int((time.perf_counter() - began) * self._rate)
            await stream.write("".join(self._tokens[written:come]))
            written = come
        await stream.stop()


if __name__ == "__main__":
    StockChat(sys.argv[1], float(sys.argv[2])).run()
