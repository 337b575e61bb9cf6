r"""What models write and CommonMark has no rule for: LaTeX, stars beside ideographs, breaks in cells.

LaTeX is kept as it is written: \( \), \[ \], $ $ and $$ $$. CommonMark would take the backslash of
\( away, read emphasis out of a_1 * b_1 * c, and make a list of a line of a formula that begins with
a sign.
"""

import re
from unicodedata import east_asian_width

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.emphasis import tokenize

# Bounded, so that openings without an end cannot cost the square of a text's length. A dollar
# sign opens before and closes after a character that is no space: "$5 and $6" is no formula, nor is
# what stands between a price and a `$NAME` in code.
_FORMULA = re.compile(
    r"\\\(.{1,500}?\\\)|\\\[.{1,1500}?\\\]|\\[()\[\]]"
    r"|\$\$[^$]{1,1500}\$\$|\$(?=[^\s$`])[^$`\n]{0,499}(?<=[^\s\\])\$(?!\d)",
    re.DOTALL,
)


def formula(state: StateInline, silent: bool) -> bool:
    """An inline rule of markdown-it: a formula becomes one token with its text."""
    match = _FORMULA.match(state.src, state.pos, state.posMax)
    if not match:
        return False
    if not silent:
        state.push("formula", "", 0).content = match[0]
    state.pos = match.end()
    return True


def emphasis(state: StateInline, silent: bool) -> bool:
    """markdown-it's rule, but a star beside a wide character needs no space around punctuation.

    CommonMark looks for spaces to tell whether stars begin or end emphasis, so that the second ones
    of **注意：**基准 would end nothing.
    """
    start, known = state.pos, len(state.delimiters)
    if not tokenize(state, silent):
        return False
    before, after = state.src[max(0, start - 1) : start], state.src[state.pos : state.pos + 1]
    if state.src[start] == "*" and (_is_wide(before) or _is_wide(after)):
        for delimiter in state.delimiters[known:]:
            delimiter.open, delimiter.close = bool(after.strip()), bool(before.strip())
    return True


def _is_wide(character: str) -> bool:
    return bool(character) and east_asian_width(character) in "WF"


_BREAK = re.compile(r"<br {0,2}/?>[ \t]{0,9}\n?[ \t]{0,9}", re.IGNORECASE)


def line_break(state: StateInline, silent: bool) -> bool:
    """An inline rule: the one piece of HTML that Markdown cannot do without, as a cell has no lines."""
    match = _BREAK.match(state.src, state.pos, state.posMax)
    if not match:
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos = match.end()
    return True


#: What ends a formula over several lines, by what begins it.
_ENDS = {"\\[": "\\]", "$$": "$$"}


def formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A block rule of markdown-it: lines from an opening mark to the closing one, or to a blank line.

    That the closing one may be missing lets a stream know the block by its first line.
    """
    if state.is_code_block(start):
        return False
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    closing = _ENDS.get(line[:2])
    if closing is None or closing in line[2:]:
        return False
    if silent:
        return True
    after = start + 1
    while after < end and not state.isEmpty(after) and state.sCount[after] >= state.blkIndent:
        after += 1
        if closing in state.src[state.bMarks[after - 1] : state.eMarks[after - 1]]:
            break
    token = state.push("formula_block", "", 0)
    token.content = state.getLines(start, after, state.blkIndent, False).strip()
    token.map = [start, after]
    state.line = after
    return True
