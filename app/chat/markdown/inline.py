"""Inline Markdown to styled text: emphasis, code, links, images, formulas and citation marks."""

import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from rich.style import Style

from app.chat.markdown.cells import Run
from app.chat.markdown.palette import Palette
from app.chat.markdown.parser import parser
from app.chat.markdown.safe import safe

if TYPE_CHECKING:
    from markdown_it.token import Token

#: Opening brackets in a piece beyond which it is shown as it is: the parser tries each with all others.
MOST_BRACKETS = 200

_CITATION = re.compile(r"\[\d{1,6}(?:\s{0,2}[,;]\s{0,2}\d{1,6}){0,40}\]")
# A bracket belongs to an address when it is closed in it, a mark when it does not end it.
_NO_ADDRESS = r"\s<>\[\](){}\"'`“”‘’，。；：！？、（）「」『』【】"
_BRACKETS = rf"\([^{_NO_ADDRESS}]*\)"
_ADDRESS = re.compile(rf"https?://(?:[^{_NO_ADDRESS}]|{_BRACKETS})*(?:[^{_NO_ADDRESS}.,;:!?]|{_BRACKETS})")


def runs_of(pieces: Iterable[str], palette: Palette, citations: Collection[int], base: Style) -> list[Run]:
    """The drawn text of a paragraph's pieces, "\\n" where a line must end."""
    reader = _Reader(palette, citations, base)
    for piece in pieces:
        reader.read(piece)
    return reader.runs()


class _Reader:
    """Turns inline tokens into runs; neighbours of the same style become one."""

    def __init__(self, palette: Palette, citations: Collection[int], base: Style) -> None:
        self._done: list[Run] = []
        self._parts: list[str] = []  # of the run being made, and its style
        self._style = base
        self._palette = palette
        self._citations = citations
        self._base = base
        self._styles: list[Style] = []
        self._link: tuple[str, list[str]] | None = None  # the address, and the text shown for it

    def runs(self) -> list[Run]:
        """All that was read."""
        self._end_run()
        return self._done

    def read(self, piece: str) -> None:
        """Adds the runs of one piece; what is open at its end is closed."""
        if not piece:
            return
        self._styles, self._link = [self._base], None
        if piece.count("[") > MOST_BRACKETS:
            self._text(piece)
            return
        tokens: list[Token] = []
        parser().inline.parse(piece, parser(), {}, tokens)
        for token in tokens:
            self._token(token)

    def _token(self, token: "Token") -> None:
        palette = self._palette
        match token.type:
            case "em_open":
                self._open(palette.emphasis)
            case "strong_open":
                self._open(palette.strong)
            case "s_open":
                # With its marks: not every terminal strikes out, and the text would say the opposite.
                self._open(palette.strike)
                self._put(token.markup, self._styles[-1] + palette.quiet)
            case "s_close":
                self._put(token.markup, self._styles[-1] + palette.quiet)
                self._styles.pop()
            case "em_close" | "strong_close":
                self._styles.pop()
            case "link_open":
                address = _one_line(str(token.attrGet("href") or ""))
                self._link = address, []
                self._open(palette.link + Style.from_meta({"link": address}))
            case "link_close":
                self._close_link()
            case "image":
                self._image(token)
            case "code_inline":
                self._code(token.content)
            case "formula":
                self._put(safe(token.content).replace("\t", " "), self._styles[-1] + palette.formula)
            case "softbreak" | "hardbreak":
                # Nobody who writes to be read on a screen ends a line without meaning it.
                self._put("\n", self._base)
            case _:
                self._text(token.content)

    def _open(self, style: Style) -> None:
        self._styles.append(self._styles[-1] + style)

    def _put(self, text: str, style: Style) -> None:
        # A joiner has nothing to join at the end of a run; its width would depend on what follows.
        text = text.rstrip("\u200d")
        if not text:
            return
        if style != self._style:
            self._end_run()
            self._style = style
        self._parts.append(text)
        if self._link:
            self._link[1].append(text)

    def _end_run(self) -> None:
        if self._parts:
            self._done.append(("".join(self._parts), self._style))
            self._parts = []

    def _text(self, content: str) -> None:
        """Plain text: with citation marks, and with addresses that can be followed."""
        content = _one_line(content)
        if self._citations and "[" in content:
            at = 0
            for match in _CITATION.finditer(content):
                self._with_addresses(content[at : match.start()])
                self._citation(match[0])
                at = match.end()
            content = content[at:]
        self._with_addresses(content)

    def _citation(self, mark: str) -> None:
        style = self._styles[-1]
        parts = re.findall(r"\d+|[^\d]+", mark)
        if len(parts) == 3 and int(parts[1]) in self._citations:
            parts = [mark]
        for part in parts:
            number = int(part.strip("[]")) if part.strip("[]").isdecimal() else None
            if number in self._citations:
                self._put(part, style + self._palette.citation + Style.from_meta({"citation": number}))
            else:
                self._put(part, style)

    def _with_addresses(self, content: str) -> None:
        style = self._styles[-1]
        at = 0
        if "://" in content and not self._link:
            for match in _ADDRESS.finditer(content):
                self._put(content[at : match.start()], style)
                self._put(match[0], style + self._palette.link + Style.from_meta({"link": match[0]}))
                at = match.end()
        self._put(content[at:], style)

    def _code(self, content: str) -> None:
        # The quotes are what tells code from text without colours, and make a copy Markdown again.
        quote = "``" if "`" in content else "`"
        style = self._styles[-1] + self._palette.code
        self._put(quote, style + self._palette.quiet)
        self._put(_one_line(content), style)
        self._put(quote, style + self._palette.quiet)

    def _close_link(self) -> None:
        self._styles.pop()
        address, shown = self._link or ("", [])
        self._link = None
        if "".join(shown) not in (address, address.removeprefix("mailto:")):
            self._address(address)

    def _address(self, address: str) -> None:
        if address:
            style = self._base + self._palette.quiet
            self._put(" (", style)
            self._put(address, style + Style.from_meta({"link": address}))
            self._put(")", style)

    def _image(self, token: "Token") -> None:
        address = _one_line(str(token.attrGet("src") or ""))
        style = self._styles[-1] + self._palette.link + Style.from_meta({"link": address})
        self._put(f"[image: {_one_line(token.content)}]", style)
        self._address(address)


def _one_line(content: str) -> str:
    """Without line ends and tabs, which entities like &#10; bring in as well."""
    return safe(content).replace("\n", " ").replace("\t", " ")
