"""Colours for code, by pygments.

Only places in a line are taken from the lexers, never the text: some of them change it. While a
block grows, each line is read once, in the state in which the one before it ended; a construct
that a lexer knows only as a whole, such as a comment over several lines in some languages, gets
its colour when the block is drawn from the whole source.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from rich.style import Style

from app.chat.markdown.blocks import Colours
from app.chat.markdown.palette import Palette

#: Characters of a line, and of a block, beyond which code stays without colours: a lexer's regular
#: expressions may take the square of a line's length.
LONGEST_LINE, LONGEST_BLOCK = 500, 100_000

_Found = Iterable[tuple[int, Any, str]]


def colour_lines(language: str, lines: Sequence[str]) -> list[Colours]:
    """The colours of each line of a whole block."""
    colours: list[Colours] = [[] for _ in lines]
    lexer = _lexer(language)
    size = sum(map(len, lines)) + len(lines)
    if lexer is None or size > LONGEST_BLOCK or any(len(line) > LONGEST_LINE for line in lines):
        return LineColours(language).several(lines) if lexer is not None else colours
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    row = 0
    for at, kind, text in _tried(lexer.get_tokens_unprocessed("\n".join(lines) + "\n")):
        end = at + len(text)
        while row and starts[row] > at:
            row -= 1
        while row < len(lines) and at < end:
            if starts[row + 1] <= at:
                row += 1
                continue
            stop = min(end, starts[row + 1] - 1)
            if stop > at:
                colours[row].append((at - starts[row], stop - starts[row], kind))
            at = starts[row + 1]
    return colours


class LineColours:
    """Colours line after line, as a block grows."""

    def __init__(self, language: str) -> None:
        self._lexer = _lexer(language)
        self._stack: list[str] = ["root"]
        self._size = 0

    def several(self, lines: Iterable[str]) -> list[Colours]:
        return [self.next(line) for line in lines]

    def next(self, line: str) -> Colours:
        """The colours of the line that follows the last one."""
        colours, self._stack = self._read(line)
        self._size += len(line) + 1
        return colours

    def peek(self, line: str) -> Colours:
        """The colours of a line that is still being written."""
        return self._read(line)[0]

    def _read(self, line: str) -> tuple[Colours, list[str]]:
        if self._lexer is None or len(line) > LONGEST_LINE or self._size > LONGEST_BLOCK:
            return [], self._stack
        stack = list(self._stack)
        found = _step(self._lexer, line + "\n", stack)
        return [(at, min(at + len(text), len(line)), kind) for at, kind, text in _tried(found)], stack


def style_of(kind: Any, palette: Palette) -> Style:
    """The style of a pygments token type: that of the nearest type above it that has one."""
    return getattr(palette, _role_of(kind))


@lru_cache(maxsize=1024)
def _role_of(kind: Any) -> str:
    from pygments.token import Comment, Error, Generic, Keyword, Name, Number, Operator, String

    roles: dict[Any, str] = {
        Comment: "comment",
        Error: "text",
        Generic.Deleted: "error",
        Generic.Inserted: "string",
        Generic.Heading: "heading",
        Generic.Subheading: "heading",
        Generic.Prompt: "quiet",
        Generic.Emph: "emphasis",
        Generic.Strong: "strong",
        Keyword: "keyword",
        Name.Builtin: "name",
        Name.Class: "name",
        Name.Decorator: "name",
        Name.Function: "name",
        Name.Tag: "keyword",
        Number: "number",
        Operator.Word: "keyword",
        String: "string",
    }
    while kind is not None:
        if kind in roles:
            return roles[kind]
        kind = kind.parent
    return "text"


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    """The lexer of a language by any of its names; None for one that pygments does not know."""
    if not language or len(language) > 40:
        return None
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(language)
    except ClassNotFound:
        return None


def _tried(found: _Found) -> Iterator[tuple[int, Any, str]]:
    """What a lexer finds until it fails."""
    try:
        yield from found
    except Exception:  # noqa: BLE001 - five hundred lexers of others; an answer outlives its colours
        return


def _step(lexer: Any, text: str, stack: list[str]) -> _Found:
    """The tokens of one line; `stack`, the lexer's state before it, becomes that after it.

    This is the loop of pygments' `RegexLexer`, which keeps its state to itself. Lexers that work
    in another way read each line by itself.
    """
    from pygments.lexer import RegexLexer
    from pygments.token import _TokenType

    if type(lexer).get_tokens_unprocessed is not RegexLexer.get_tokens_unprocessed:
        yield from lexer.get_tokens_unprocessed(text)
        return
    at = 0
    # A rule may match nothing and only change the state; cut at a line's end, that might never end.
    for _ in range(20 * len(text)):
        if at >= len(text):
            return
        for match_at, action, change in lexer._tokens[stack[-1]]:
            if match := match_at(text, at):
                if type(action) is _TokenType:
                    yield at, action, match.group()
                elif action is not None:
                    yield from action(lexer, match)
                at = match.end()
                _change(stack, change)
                break
        else:
            if text[at] == "\n":
                stack[:] = ["root"]
            at += 1


def _change(stack: list[str], change: Any) -> None:
    """Applies a rule's change of state to the stack, of which one state always stays."""
    if isinstance(change, int):
        del stack[max(1, len(stack) + change) :]
        return
    for state in change if isinstance(change, tuple) else (change,) if change else ():
        if state == "#pop":
            del stack[max(1, len(stack) - 1) :]
        else:
            stack.append(stack[-1] if state == "#push" else state)
