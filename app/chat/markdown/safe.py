"""Text from a model or a document, made harmless for a terminal."""

from app.cli import clean

#: Left out: marks that change the order in which text is read, so that code could show other
#: than what it does, and the byte order mark. Lone surrogates, which no encoding can write,
#: become the replacement character; the two Unicode line ends become spaces.
_UNSAFE: dict[int, str | None] = {
    **dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF)),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
    0x2028: " ",
    0x2029: " ",
}


def safe(text: str) -> str:
    """`text` without control characters other than newline and tab, and without bidi overrides.

    Works piece by piece on a stream.
    """
    return text if text.isascii() and text.isprintable() else clean(text).translate(_UNSAFE)
