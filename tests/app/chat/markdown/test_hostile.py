"""Absurd Markdown costs no more than seconds, and nothing of it is lost."""

import time
import tracemalloc

import pytest
from markdown_it.parser_inline import ParserInline

from app.chat.markdown import PLAIN, MarkdownText

#: Seconds of this process: many times what is needed, few enough to notice a square.
ENOUGH = 12.0

HOSTILE = {
    "brackets": "[" * 1_000_000,
    "stars": "*" * 1_000_000,
    "quote marks": ">" * 1_000_000,
    "fewer brackets": "[" * 100_000,
    "fewer images": "![" * 50_000,
    "fewer stars": "*a" * 50_000,
    "fewer quote marks": ">" * 100_000,
    "quotes in quotes": "> " * 10_000 + "x",
    "lists in lists": "- " * 10_000 + "x",
    "numbers in numbers": "1. " * 10_000 + "x",
    "ever deeper lists": "\n".join("  " * level + "- x" for level in range(300)),
    "ever deeper quotes": "\n".join("> " * level + "x" for level in range(300)),
    "formulas": "\\(" * 50_000,
    "angles": "<" * 100_000,
    "short lines": "a\n" * 40_000,
    "joiners": "👩\u200d" * 30_000,
    "combining marks": "a" + "\u0301" * 100_000,
    "an open string in code": "```python\n" + "('''" * 20_000,
    "a wide table": "|a" * 300 + "|\n" + "|-" * 300 + "|\n" + ("|b" * 300 + "|\n") * 20,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_drawn_in_bounded_time(name: str) -> None:
    start = time.process_time()
    strips = MarkdownText(HOSTILE[name], palette=PLAIN).lines(80)
    assert time.process_time() - start < ENOUGH
    assert strips
    assert all(strip.cell_length <= 80 for strip in strips)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_grows_in_bounded_time(name: str) -> None:
    source = HOSTILE[name][:5_000]
    text = MarkdownText(growing=True, palette=PLAIN)
    start = time.process_time()
    for at in range(0, len(source), 50):
        text.append(source[at : at + 50])
        assert all(strip.cell_length <= 40 for strip in text.lines(40)[-3:])
    assert time.process_time() - start < ENOUGH


def test_nothing_of_what_is_nested_too_deeply_is_lost() -> None:
    text = "> " * 60 + "the very words"
    assert "the very words" in " ".join(MarkdownText(text, palette=PLAIN).plain(200))
    growing = MarkdownText(text, growing=True, palette=PLAIN)
    assert "the very words" in " ".join(growing.plain(200))


def test_a_text_beyond_the_limit_is_shown_as_it_is() -> None:
    text = "# no heading *here*\n" + "long line " * 24_000
    assert MarkdownText(text, palette=PLAIN).lines(40)[0].text == "# no heading *here*"


def test_memory_is_bounded_by_the_text() -> None:
    source = "[" * 1_000_000
    tracemalloc.start()
    MarkdownText(source, palette=PLAIN).lines(80)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200 * 2**20


def test_a_paragraph_full_of_brackets_is_not_tried_bracket_by_bracket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    monkeypatch.setattr(ParserInline, "parse", lambda *arguments: read.append(arguments[1]))
    lines = MarkdownText("![" * 5000, palette=PLAIN).plain(80)
    assert "".join(lines) == "![" * 5000
    assert not read
