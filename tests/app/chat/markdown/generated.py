"""Markdown made up by hypothesis: well-formed documents, and soup."""

from hypothesis import strategies as st

from app.chat.markdown.opened.table import FIRST_ROWS

_WORDS = (
    "alpha", "beta-gamma", "12", "x_y_z", "don't", "3.5", "a1", "**bold**", "*soft*", "`code`", "~~gone~~",
    "[1]", "[name](http://a.b/c)", "https://d.e/f", "\\(a_1\\)", "$x_2$", "<b>", "&amp;", "\\*", "2 * 3",
    "你好世界", "日本語、テキスト。", "한국어", "😀", "👩‍🚀", "☺️", "e\u0301", "שלום", "مرحبا", "longword" * 8,
    "a<br>b", "**注意：**基准",
)  # fmt: skip

words = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=12).map(lambda many: "w " + " ".join(many))
sentences = st.lists(words, min_size=1, max_size=3).map("\n".join)


def _code(lines: list[str], language: str, fence: str) -> str:
    return "\n".join([fence + language, *lines, fence])


def _table(cells: list[list[str]]) -> str:
    head, *rows = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([head, "|" + ":-:|" * len(cells[0]), *rows])


_LINES = st.lists(
    st.sampled_from(["x = 1", "", "\tdef f():", "    '''", "# c", "中文", "y" * 90]), max_size=5
)
_CELLS = st.integers(1, 4).flatmap(
    lambda columns: st.lists(
        st.lists(
            st.sampled_from(("a", "中文", "two words", "`c`", "z" * 30)), min_size=columns, max_size=columns
        ),
        min_size=1,
        max_size=1 + FIRST_ROWS,  # more rows than decide the columns are fitted anew at the end
    )
)

leaves = st.one_of(
    sentences,
    sentences,
    st.builds(lambda level, text: "#" * level + " " + text, st.integers(1, 6), words),
    st.builds(lambda text, line: text + "\n" + line, words, st.sampled_from(["===", "---"])),
    st.builds(
        _code, _LINES, st.sampled_from(["", "python", "c", "nonsense"]), st.sampled_from(["```", "~~~~"])
    ),
    st.builds(_table, _CELLS),
    st.just("***"),
    st.lists(st.sampled_from(["code", "  deeper", "中文"]), min_size=1, max_size=3).map(
        lambda lines: "\n".join("    " + line for line in lines)
    ),
    words.map(lambda text: " ".join([text] * 40)),
)


def _indented(text: str, first: str, rest: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        (rest if index else first) + line if line or rest.strip() else line
        for index, line in enumerate(lines)
    )


def _list(items: list[str], ordered: bool, loose: bool) -> str:
    marks = [f"{number}. " if ordered else "- " for number in range(3, 3 + len(items))]
    return ("\n\n" if loose else "\n").join(
        _indented(item, mark, " " * len(mark)) for mark, item in zip(marks, items, strict=True)
    )


def _blocks(parts: list[str]) -> str:
    return "\n\n".join(parts)


blocks = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(_blocks).map(lambda text: _indented(text, "> ", "> ")),
        st.builds(
            _list,
            st.lists(st.lists(inner, min_size=1, max_size=2).map(_blocks), min_size=1, max_size=4),
            st.booleans(),
            st.booleans(),
        ),
        st.lists(words.map(lambda text: "[x] " + text), min_size=1, max_size=3).map(
            lambda some: _list(some, False, False)
        ),
    ),
    max_leaves=8,
)
documents = st.lists(blocks, min_size=1, max_size=6).map(lambda parts: _blocks(parts) + "\n")

_SCRAPS = (
    "\n", "\n\n", " ", "  ", "    ", "\t", "- ", "1. ", "2) ", "* ", "> ", "#", "# ", "```", "~~~", "```py\n",
    "|", "|-|\n", "---", "===", "*", "**", "_", "~~", "`", "[", "](", ")", "![", "<", ">", "\\", "$", "$$",
    "\\(", "\\]", "&#x202e;", "&#10;", "[ ] ", "[x] ", "[1]", "a", "word ", "中", "。", "👩\u200d🚀",
    "\ufe0f", "\u200d", "\u0301", "ש", "\u202e", "\x1b[31m", "\r\n",
    "\x00", "\x9b", "\u2028", "\ud800", "z" * 50,
    "https://a.b/", "<br>", "：",
)  # fmt: skip

soup = st.lists(st.one_of(st.sampled_from(_SCRAPS), st.text(max_size=4)), max_size=60).map("".join)


def cut(text: str, places: list[int]) -> list[str]:
    """`text` in pieces that end at these places, taken modulo its length."""
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]


cuts = st.lists(st.integers(0, 10_000), max_size=30)
