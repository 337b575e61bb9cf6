"""The whole chat with the bundled model in a real terminal, key by key."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.ask.documents.files import write_pdf
from tests.app.chat.terminal.tmux import Tmux

ROOT = Path(__file__).resolve().parents[4]
CHAT = f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m app.chat.command"

HOT = "--temp 50 --seed 1 --max-tokens 100000"  # answers that do not end by themselves
COLD = "--temp 0 --max-tokens 64"


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path, (120, 40))
    try:
        yield terminal
    finally:
        terminal.close()


def test_a_chat_from_the_first_word_to_an_exported_file(tmux: Tmux, tmp_path: Path) -> None:
    write_pdf(
        tmp_path / "code.pdf",
        ["The home town of Sanin Grelvo is Brinola.", "The secret code of Morvan Telun is 48213."],
    )
    start_and_stop(tmux)
    edit_into_a_branch(tmux)
    search(tmux)
    ask_a_document(tmux)
    export(tmux, tmp_path)
    quit_chat(tmux)


def start_and_stop(tmux: Tmux) -> None:
    """An answer is stopped, and what was written of it is there after the program was left."""
    tmux.run(f"{CHAT} {HOT}")
    tmux.wait_for("Ask something", "ready")
    assert tmux.state("alternate_on") == "1"
    tmux.run("Tell me everything.")
    tmux.wait_for("esc stops", "tok/s")
    tmux.keys("Escape")
    tmux.wait_for("stopped", "ready")
    quit_chat(tmux)


def edit_into_a_branch(tmux: Tmux) -> None:
    """The chat goes on where it was; its question is edited, and both versions can be seen."""
    tmux.run(f"{CHAT} -c {COLD}")
    tmux.wait_for("Ask something", "stopped", "ready")
    tmux.keys("Escape")
    tmux.keys("g")
    tmux.wait_for("Tell me everything.")
    tmux.keys("e")
    tmux.wait_for("esc leaves it as it is")
    tmux.keys("C-u")
    tmux.wait_for("Ask something", "esc leaves it as it is")
    tmux.run("Who are you?")
    tmux.wait_for("I am tiny", "2/2", "ready")
    tmux.keys("Escape", "g", "[")
    tmux.wait_for("1/2", "stopped", gone=["I am tiny"])
    tmux.keys("]")
    tmux.wait_for("2/2", "I am tiny")
    tmux.keys("b")
    tmux.wait_for("Tell me everything.", "Who are you?")
    tmux.keys("Escape")
    tmux.wait_for("I am tiny", "2/2")


def search(tmux: Tmux) -> None:
    """What stands on the other branch is found, and shown where it stands."""
    tmux.keys("C-o")
    tmux.wait_for("type to search")
    tmux.type("everything")
    tmux.wait_for("2 found", "I am tiny")  # the title, with what the chat ends with beside it
    tmux.keys("Down")
    tmux.wait_for("Tell me everything.", gone=["I am tiny"])
    tmux.keys("Enter")
    tmux.wait_for("Tell me everything.", "1/2", gone=["type to search"])


def ask_a_document(tmux: Tmux) -> None:
    """A PDF is attached and asked; the citation leads to its page."""
    tmux.keys("C-n")
    tmux.wait_for("new chat", "Everything stays on this machine")
    tmux.run("/attach code.pdf")
    tmux.wait_for("code.pdf", "2 pages")
    tmux.run("What is the secret code of Morvan Telun?")
    tmux.wait_for("48213 [1]", "ready")
    tmux.keys("Escape", "G", "o")
    page = tmux.wait_for("The secret code of Morvan Telun is 48213.", "page 2")
    assert "Brinola" not in page
    tmux.keys("Escape")
    tmux.wait_for("48213 [1]", "ready")


def export(tmux: Tmux, folder: Path) -> None:
    """The chat becomes a file."""
    tmux.keys("C-s")
    tmux.wait_for("Export")
    tmux.keys("Enter")
    tmux.wait_for("exported to")
    (file,) = folder.glob("*.md")
    assert "48213 [1]" in file.read_text(encoding="utf-8")


def quit_chat(tmux: Tmux) -> None:
    """The shell has its terminal back."""
    tmux.keys("C-q")
    tmux.wait_for("$", gone=["all commands"])
    assert tmux.state("alternate_on") == "0"
    assert tmux.state("mouse_any_flag") == "0"
    assert tmux.state("cursor_flag") == "1"
    tmux.run("echo exit code $?")
    tmux.wait_for("exit code 0")
    tmux.run("clear")
    tmux.wait_for("$", gone=["exit code"])
