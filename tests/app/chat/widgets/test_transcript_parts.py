"""Heights, hits in drawn lines, styles over parts of a line."""

import random

import pytest
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from app.chat.markdown import PLAIN, MarkdownText
from app.chat.widgets.transcript.finding import each, whole
from app.chat.widgets.transcript.heights import CHUNK, Heights, estimate
from app.chat.widgets.transcript.layout import letters_before, line_with
from app.chat.widgets.transcript.paint import occurrences, overlay


def test_heights_tell_the_same_as_adding_them_up_after_any_changes() -> None:
    chance = random.Random(6)
    plain = [chance.randint(2, 60) for _ in range(3 * CHUNK + 5)]
    heights = Heights(plain[:-40])
    for height in plain[-40:]:
        heights.append(height)
    for _ in range(200):
        index = chance.randrange(len(plain))
        before, plain[index] = plain[index], chance.randint(2, 60)
        assert heights.change(index, plain[index]) == plain[index] - before
    assert heights.total == sum(plain)
    for index in (0, 1, CHUNK - 1, CHUNK, 2 * CHUNK + 1, len(plain) - 1):
        assert heights.top(index) == sum(plain[:index])
        assert heights.locate(heights.top(index)) == (index, 0)
        assert heights.locate(heights.top(index) + plain[index] - 1) == (index, plain[index] - 1)


def test_lines_beyond_the_ends_are_taken_for_the_ends() -> None:
    heights = Heights([3, 4])
    assert heights.locate(-5) == (0, 0)
    assert heights.locate(99) == (1, 3)
    assert Heights().locate(0) == (0, 0)


def test_an_estimate_is_right_within_a_factor_for_prose() -> None:
    text = "some words of ordinary length in a paragraph " * 60
    drawn = len(MarkdownText(text, palette=PLAIN).lines(80))
    assert drawn / 2 < estimate(len(text), 80) < drawn * 2


@pytest.mark.parametrize("width", [30, 77])
def test_a_line_is_found_again_by_the_letters_before_it(width: int) -> None:
    text = MarkdownText("\n\n".join(f"- item {n} **bold** " + "word " * n for n in range(40)), palette=PLAIN)
    for line, drawn in enumerate(text.plain(width)):
        if drawn.strip():
            assert line_with(text, letters_before(text, line, width), width) == line


def test_hits_are_found_in_one_line_and_across_lines_with_their_indent() -> None:
    lines = ["  one two  ", "  Three one", "two"]
    assert occurrences(lines, whole("one two")) == [[(0, (2, 9))], [(1, (8, 11)), (2, (0, 3))]]
    assert occurrences(lines, whole("three")) == [[(1, (2, 7))]]
    assert occurrences(lines, each("two three")) == [[(0, (6, 9))], [(1, (2, 7))], [(2, (0, 3))]]
    assert occurrences(lines, whole("o(n")) == []


def test_hits_are_found_where_a_line_ends_between_ideographs_and_within_quotes() -> None:
    lines = ["▌ 你好世", "▌ 界 one", "▌ two"]
    assert occurrences(lines, whole("世界")) == [[(0, (4, 5)), (1, (2, 3))]]
    assert occurrences(lines, each("界 世界")) == [[(0, (4, 5)), (1, (2, 3))]]
    assert occurrences(lines, whole("one two")) == [[(1, (4, 7)), (2, (2, 5))]]
    assert occurrences(["世 界", "on", "e"], whole("世界")) == []
    assert occurrences(["世 界", "on", "e"], whole("one")) == []


def test_a_style_is_laid_over_characters_across_segments_and_keeps_the_width() -> None:
    strip = Strip([Segment("ab", Style(bold=True)), Segment("中文"), Segment("cd")])
    painted = overlay(strip, [(1, 3)], Style(underline=True))
    assert [(s.text, bool(s.style and s.style.underline)) for s in painted] == [
        ("a", False),
        ("b", True),
        ("中", True),
        ("文", False),
        ("cd", False),
    ]
    assert painted.cell_length == strip.cell_length
    assert next(iter(painted)).style == Style(bold=True)
