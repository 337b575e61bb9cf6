"""Keys that come in one burst, as they do over a slow line, do what they would have done one by one."""

import pytest

from benchmarks.tui.terminal import Terminal
from tests.app.chat.terminal.conftest import CTRL_Q, Streaming

BACKSPACE, LINE_START, DELETE_LINE, LEFT = "\x7f", "\x01", "\x15", "\x1b[D"


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (f"abc{BACKSPACE}{BACKSPACE}xyz", "axyz"),
        (f"world{LINE_START}hello ", "hello world"),
        (f"wrong{DELETE_LINE}right", "right"),
        (f"ac{LEFT}b", "abc"),
    ],
)
def test_letters_never_overtake_the_keys_before_them(
    streaming: Streaming, terminal: Terminal, keys: str, text: str
) -> None:
    terminal.drain(0.3)
    terminal.write(f"{keys}\r")
    terminal.wait_for("7 8")
    terminal.write(CTRL_Q)
    terminal.wait()
    assert streaming.question().content == text
