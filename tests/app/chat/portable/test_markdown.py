"""Chats as Markdown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.chat.options import Options
from app.chat.portable import export_chat
from app.chat.portable.markdown import closed
from tests.app.chat.portable.samples import everything, opened
from tests.app.chat.store.samples import GENERATION, say


def headings(text: str) -> list[str]:
    tokens = MarkdownIt("commonmark").parse(text)
    return [
        tokens[at + 1].content
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.tag in ("h1", "h2")
    ]


def test_the_branch_that_is_shown_is_exported(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        text = export_chat(store, everything(store), "markdown")
    assert headings(text) == ["Lease \\<review\\> \\*2\\*", "You", "Assistant", "You", "tiny"]
    assert "What does the lease say?" in text
    assert "What does it say?" not in text
    assert "> Be \\<brief\\> \\& \\*kind\\*." in text
    assert "The **landlord** [1]:\n\n```python\nprint('''\n~~~\n''')\n```\n\n*(stopped)*" in text
    assert text.endswith("Sources:\n\n- [1] lease.pdf, p. 3: “ninety days”\n")
    assert "\0" not in text


def test_all_branches_are_exported_with_numbers(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        text = export_chat(store, everything(store), "markdown", whole_tree=True)
    assert headings(text)[1:] == [
        "1. You, version 1 of 2",
        "2. Assistant",
        "3. You",
        "4. tiny",
        "5. You, version 2 of 2",
        "6. tiny",
    ]
    assert "*(error: no room \\<here\\>)*" in text


LEFT_OPEN = [
    "```python\nprint(1)",
    "````\n```\ninside\n```",
    "~~~\n```",
    "- item\n\n  ```\n  in a list",
    "> ```\n> in a quote",
    "<!-- a comment",
    "<script>\nalert(1)",
    "<pre>\n\ntext",
    "<?php",
    "<![CDATA[",
    "```\n<!--\n```\n<!--\n````",
    "1. a\n\n   - b\n\n         ```x",
    "    indented",
    "[a]: <",
    "text\n===",
    "|a|b|\n|-|-|",
]


@pytest.mark.parametrize("content", LEFT_OPEN)
def test_what_a_message_leaves_open_ends_with_it(tmp_path: Path, content: str) -> None:
    with opened(tmp_path) as store:
        chat = store.new_chat(Options(), "t")
        answer = store.begin_answer(chat.id, None, GENERATION)
        store.finish_answer(answer.id, "stopped", content=content)
        say(store, chat.id, "next")
        text = export_chat(store, chat.id, "markdown")
    assert headings(text)[-1] == "You"
    assert "tiny" in headings(text)
    for line in content.splitlines():
        assert line in text


def test_a_fence_within_a_fence_stays_as_it_was() -> None:
    content = "````markdown\n```python\nx\n```\n````\n\nafter"
    assert closed(content, MarkdownIt("commonmark")) == content


@pytest.mark.parametrize("fence", ["```", "~~~~", "`````"])
def test_an_open_fence_gets_its_closing_one(fence: str) -> None:
    parser = MarkdownIt("commonmark")
    assert closed(f"{fence}python\nx = 1", parser) == f"{fence}python\nx = 1\n{fence}"
    assert closed(f"{fence}\nx\n{fence}", parser) == f"{fence}\nx\n{fence}"


@given(st.lists(st.sampled_from(["```", "~~~", "````", "x", "", "> ", "- ", "<!--", "-->", "<pre>", "  "])))
def test_nothing_that_is_written_swallows_what_follows(lines: list[str]) -> None:
    parser = MarkdownIt("commonmark")
    text = closed("\n".join(lines), parser)
    last = parser.parse(f"{text}\n\n## next")[-1]
    assert (last.type, last.level) == ("heading_close", 0)
