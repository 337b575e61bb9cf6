"""Colours of code, whole and line by line."""

import pytest

from app.chat.markdown.colouring import LONGEST_LINE, LineColours, colour_lines, style_of
from app.chat.markdown.palette import PLAIN

PYTHON = [
    "def f(x: int) -> str:",
    '    """Doc',
    "    if text",
    '    """',
    "",
    "    return 'a' + str(1)  # end",
]


def kinds(line: str, colours: list[tuple[int, int, object]]) -> dict[str, str]:
    """The last part of each token type, by the text it is given to."""
    return {line[start:end]: str(kind).rsplit(".", 1)[-1] for start, end, kind in colours}


def test_constructs_over_several_lines_are_coloured() -> None:
    colours = colour_lines("python", PYTHON)
    assert kinds(PYTHON[0], colours[0])["def"] == "Keyword"
    assert kinds(PYTHON[2], colours[2]) == {PYTHON[2]: "Doc"}
    assert kinds(PYTHON[5], colours[5])["# end"] == "Single"


def test_colours_stay_within_their_line() -> None:
    for lines in (PYTHON, ["/* a", "b */ int x;"], ["", "", "x"]):
        for language in ("python", "c", "json", "html", "bash", "console", "diff", "markdown"):
            for line, colours in zip(lines, colour_lines(language, lines), strict=True):
                ends = [0, *(place for start, end, _ in colours for place in (start, end)), len(line)]
                assert ends == sorted(ends)


def test_line_by_line_keeps_the_state_of_the_lexer() -> None:
    by_line = LineColours("javascript")
    lines = ["let a = `one", "two ${b} three`;", "let c = 1;"]
    colours = by_line.several(lines)
    assert kinds(lines[1], colours[1])["two "] == "Backtick"
    assert kinds(lines[2], colours[2])["let"] == "Declaration"


def test_looking_ahead_changes_nothing() -> None:
    lines = LineColours("python")
    lines.peek('x = """')
    assert kinds("if y", lines.next("if y"))["if"] == "Keyword"


@pytest.mark.parametrize("language", ["", "nonsense", "x" * 1000, "../../etc"])
def test_an_unknown_language_has_no_colours(language: str) -> None:
    assert colour_lines(language, ["a = 1"]) == [[]]


def test_a_very_long_line_has_no_colours_and_the_others_have() -> None:
    lines = ["x = 1", "y = '" + "z" * LONGEST_LINE + "'", "if x: pass"]
    colours = colour_lines("python", lines)
    assert colours[0]
    assert not colours[1]
    assert colours[2]


def test_kinds_without_a_style_take_that_of_the_kind_above() -> None:
    from pygments.token import Comment, String, Token

    assert style_of(Comment.Special, PLAIN) == PLAIN.comment
    assert style_of(String.Affix, PLAIN) == PLAIN.string
    assert style_of(Token.Text.Whitespace, PLAIN) == PLAIN.text
