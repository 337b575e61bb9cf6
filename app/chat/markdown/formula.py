r"""LaTeX in Markdown, kept as it is written: \( \), \[ \], $ $ and $$ $$.

CommonMark would take the backslash of \( away, read emphasis out of a_1 * b_1 * c, and make a list
of a line of a formula that begins with a sign.
"""

import re

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

# Bounded, so that openings without an end cannot cost the square of a text's length. A dollar
# sign opens before and closes after a character that is no space: "$5 and $6" is no formula.
_FORMULA = re.compile(
    r"\\\(.{1,500}?\\\)|\\\[.{1,1500}?\\\]|\\[()\[\]]"
    r"|\$\$[^$]{1,1500}\$\$|\$(?=[^\s$])[^$\n]{0,499}(?<=[^\s\\])\$(?!\d)",
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
