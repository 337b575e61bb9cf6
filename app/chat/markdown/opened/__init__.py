"""Blocks that are still growing: each takes line after line and draws what it has at little cost."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from app.chat.markdown.opened.base import Open
from app.chat.markdown.opened.code import OpenFence, OpenIndented
from app.chat.markdown.opened.container import Container, OpenItem, OpenQuote
from app.chat.markdown.opened.prose import OpenProse
from app.chat.markdown.opened.table import OpenTable
from app.chat.markdown.parser import Numbers

if TYPE_CHECKING:
    from app.chat.markdown.growing import Grower

__all__ = ["Container", "Open", "open_block"]


def open_block(
    kind: str, lines: list[str], gap: bool, numbers: Numbers, inner: "Callable[[], Grower]"
) -> Open:
    """The open block of markdown-it's `kind` that begins with these lines."""
    match kind:
        case "blockquote":
            return OpenQuote(gap, inner())
        case "bullet_list" | "ordered_list":
            return OpenItem(gap, lines[0], inner())
        case "fence":
            return OpenFence(gap, lines[0], numbers.next())
        case "code_block":
            return OpenIndented(gap, numbers.next())
        case "table":
            return OpenTable(gap, lines[0], lines[1])
    return OpenProse(gap, lines[0], kind == "heading")
