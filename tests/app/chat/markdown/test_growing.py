"""A text that grows is drawn as the whole text would be, at a cost that does not grow with it."""

import difflib
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from rich.style import Style
from textual.strip import Strip

from app.chat.markdown import PLAIN, MarkdownText
from app.chat.markdown.frame import Frame
from tests.app.chat.markdown.generated import cut, cuts, documents, soup

WIDTHS = st.integers(20, 200)
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def whole(text: str) -> MarkdownText:
    return MarkdownText(text, palette=PLAIN, citations=[1])


def grown(pieces: list[str], width: int = 80) -> MarkdownText:
    text = MarkdownText(growing=True, palette=PLAIN, citations=[1])
    for piece in pieces:
        text.append(piece)
        text.lines(width)
    return text


def styled(strip: Strip) -> list[tuple[str, Style | None]]:
    """The text of a line by style, however it is divided into segments."""
    parts = groupby(strip, key=lambda segment: segment.style)
    merged = [("".join(part.text for part in same), style) for style, same in parts]
    if merged and not merged[-1][0].strip():
        merged.pop()
    return merged


@FEW
@given(documents, cuts, WIDTHS)
def test_a_growing_document_is_drawn_as_the_whole_after_every_line(
    document: str, places: list[int], width: int
) -> None:
    text = MarkdownText(growing=True, palette=PLAIN, citations=[1])
    for piece in cut(document, places):
        text.append(piece)
        drawn = [styled(strip) for strip in text.lines(width)]
        if text.source.endswith("\n"):
            expected = [styled(strip) for strip in whole(text.source).lines(width)]
            assert drawn == expected, "\n".join(
                difflib.ndiff(list(whole(text.source).plain(width)), list(text.plain(width)))
            )
            assert text.code_blocks == whole(text.source).code_blocks


@FEW
@given(st.one_of(soup, documents), cuts, WIDTHS)
def test_a_finished_text_is_drawn_as_if_given_at_once(source: str, places: list[int], width: int) -> None:
    text = grown(cut(source, places), width)
    text.finish()
    assert list(text.lines(width)) == list(whole(source).lines(width))
    assert text.code_blocks == whole(source).code_blocks
    assert text.source == source


@FEW
@given(st.one_of(soup, documents), cuts, WIDTHS)
def test_every_line_fits_and_has_no_control_characters(source: str, places: list[int], width: int) -> None:
    text = MarkdownText(growing=True, palette=PLAIN, citations=[1])
    for piece in cut(source, places):
        text.append(piece)
        _check_lines(text, width)
    text.finish()
    _check_lines(text, width)


def _check_lines(text: MarkdownText, width: int) -> None:
    for strip, plain in zip(text.lines(width), text.plain(width), strict=True):
        assert Strip(list(strip)).cell_length == strip.cell_length <= width
        assert strip.text == plain
        assert plain.isprintable() or not any(
            ord(character) < 32 or 0x7F <= ord(character) < 0xA0 or character in "\u202e\u2066\u2028\ud800"
            for character in plain
        )


