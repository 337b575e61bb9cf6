"""What the transcript and the boxes that belong to it look like."""

import time
from collections.abc import Iterator

import pytest
from textual.pilot import Pilot

from app.chat.screens.branches import Branches
from app.chat.screens.code_blocks import CodeBlocks
from app.chat.store import Node
from tests.app.chat.snapshot import assert_screen
from tests.app.chat.waiting import wait_until
from tests.app.chat.widgets.conversation import NOON, Reader, citation, message, read

SIZES = [(80, 24), (120, 40)]

ANSWER = """Two clauses do: breach [1] and *redevelopment* [2].

- Clause 14.2: ninety days' notice
- Clause 15: see [the page](https://example.org)

```python
def ends(day):
    return day + 90
```

```sh
ls -l
```
"""

TALK = [
    message(1, "Which clauses let the landlord end early?\n(the short ones)"),
    message(2, ANSWER, sibling=2, siblings=3, citations=(citation(1), citation(2))),
    message(3, "终止合同?"),
    message(4, "A part", state="error", error="the model ran out of memory; choose a smaller context"),
]


@pytest.fixture(autouse=True)
def _in_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def name(what: str, size: tuple[int, int]) -> str:
    return f"{what}-{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES)
def test_the_transcript_looks_as_it_should(size: tuple[int, int]) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.transcript.describe(2, "read 53 of 122 windows")
        await pilot.press("k", "k")
        app.transcript.find("clause", 0)
        await pilot.pause()
        assert_screen(app, name("transcript", size))

    read(TALK, scenario, size)


@pytest.mark.parametrize("size", SIZES)
def test_the_choice_of_code_blocks_looks_as_it_should(size: tuple[int, int]) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        await pilot.press("k", "k", "Y")
        await wait_until(pilot, lambda: isinstance(app.screen, CodeBlocks))
        await pilot.pause()
        assert_screen(app, name("code-blocks", size))

    read(TALK, scenario, size)


class Tree:
    """A store that has one tree."""

    def tree(self, chat: int) -> list[Node]:
        def node(id: int, level: int, version: tuple[int, int], shown: bool, line: str) -> Node:
            role = "user" if id % 2 else "assistant"
            return Node(id, None, 0, level, role, "complete", 9, *version, shown, NOON, line)

        return [
            node(1, 0, (1, 1), True, "Which clauses let the landlord end early?"),
            node(2, 1, (1, 2), False, "None that I can see, because " + "the lease is long " * 9),
            node(4, 1, (2, 2), True, "Two clauses do"),
            node(5, 2, (1, 2), True, "终止合同?"),
            node(7, 2, (2, 2), False, "And the tenant?"),
        ]


@pytest.mark.parametrize("size", SIZES)
def test_the_branches_look_as_they_should(size: tuple[int, int]) -> None:
    async def scenario(app: Reader, pilot: Pilot[None]) -> None:
        app.push_screen(Branches(Tree(), 1, 5))  # pyright: ignore[reportArgumentType]
        await wait_until(pilot, lambda: isinstance(app.screen, Branches))
        await pilot.pause()
        assert_screen(app, name("branches", size))

    read(TALK, scenario, size)
