"""Any sequence of operations leaves what a model of the store in memory says."""

import re
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.chat.options import Options
from app.chat.store import Store
from tests.app.chat.store.samples import GENERATION, check

WORDS = st.lists(st.sampled_from(["mill", "wheel", "river", "磨坊", "stone"]), max_size=4).map(" ".join)
NUMBERS = st.integers(0, 10**6)


@dataclass
class Said:
    """A message of the model."""

    chat: int
    parent: int | None
    text: str
    state: str = "complete"
    deletion: int | None = None
    viewed: int | None = None


@dataclass
class Talk:
    """A chat of the model; `deletions` are (number, message, head before)."""

    head: int | None = None
    deleted: bool = False
    deletions: list[tuple[int, int, int | None]] = field(default_factory=list)


class Stored(RuleBasedStateMachine):
    """The store beside a few dictionaries."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.place = Path(self.folder.name) / "chats.sqlite"
        self.store = Store.open(self.place)
        self.journal = self.store.journal()
        self.chats: dict[int, Talk] = {}
        self.said: dict[int, Said] = {}
        self.deletions = 0

    def teardown(self) -> None:
        if hasattr(self, "store"):
            check(self.store)
            self.journal.close()
            self.store.close()
            self.folder.cleanup()

    # What the model knows.

    def below(self, parent: int | None, chat: int) -> list[int]:
        return [
            id
            for id, said in self.said.items()
            if said.chat == chat and said.parent == parent and said.deletion is None
        ]

    def line(self, head: int | None) -> list[int]:
        line: list[int] = []
        while head is not None:
            line.insert(0, head)
            head = self.said[head].parent
        return line

    def leaf(self, id: int) -> int:
        while below := self.below(id, self.said[id].chat):
            viewed = self.said[id].viewed
            id = viewed if viewed in below else below[-1]
        return id

    def move(self, chat: int, head: int | None) -> None:
        self.chats[chat].head = head
        line = self.line(head)
        for above, child in pairwise(line):
            self.said[above].viewed = child

    def add(self, id: int, said: Said) -> None:
        self.said[id] = said
        self.move(said.chat, id)
        self.chats[said.chat].deleted = False

    def living(self) -> list[int]:
        return [id for id, said in self.said.items() if said.deletion is None]

    # What is done to both.

    @rule()
    def new_chat(self) -> None:
        self.chats[self.store.new_chat(Options()).id] = Talk()

    @precondition(lambda self: self.chats)
    @rule(pick=NUMBERS, text=WORDS)
    def ask(self, pick: int, text: str) -> None:
        chat = list(self.chats)[pick % len(self.chats)]
        head = self.chats[chat].head
        message = self.store.add_message(chat, head, "user", text)
        self.add(message.id, Said(chat, head, text))

    @precondition(lambda self: self.living())
    @rule(pick=NUMBERS, text=WORDS)
    def edit(self, pick: int, text: str) -> None:
        old = self.living()[pick % len(self.living())]
        said = self.said[old]
        message = self.store.add_message(said.chat, said.parent, "user", text, edited_from=old)
        self.add(message.id, Said(said.chat, said.parent, text))

    @precondition(lambda self: self.living())
    @rule(pick=NUMBERS)
    def begin_answer(self, pick: int) -> None:
        parent = self.living()[pick % len(self.living())]
        chat = self.said[parent].chat
        answer = self.store.begin_answer(chat, parent, GENERATION)
        self.add(answer.id, Said(chat, parent, "", "streaming"))

    @precondition(lambda self: self.living())
    @rule(pick=NUMBERS)
    def go_on(self, pick: int) -> None:
        old = self.said[id := self.living()[pick % len(self.living())]]
        answer = self.store.resume_answer(id, GENERATION)
        self.add(answer.id, Said(old.chat, old.parent, old.text, "streaming"))

    @precondition(lambda self: self.said)
    @rule(pick=NUMBERS, text=WORDS)
    def write(self, pick: int, text: str) -> None:
        id = list(self.said)[pick % len(self.said)]
        self.journal.append(id, text)
        if self.said[id].state == "streaming":
            self.said[id].text += text

    @precondition(lambda self: any(said.state == "streaming" for said in self.said.values()))
    @rule(state=st.sampled_from(["complete", "stopped", "length", "error"]), whole=st.none() | WORDS)
    def finish(self, state, whole: str | None) -> None:
        id = next(id for id, said in self.said.items() if said.state == "streaming")
        self.store.finish_answer(id, state, content=whole)
        self.said[id].state = state
        if whole is not None:
            self.said[id].text = whole

    @precondition(lambda self: self.living())
    @rule(pick=NUMBERS)
    def select(self, pick: int) -> None:
        id = self.living()[pick % len(self.living())]
        self.store.select(id)
        self.move(self.said[id].chat, self.leaf(id))

    @precondition(lambda self: self.living())
    @rule(pick=NUMBERS)
    def delete(self, pick: int) -> None:
        id = self.living()[pick % len(self.living())]
        chat = self.said[id].chat
        beside, head = self.below(self.said[id].parent, chat), self.chats[chat].head
        self.store.delete_message(id)
        self.deletions += 1
        self.chats[chat].deletions.append((self.deletions, id, head))
        for one, said in self.said.items():
            if said.deletion is None and id in self.line(one):
                said.deletion = self.deletions
        if head is not None and self.said[head].deletion is not None:
            at = beside.index(id)
            other = beside[at - 1] if at else beside[1] if len(beside) > 1 else None
            self.move(chat, self.said[id].parent if other is None else self.leaf(other))

    def restore(self, chat: int, id: int) -> None:
        head = next(
            before for number, _, before in self.chats[chat].deletions if number == self.said[id].deletion
        )
        for one in reversed(self.line(id)):
            if (deletion := self.said[one].deletion) is not None:
                for said in self.said.values():
                    if said.deletion == deletion:
                        said.deletion = None
                self.chats[chat].deletions = [
                    kept for kept in self.chats[chat].deletions if kept[0] != deletion
                ]
        alive = head in self.said and self.said[head].deletion is None
        self.move(chat, head if alive else self.leaf(id))

    @precondition(lambda self: self.chats)
    @rule(pick=NUMBERS)
    def undo(self, pick: int) -> None:
        chat, talk = list(self.chats.items())[pick % len(self.chats)]
        expected = talk.deleted or bool(talk.deletions)
        assert self.store.undo(chat) == expected
        if talk.deleted:
            talk.deleted = False
        elif talk.deletions:
            self.restore(chat, talk.deletions[-1][1])

    @precondition(lambda self: any(said.deletion for said in self.said.values()))
    @rule(pick=NUMBERS)
    def restore_message(self, pick: int) -> None:
        gone = [id for id, said in self.said.items() if said.deletion]
        id = gone[pick % len(gone)]
        self.store.restore_message(id)
        self.restore(self.said[id].chat, id)

    @precondition(lambda self: self.chats)
    @rule(pick=NUMBERS)
    def delete_chat(self, pick: int) -> None:
        chat = list(self.chats)[pick % len(self.chats)]
        self.store.delete_chat(chat)
        self.chats[chat].deleted = True

    @rule()
    def purge(self) -> None:
        self.store.purge()
        gone = {chat for chat, talk in self.chats.items() if talk.deleted}
        self.chats = {chat: talk for chat, talk in self.chats.items() if chat not in gone}
        self.said = {
            id: said for id, said in self.said.items() if said.chat not in gone and said.deletion is None
        }
        for talk in self.chats.values():
            talk.deletions.clear()

    @rule(died=st.booleans())
    def reopen(self, died: bool) -> None:
        if died:
            self.store._database.run("UPDATE messages SET writer = '999999999:x' WHERE state = 'streaming'")
        self.journal.close()
        self.store.close()
        self.store = Store.open(self.place)
        self.journal = self.store.journal()
        for said in self.said.values():
            if died and said.state == "streaming":
                said.state = "interrupted"

    # What must hold.

    @invariant()
    def branches_are_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        for chat, talk in self.chats.items():
            path = self.store.path(chat)
            assert [stub.id for stub in path] == self.line(talk.head)
            for stub in path:
                said = self.said[stub.id]
                versions = self.below(said.parent, chat)
                assert (stub.sibling, stub.siblings) == (versions.index(stub.id) + 1, len(versions))
                assert stub.state == said.state
                assert self.store.siblings(stub.id) == versions
            assert {node.id for node in self.store.tree(chat)} == {
                id for id in self.living() if self.said[id].chat == chat
            }

    @invariant()
    def texts_are_as_the_model_says(self) -> None:
        if not hasattr(self, "store"):
            return
        for message in self.store.messages(self.said):
            said = self.said[message.id]
            assert (message.content, message.state, message.parent) == (said.text, said.state, said.parent)
            assert (message.deleted is None) == (said.deletion is None)

    @invariant()
    def words_are_found_where_they_stand(self) -> None:
        if not hasattr(self, "store"):
            return
        for word, begins in (("mill", "(?<![a-z])mill"), ("磨坊", "磨坊")):  # "wheelmill" is another word
            expected = [
                id
                for id, said in self.said.items()
                if re.search(begins, said.text)
                and said.deletion is None
                and said.state != "streaming"
                and not self.chats[said.chat].deleted
            ]
            assert [hit.message for hit in self.store.search(word, limit=1000)] == expected[::-1]


Stored.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestStored = Stored.TestCase


@pytest.mark.slow
def test_many_more_sequences_leave_what_the_model_says() -> None:
    run_state_machine_as_test(
        Stored, settings=settings(max_examples=300, stateful_step_count=50, deadline=None)
    )
