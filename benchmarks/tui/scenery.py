"""What stands in the chats of the pictures, and the folder they are drawn in."""

import os
import shutil
from pathlib import Path

from app.chat.options import Options, Setup
from app.chat.store import Generation, Store, Template

LONG_NAME = "annals.txt"
SHORT_NAME = "chronicle.txt"
SHORT_DOCUMENT = Path(__file__).resolve().parents[2] / "app" / "ask" / "examples" / SHORT_NAME

MARKDOWN_CHAT = "How a stream is drawn"
SHORT_CHAT = "The history of harbours"

ANSWER = """\
Draw what is **settled** once and only the *open tail* again. In short:

1. A blank line outside a fence settles a paragraph.
2. A finished item settles in a list, so that a long list costs
   - as much at its end
   - as at its beginning.
3. A table keeps the widths of its first rows until it closes.

## The loop

```python
def render(stream: Iterable[str], width: int) -> Iterator[Strip]:
    \"\"\"Yields lines as they settle.\"\"\"
    tail = ""
    for piece in stream:
        tail += piece
        settled, tail = split(tail)  # the open block stays
        yield from draw(settled, width)
```

| block | settles at | cost per flush |
|:------|:----------:|---------------:|
| paragraph | blank line | 0.4 ms |
| list item | next item | 0.6 ms |
| 表格 table | next row | 0.5 ms |

> What was drawn is never drawn again, unless the *width* changes.

It holds for 中文 and for `code` in a line; see [the notes](https://example.org/notes).

```sh
python -m benchmarks.tui --kinds list
```
"""

OTHER_ANSWER = "Render everything again for each token, and wait."


def fill(store: Store) -> None:
    """Stores the chats, their branches, a template, a preset and something in the trash."""
    options = Options(Setup("7b"))
    for title, question, answer in (
        ("Trip to Shenzhen", "Pack for four days in October.", "Light clothes, an umbrella, an adapter."),
        ("Regular expressions", "Match an ISO date.", "`\\d{4}-\\d{2}-\\d{2}` is enough for most logs."),
        (
            "A poem about the sea",
            "Write four lines.",
            "Grey is the sea\nand grey the sky,\nand the gulls\nask why.",
        ),
        (SHORT_CHAT, "What is a harbour?", "A place where ships lie safe from wind and waves."),
    ):
        _talk(store, store.new_chat(options, title).id, (question, answer))
    deleted = store.new_chat(options, "An experiment")
    _talk(store, deleted.id, ("Does this work?", "Yes."))
    store.delete_chat(deleted.id)
    pinned = store.new_chat(options, "Lease review")
    _talk(store, pinned.id, ("Who may end the lease early?", "Both sides, on ninety days' notice."))
    store.update_chat(pinned.id, pinned=True)
    store.save_preset("Careful", Options(Setup("7b"), "Say so when you do not know.", {"temperature": 0.2}))
    store.save_template(Template("review", "Review a change", "Review this change. Name risks first.\n\n"))
    store.save_template(Template("plain", "Say it plainly", "Say this in plain words:\n\n"))
    _markdown_chat(store, options)


def _markdown_chat(store: Store, options: Options) -> None:
    """A question, its edited version, and two answers to that."""
    chat = store.new_chat(options, MARKDOWN_CHAT).id
    first = store.add_message(chat, None, "user", "How to draw a stream?")
    store.add_message(chat, first.id, "assistant", "A stream of what?")
    question = store.add_message(
        chat,
        None,
        "user",
        "How does a terminal draw a long streamed answer without lagging?",
        edited_from=first.id,
    )
    store.add_message(chat, question.id, "assistant", OTHER_ANSWER)
    _answer(store, chat, question.id, ANSWER)


def _talk(store: Store, chat: int, *turns: tuple[str, str]) -> None:
    parent = None
    for question, answer in turns:
        asked = store.add_message(chat, parent, "user", question)
        parent = _answer(store, chat, asked.id, answer)


def _answer(store: Store, chat: int, parent: int, text: str) -> int:
    generation = Generation(
        "7b", "f00d", "plain", {}, None, 812, 640, len(text) // 4, 0.21, 840.0, 63.2, 5 * 10**9
    )
    begun = store.begin_answer(chat, parent, generation)
    store.finish_answer(begun.id, "complete", generation=generation, content=text)
    return begun.id


def write_short(folder: Path) -> None:
    """The bundled text, under its name."""
    shutil.copy(SHORT_DOCUMENT, folder / SHORT_NAME)


def move_in(folder: Path) -> None:
    """Makes `folder` the current and the user's own, so that no picture shows a real one."""
    os.chdir(folder)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = str(folder)
    for name in ("QWEN2_MLX_CHATS", "QWEN2_MLX_LIBRARY"):
        os.environ.pop(name, None)
    os.environ["QWEN2_MLX_CACHE_DIR"] = str(folder)
    os.environ["HF_HOME"] = str(folder)
    os.environ["HF_HUB_OFFLINE"] = "1"
