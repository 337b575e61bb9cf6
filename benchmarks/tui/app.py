"""Our chat with an engine that streams prepared text, for measuring it from outside.

python -m benchmarks.tui.app CHATS KIND [RATE [AHEAD]]
"""

import sys
from functools import partial
from pathlib import Path

from app.chat.config import Config
from app.chat.open import run_chat
from app.chat.options import Options
from app.chat.store import Store
from benchmarks.tui.engine import StreamingEngine
from benchmarks.tui.text import tokens

LONGEST = 20_000  # tokens


def main(chats: str, kind: str, rate: str = "100", ahead: str = "0") -> int:
    """Runs the chat on the file `chats`; every question is answered with text of one kind."""
    with Store.open(Path(chats)) as store:
        text = tokens(kind, LONGEST)
        engine = partial(StreamingEngine, text, float(rate), int(ahead))
        return run_chat(store, engine, Options(), Config())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
