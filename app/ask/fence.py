"""Text of documents and people is data: nothing in it can end the fence of a prompt or pass for a mark.

Replacements keep the length, so that a character of fenced text is the character of the
document at the same offset. Control tokens need nothing here: the tokenizer reads their like
in any text as the characters they are.
"""

import re

#: What may stand between "<" and the name of the fence: white space, slashes, and characters that
#: no one sees but that keep a plain search from finding it.
_HIDDEN = r"[\s/\\\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
_FENCE = re.compile(rf"[<＜]{_HIDDEN}(?={_HIDDEN.join('document')})", re.IGNORECASE)

#: "[12]" and "[1, 3]", which in an answer name parts.
_MARK = re.compile(r"\[(?=[\s,;]{0,40}\d)([\s\d,;]{1,200})\]")


def fence(text: str) -> str:
    """`text`, of the same length, without `<document>`, `</document>` and marks like "[12]".

    Angle and square brackets become round ones; everything else stays.
    """
    text = _FENCE.sub(lambda match: "(" + match.group()[1:], text)
    return _MARK.sub(r"(\1)", text)
