"""A chat as Markdown: a heading for each message, its text as it was written, and its sources."""

import re

from markdown_it import MarkdownIt

from app.chat.portable.outline import Entry, moment, outline, source_line, sources, title_of
from app.chat.store import ChatCopy
from app.cli import clean

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_OPENING = re.compile(r"[`~<]")  # without one of these nothing can stay open
_TICKS = re.compile(r"`{3,}")


def as_markdown(copy: ChatCopy, whole_tree: bool) -> str:
    """The branch that is shown; `whole_tree`: all branches, each message with its number."""
    parts = [f"# {_plain(title_of(copy))}", _about(copy)]
    parser = MarkdownIt("commonmark")
    parts += [_message(entry, parser) for entry in outline(copy, whole_tree)]
    return clean("\n\n".join(part for part in parts if part)) + "\n"


def _about(copy: ChatCopy) -> str:
    lines = [f"- Begun: {moment(copy.created)}", f"- Model: {_plain(copy.options.setup.model)}"]
    lines += [f"- Document: {_plain(attached.name)}" for attached in copy.attachments]
    if copy.options.system:
        lines += ["", *(f"> {_plain(line)}" for line in copy.options.system.splitlines())]
    return "\n".join(lines)


def _message(entry: Entry, parser: MarkdownIt) -> str:
    parts = [f"## {_plain(entry.heading)}", closed(entry.message.content, parser)]
    if entry.note:
        parts.append(f"*({_plain(entry.note)})*")
    if cited := sources(entry.message):
        lines = [
            f"- [{one.number}] {_plain(source_line(one))}: “{_plain(' '.join(one.quote.split()))}”"
            for one in cited
        ]
        parts.append("\n".join(["Sources:", "", *lines]))
    return "\n\n".join(part for part in parts if part)


def closed(text: str, parser: MarkdownIt) -> str:
    """`text` such that what follows it stands on its own, whatever was left open in it.

    An answer that was stopped in a code block gets its closing fence; what cannot be closed like this,
    such as a comment of HTML, is quoted as a whole.
    """
    text = text.strip("\n")
    if _ends_open(text, parser):
        opened = parser.parse(text)[-1]
        text += f"\n{opened.markup}" if opened.type == "fence" else ""
        if _ends_open(text, parser):
            longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=2)
            fence = "`" * (longest + 1)
            text = f"{fence}\n{text}\n{fence}"
    return text


def _ends_open(text: str, parser: MarkdownIt) -> bool:
    """Whether a heading behind it would be taken for a part of it."""
    if not _OPENING.search(text):
        return False
    last = parser.parse(f"{text}\n\n## x")[-1]
    return last.type != "heading_close" or last.level != 0


def _plain(text: str) -> str:
    """`text` with nothing in it that Markdown takes for more than text."""
    return _SPECIAL.sub(r"\\\1", text)
