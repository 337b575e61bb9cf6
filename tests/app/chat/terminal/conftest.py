"""The chat on a pseudo-terminal, under its supervisor as people start it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat.store import Store
from app.chat.store.records import Message
from benchmarks.tui.terminal import Terminal

ROOT = Path(__file__).resolve().parents[4]

PROMPT = "Ask something"
CTRL_Q = b"\x11"

CHILD = "from tests.app.chat.terminal.streaming_chat import main; sys.exit(main(*sys.argv[1:]))"


class Streaming:
    """A chat whose engine counts, on a file of its own."""

    def __init__(self, folder: Path, rate: float = 100.0) -> None:
        self.chats, self.log, self._rate = folder / "chats.sqlite", folder / "log", rate

    def start(self, *under: str) -> Terminal:
        """The program with its prompt ready, as the arguments of another if one is given."""
        supervise = (
            "import sys; from app.chat.supervisor import supervise; sys.exit(supervise(*eval(sys.argv[1])))"
        )
        call = (CHILD, [str(self.chats), str(self.log), str(self._rate)])
        terminal = Terminal([*under, sys.executable, "-c", supervise, repr(call)], (80, 24), cwd=ROOT)
        terminal.wait_for(PROMPT)
        return terminal

    def ask(self, terminal: Terminal) -> None:
        """Asks something; returns when the answer is being written."""
        terminal.write("count")
        terminal.drain(0.3)
        since = len(terminal.output)
        terminal.write("\r")
        terminal.wait_for("7 8", since=since)

    def produced(self) -> list[tuple[float, str]]:
        """When each token was made, and the token."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [(float(when), number) for when, number in lines]

    def answer(self) -> Message:
        """The last message, as the store has it once it is opened again."""
        return self._message(-1)

    def question(self) -> Message:
        """The message before."""
        return self._message(-2)

    def _message(self, place: int) -> Message:
        with Store.open(self.chats) as store:
            chat = store.last_chat()
            assert chat is not None
            return store.message(store.path(chat.id)[place].id)


@pytest.fixture
def streaming(tmp_path: Path) -> Streaming:
    return Streaming(tmp_path)


@pytest.fixture
def terminal(streaming: Streaming) -> Iterator[Terminal]:
    """The chat, started."""
    with streaming.start() as started:
        yield started
