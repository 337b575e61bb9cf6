"""A chat with everything that can be in one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.chat.options import Options, Setup
from app.chat.store import Attachment, Chat, Reading, Store
from tests.app.chat.store.samples import CITATION, GENERATION, say

OPTIONS = Options(
    Setup("org/Model-7B", "yarn", "8", 2**33),
    "Be <brief> & *kind*.\nAlways.",
    {"temperature": 0.5, "seed": 3, "stop": ["a", "b"]},
    4096,
    "read",
    60.5,
)


@contextmanager
def opened(folder: Path) -> Iterator[Store]:
    with Store.open(folder / "chats.sqlite") as store:
        yield store


def everything(store: Store) -> Chat:
    """Branches, states, sources and options; the branch that is shown ends in a cited answer."""
    chat = store.new_chat(OPTIONS, "Lease <review> *2*", "work")
    first, answer = say(store, chat.id, "What does the lease say?", "Much.")
    store.add_message(chat.id, None, "user", "What does it say?", edited_from=first.id)
    failed = store.begin_answer(chat.id, store.chat(chat.id).head, GENERATION)
    store.finish_answer(failed.id, "error", error="no room <here>")
    store.select(answer.id)
    (question,) = say(store, chat.id, "Who may end it?\n\n磨坊 \U0001f600 \0")
    cited = store.begin_answer(chat.id, question.id, GENERATION)
    store.add_readings(cited.id, [Reading(4, 0, 100, 0.5)])
    store.finish_answer(
        cited.id,
        "stopped",
        content="The **landlord** [1]:\n\n```python\nprint('''\n~~~\n''')\n```",
        document={"status": "partial", "coverage": {"windows": 3}},
        citations=[CITATION],
    )
    store.attach(chat.id, Attachment(4, "ab" * 32, "lease.pdf", "/home/me/lease.pdf", 5.0))
    return store.update_chat(chat.id, draft="and then", pinned=True)
