"""Where the sentences of a text stand.

No grammar is known, only signs: full stops (not those of numbers and abbreviations), the marks of
Chinese and Japanese, blank lines, list items, and line breaks that are not the wrapping of a
paragraph.
"""

import re
from collections.abc import Iterator

#: Words that end in a full stop and no sentence does.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof st sr jr vs no nos fig figs eq sec ch art vol pp p cf al etc inc ltd co corp dept"
    " approx est ca jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e u.s u.k a.m p.m ph.d".split()
)

#: Abbreviations that may well be the last word of a sentence.
_MAY_END = frozenset("etc inc ltd co corp al a.m p.m u.s u.k jr sr".split())

_CLOSERS = "\"'”’»)\\]」』）】》"
_STOP = re.compile(rf"[.!?…]{{1,8}}[{_CLOSERS}]{{0,4}}(?=\s|$)|[。！？｡]+[{_CLOSERS}]{{0,4}}")
_LINE_END = re.compile(r"\n\s*")
_LIST_ITEM = re.compile(r"(?:[-*•‣–—·#>|]+\s|\(?\w{1,3}[.)]\s)")
_LAST_WORD = re.compile(r"[^\W_](?:[\w.]*)$")

#: No sentence ends in these.
_GOES_ON = re.compile(r"(?:,|\b(?:a|an|and|as|at|by|for|from|in|is|of|on|or|that|the|to|was|with))$")

#: A line of fewer columns is no full line of a paragraph; a Chinese character is two columns wide.
_FULL_LINE = 40

#: Where a text has no sentence ends, pieces are cut at white space once they are this long.
LONGEST = 1200


def sentences(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each sentence in document order, without white space around it."""
    found: list[tuple[int, int]] = []
    start = 0
    for end in (*_borders(text), len(text)):
        found += _pieces(text, start, end)
        start = end
    return found


def around(spans: list[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Characters `start` to `end` widened to the sentences `spans` that they touch."""
    touched = [span for span in spans if span[0] < end and span[1] > start]
    return (min(start, touched[0][0]), max(end, touched[-1][1])) if touched else (start, end)


def _borders(text: str) -> list[int]:
    stops = [match.end() for match in _STOP.finditer(text) if _ends_sentence(text, match)]
    lines = [match.end() for match in _LINE_END.finditer(text) if _ends_line(text, match)]
    return sorted({*stops, *lines})


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    following = text[stop.end() : stop.end() + 60].lstrip()
    if following[:1].islower():
        return False
    if not stop.group().startswith(".") or stop.group().startswith(".."):
        return True
    word = _LAST_WORD.search(text[max(0, stop.start() - 24) : stop.start()])
    if word is None:
        return True
    last = word.group()
    if len(last) == 1 and last.isalpha() and last.isupper():  # an initial: J. Smith
        return not following[:1].isupper()
    if last.lower() in _ABBREVIATIONS:
        return last.lower() in _MAY_END and following[:1].isupper()
    line = text[max(0, stop.start() - 16) : stop.start()].rpartition("\n")[2]
    return not (last.isdigit() and len(last) <= 3 and line.strip() == last)  # the number of a list item


def _ends_line(text: str, line_break: re.Match[str]) -> bool:
    """Whether a line break is more than the wrapping of a paragraph."""
    if line_break.group().count("\n") > 1:
        return True
    line = text[text.rfind("\n", 0, line_break.start()) + 1 : line_break.start()].rstrip()
    following = text[line_break.end() : line_break.end() + 80]
    if not line or not following or _LIST_ITEM.match(following) or _same_row(line, following):
        return True
    if following[0].islower() or _GOES_ON.search(line):
        return False
    return _columns(line) < _FULL_LINE or line.lstrip().startswith("#") or line.endswith((":", "："))


def _same_row(line: str, following: str) -> bool:
    """Whether both are rows of a table: "name: Ada; born: 1815"."""
    name, colon, _ = line.partition(": ")
    return bool(colon) and following.startswith(name + colon)


def _columns(line: str) -> int:
    return sum(2 if "⺀" <= character <= "\uffef" else 1 for character in line)


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence without white space around it, in pieces where it is endless."""
    while start < end:
        cut = end
        if end - start > LONGEST:
            space = max(text.rfind(" ", start, start + LONGEST), text.rfind("\n", start, start + LONGEST))
            cut = space + 1 if space > start else start + LONGEST
        piece = text[start:cut]
        left = len(piece) - len(piece.lstrip())
        if stripped := piece.strip():
            yield start + left, start + left + len(stripped)
        start = cut
