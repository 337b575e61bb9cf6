"""Markdown as lines for a terminal, drawn as it is being written."""

from app.chat.markdown.document import CodeBlock, MarkdownText
from app.chat.markdown.palette import PLAIN, Palette

__all__ = ["PLAIN", "CodeBlock", "MarkdownText", "Palette"]
