"""Markdown source to blocks, by markdown-it: CommonMark with tables, strikethrough and task boxes.

HTML is text. Link references are off: a definition may follow pages after its use, so a stream
would change what has been read; a definition hidden from view is text lost; and "[1]: ..." in a
document would take over the marks that lead from an answer to its sources.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from app.chat.markdown.blocks import Alignment, Block, Code, Item, Line, Plain, Prose, Quote, Table
from app.chat.markdown.pieces import cut_pieces
from app.chat.markdown.safe import safe

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

#: Levels of containers that are read (a list takes two); what is deeper is shown as it is.
DEEPEST = 40

_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")


@dataclass(frozen=True)
class Node:
    """A block at the top level: markdown-it's name of its kind, its lines [start, end) and its tokens."""

    kind: str
    start: int
    end: int
    tokens: "list[Token]"


class Numbers:
    """Counts the code blocks of a text from 1."""

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def next(self) -> int:
        self.last += 1
        return self.last


@cache
def parser() -> "MarkdownIt":
    """The parser of blocks and, by `parser().inline`, of what is in them."""
    from markdown_it import MarkdownIt

    from app.chat.markdown.rules import emphasis, formula, formula_block, line_break

    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST})
    markdown.enable(["table", "strikethrough"])
    # What is in a block is read when it is drawn, piece by piece.
    markdown.disable(["reference", "inline", "text_join"])
    # Addresses are shown and followed as they are, not as a browser would encode them.
    markdown.normalizeLink = lambda url: url
    markdown.normalizeLinkText = lambda link: link
    markdown.inline.ruler.before("escape", "formula", formula)
    markdown.inline.ruler.before("autolink", "line_break", line_break)
    markdown.inline.ruler.at("emphasis", emphasis)
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    markdown.block.ruler.before("table", "formula_block", formula_block, {"alt": interrupts})
    return markdown


def read_nodes(source: str) -> list[Node]:
    """The blocks at the top level of `source`, in order."""
    nodes: list[Node] = []
    first = 0
    tokens = parser().parse(source)
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            start, end = tokens[first].map or (0, 0)
            nodes.append(Node(token.type.removesuffix("_close"), start, end, tokens[first : index + 1]))
            first = index + 1
    return nodes


def read_blocks(source: str) -> list[Block]:
    """All blocks of `source`."""
    return build(read_nodes(source), source.split("\n"), Numbers())


def build(nodes: Sequence[Node], lines: Sequence[str], numbers: Numbers, blank: bool = False) -> list[Block]:
    """The blocks of `nodes`; `lines` is their source, `blank` says that a blank line stands before it."""
    blocks: list[Block] = []
    for node in nodes:
        blocks += _Builder(lines, numbers, blank).build(node)
    return blocks


def is_blank(line: str) -> bool:
    """Whether nothing but the marks of block quotes is on `line`."""
    return not line.strip(" \t>")


def split_task(text: str) -> tuple[bool | None, str]:
    """Whether the text of a list item begins with a ticked task box (None: with no box), and the rest."""
    match = _TASK.match(text)
    return (match[1] != " ", text[match.end() :]) if match else (None, text)


class _Builder:
    """Makes the blocks of one node."""

    def __init__(self, lines: Sequence[str], numbers: Numbers, blank: bool) -> None:
        self._lines = lines
        self._numbers = numbers
        self._blank = blank

    def build(self, node: Node) -> list[Block]:
        # markdown-it drops what is too deep; nothing that was written may be lost.
        if max(token.level for token in node.tokens) >= DEEPEST - 2:
            return [Plain(self._gap(node.start), list(self._lines[node.start : node.end]))]
        return self._blocks(node.tokens)

    def _gap(self, line: int) -> bool:
        return is_blank(self._lines[line - 1]) if line else self._blank

    def _blocks(self, tokens: "Sequence[Token]") -> list[Block]:
        blocks: list[Block] = []
        at = 0
        while at < len(tokens):
            end = _closing(tokens, at)
            blocks += self._block(tokens[at : end + 1])
            at = end + 1
        return blocks

    def _block(self, tokens: "Sequence[Token]") -> list[Block]:
        first = tokens[0]
        gap = self._gap(_line_of(first))
        match first.type:
            case "paragraph_open":
                return [Prose(gap, 0, cut_pieces(tokens[1].content))]
            case "formula_block":
                return [Prose(gap, 0, cut_pieces(first.content))]
            case "heading_open":
                return [Prose(gap, int(first.tag[1]), cut_pieces(tokens[1].content))]
            case "fence" | "code_block":
                lines = first.content.removesuffix("\n").split("\n") if first.content else []
                return [Code(gap, self._numbers.next(), language_of(first.info), lines)]
            case "hr":
                return [Line(gap)]
            case "blockquote_open":
                return [Quote(gap, self._blocks(tokens[1:-1]))]
            case "table_open":
                return [_table(gap, tokens)]
            case "bullet_list_open" | "ordered_list_open":
                return self._items(tokens)
        return []

    def _items(self, tokens: "Sequence[Token]") -> list[Block]:
        ordered = tokens[0].type == "ordered_list_open"
        number = int(tokens[0].attrGet("start") or 1) if tokens[0].attrGet("start") != 0 else 0
        items: list[Block] = []
        at = 1
        while at < len(tokens) - 1:
            end = _closing(tokens, at)
            item = Item(
                self._gap(_line_of(tokens[at])),
                number + len(items) if ordered else None,
                tokens[at].markup,
                None,
                self._blocks(tokens[at + 1 : end]),
            )
            take_task(item)
            items.append(item)
            at = end + 1
        return items


def language_of(information: str) -> str:
    """The language in the words after a fence; entities in them may have brought anything in."""
    words = safe(information).split()
    return words[0] if words else ""


def take_task(item: Item) -> None:
    """Moves a task box from the text of `item` into its field."""
    if item.children and isinstance(first := item.children[0], Prose) and first.level == 0:
        item.checked, first.pieces[0] = split_task(first.pieces[0])


def _line_of(token: "Token") -> int:
    return token.map[0] if token.map else 0


def _closing(tokens: "Sequence[Token]", at: int) -> int:
    """The index of the token that ends the block beginning at `at`."""
    if tokens[at].nesting <= 0:
        return at
    level = tokens[at].level
    return next(index for index in range(at + 1, len(tokens)) if tokens[index].level == level)


def _table(gap: bool, tokens: "Sequence[Token]") -> Table:
    alignment: list[Alignment] = []
    rows: list[list[str]] = []
    for index, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(tokens[index + 1].content)
            if token.type == "th_open":
                alignment.append(_alignment(str(token.attrGet("style") or "")))
    return Table(gap, alignment, rows[0], rows[1:])


def _alignment(style: str) -> Alignment:
    return "right" if style.endswith("right") else "center" if style.endswith("center") else "left"