@pytest.mark.parametrize(
    ("source", "width"),
    [
        ("- a\n- b\n\n- loose later\n", 40),
        ("1. a\n3. b\n7. c\n\nx\n\n4) d\n5) e\n", 40),
        ("> quote\nlazy goes on\n> more\n\n> again\n", 40),
        ("- item\nlazy\n- next\n  > q\n  lazy\n", 40),
        ("word " * 700 + "\n---\nafter\n", 60),
        ("line of text\n" * 80 + "| a | b |\n|---|---|\n| 1 | 2 |\n", 60),
        ("apple\n" * 300 + "1\n1. pear\n", 60),
        ("中文段落没有空格" * 300 + "\n\n末", 50),
        ("## " + "heading " * 300 + "##\ntext\n", 50),
        ("- " + "long item " * 300 + "\n- b\n", 50),
        ("> " + "long quote " * 300 + "\n\nb\n", 50),
        ("```\n" + "x" * 3000 + "\ty\n```\n", 50),
        ("| a | b |\n|--|--|\n" + "".join(f"| {n} | word |\n" for n in range(40)) + "\nend\n", 50),
        ("text\n\\[\nx = a\n+ b\n- c * d * e\n\\]\nmore\n\n$$\n- y\n\nend\n", 50),
        ("- a\n  $$\n  + b\n  $$\n- c\n", 50),
        ("    code\n\n    more\n\nend\n", 50),
        ("- a\n\n  ```py\n  x = '''\n  y\n  '''\n  ```\n- b\n", 50),
        ("text\n# heading\n***\n- [x] done\n  - [ ] not\n", 50),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_these_texts_grow_into_the_same_lines(source: str, width: int, step: int) -> None:
    text = grown([source[at : at + step] for at in range(0, len(source), step)], width)
    assert [styled(strip) for strip in text.lines(width)] == [
        styled(strip) for strip in whole(source).lines(width)
    ]


def test_a_line_that_may_become_anything_is_not_drawn_yet() -> None:
    text = grown(["Words\n", "-"])
    assert list(text.plain(40)) == ["Words"]
    text.append(" item")
    assert list(text.plain(40)) == ["Words", "• item"]


OPEN = {
    "paragraph": "word " * 400,
    "heading": "# " + "word " * 400,
    "item": "- first\n- " + "word " * 400,
    "quote": "> > " + "word " * 400,
    "code": "```py\n" + ("x = 1, " * 12 + "\n") * 3,
    "line of code": "```\n" + "x = 1, " * 200,
    "table": "| a | b |\n|--|--|\n" + ("| word | " + "word " * 9 + "|\n") * 20,
}


@pytest.mark.parametrize("kind", OPEN)
def test_another_width_in_the_middle_draws_all_again(kind: str) -> None:
    text = grown([OPEN[kind]], 80)
    assert list(text.plain(30)) == list(whole(OPEN[kind]).plain(30))
    text.append("x")
    assert list(text.plain(80)) == list(whole(OPEN[kind] + "x").plain(80))


def test_colours_carry_from_line_to_line() -> None:
    source = '```python\nx = """a\nb if c\n"""\nif y: pass\n'
    text = grown([source[at : at + 3] for at in range(0, len(source), 3)])
    assert [styled(strip) for strip in text.lines(60)] == [styled(strip) for strip in whole(source).lines(60)]


SHAPES: dict[str, Callable[[int], str]] = {
    "paragraphs": lambda n: f"Paragraph {n} of *some* words, and `code`.\n\n",
    "one paragraph": lambda n: f"sentence {n} of **many** words, ",
    "lines": lambda n: f"sentence {n} of words,\n",
    "short lines": lambda n: "word\n",
    "chinese": lambda n: f"第{n}句话很长很长，没有空格。",
    "list": lambda n: f"{n + 1}. item with *some* words\n",
    "one item": lambda n: f"{'' if n else '- '}sentence {n} of words, ",
    "nested list": lambda n: f"{'  ' if n else ''}- item {n} with words\n",
    "quote": lambda n: f"> line {n} of a quote\n>\n",
    "code": lambda n: f"{'' if n else '```python' + chr(10)}x{n} = f({n})  # words\n",
    "code in a list": lambda n: f"  x{n} = f({n})\n" if n else "- a\n\n  ```python\n",
    "one line of code": lambda n: f"x{n} = f({n}); " if n else "```python\n",
    "table": lambda n: f"| row {n} | *words* | 1 |\n" if n else "| a | b | c |\n|---|---|--:|\n",
    "heading": lambda n: f"{'' if n else '# '}words {n} ",
    "stars": lambda n: f"*a {n} _b ",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cost_of_a_piece_does_not_grow_with_the_text(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: the characters that are parsed, and the lines that are made."""
    counts = _counting(monkeypatch)
    text = MarkdownText(growing=True, palette=PLAIN)
    costs = []
    for number in range(600):
        before = counts[0]
        text.append(SHAPES[shape](number))
        text.lines(60)
        costs.append(counts[0] - before)
    early, late = sum(costs[100:250]), sum(costs[-150:])
    assert late <= 1.5 * early + 2000
    assert max(costs[100:]) <= 12_000


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts = [0]
    parse_blocks, parse, strip_of = MarkdownIt.parse, ParserInline.parse, Frame._strip

    def counted_blocks(self: MarkdownIt, src: str, *rest: Any) -> Any:
        counts[0] += len(src)
        return parse_blocks(self, src, *rest)

    def counted_parse(self: ParserInline, src: str, *rest: Any) -> Any:
        counts[0] += len(src)
        return parse(self, src, *rest)

    def counted_strip(self: Frame, marks: Any, runs: Any) -> Strip:
        counts[0] += 10
        return strip_of(self, marks, runs)

    monkeypatch.setattr(MarkdownIt, "parse", counted_blocks)
    monkeypatch.setattr(ParserInline, "parse", counted_parse)
    monkeypatch.setattr(Frame, "_strip", counted_strip)
    return counts


def test_pieces_of_any_size_are_the_same_text() -> None:
    source = "# A\n\n- b\n  c\n\n> d\n"
    assert list(_by(source, 1)) == list(_by(source, 4)) == list(whole(source).plain(40))


def _by(source: str, step: int) -> Iterator[str]:
    yield from grown([source[at : at + step] for at in range(0, len(source), step)]).plain(40)
