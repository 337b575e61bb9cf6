"""A chat of 10,000 messages: opened at its end, and searched."""

import time

from app.chat.options import Options
from app.chat.store import Store
from benchmarks.tui.measure import percentile, resident
from benchmarks.tui.report import Row
from benchmarks.tui.scenes import Programs
from benchmarks.tui.terminal import Terminal
from benchmarks.tui.text import tokens

MESSAGES = 10_000
TITLE = "The long one"
LAST = "zyzzogeton"  # the word at the end of the last message, which is nowhere else
RARE = "quetzalcoatlus"
COMMON = "harbour"
SEARCHES = 20

OPEN_SWITCHER = b"\x0f"
ESCAPE = b"\x1b"


def fill(store: Store) -> None:
    """Stores a chat of so many messages, each some 60 tokens of prose, and a small one after it."""
    chat = store.new_chat(Options(), TITLE)
    texts = ["".join(tokens("prose", 9000)[start : start + 60]) for start in range(0, 9000, 60)]
    parent = None
    for number in range(MESSAGES):
        text = texts[number % len(texts)]
        if number == MESSAGES // 2:
            text += f" {RARE}"
        if number == MESSAGES - 1:
            text += f" {LAST}"
        role = "assistant" if number % 2 else "user"
        parent = store.add_message(chat.id, parent, role, f"{number} {text}").id
    small = store.new_chat(Options(), "The small one")
    store.add_message(small.id, None, "user", "hello")


def measure_large(programs: Programs) -> list[Row]:
    """Opening and searching, in the program and in the store alone."""
    chats = programs.folder / "large.sqlite"
    with Store.open(chats) as store:
        fill(store)
        rare, common = (_search(store, words) for words in (RARE, COMMON))
    with programs.ours("prose", chats=chats) as terminal:
        before = resident(terminal.process.pid)
        opening = _open(terminal)
        terminal.drain(1.0)
        grown = resident(terminal.process.pid) - before
        found = _find(terminal)
    count = f"{MESSAGES:,} messages"
    return [
        Row(f"opening {count} at the end", "s", opening, None, 0.3),
        Row(f"memory for {count}", "MB", grown / 1e6, None, 20.0),
        Row(f"search of {count}, a rare word", "ms", 1e3 * rare, None, 50.0),
        Row(f"search of {count}, a common word", "ms", 1e3 * common, None, 50.0),
        Row("last key of a search to its hit on the screen", "ms", 1e3 * found),
    ]


def _search(store: Store, words: str) -> float:
    took = []
    for _ in range(SEARCHES):
        began = time.perf_counter()
        assert store.search(words), words
        took.append(time.perf_counter() - began)
    return percentile(took, 95)


def _open(terminal: Terminal) -> float:
    terminal.write(OPEN_SWITCHER)
    terminal.drain(1.0)
    terminal.write(TITLE)
    terminal.drain(1.5)
    since, began = len(terminal.output), time.perf_counter()
    terminal.write("\r")
    terminal.wait_for(LAST, 60, since)
    return time.perf_counter() - began


def _find(terminal: Terminal) -> float:
    terminal.write(OPEN_SWITCHER)
    terminal.drain(1.0)
    terminal.write(RARE[:-1].upper())  # in capitals it is not what is looked for on the screen
    terminal.drain(1.5)
    since, began = len(terminal.output), time.perf_counter()
    terminal.write(RARE[-1].upper())
    terminal.wait_for(RARE, 30, since)
    return time.perf_counter() - began
