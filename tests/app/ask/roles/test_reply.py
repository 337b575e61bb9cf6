"""Short replies are cleaned of what models put around them."""

import pytest

from app.ask.roles.reply import one_line, words


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ("What is it?", "What is it?"),
        ("\n\n  What is it?\nMore.", "What is it?"),
        ('"What is it?"', "What is it?"),
        ("Question: What is it?", "What is it?"),
        ("1. What is it?", "What is it?"),
        ("- **", ""),
        ("", ""),
        ('Who wrote "It"?', 'Who wrote "It"?'),
    ],
)
def test_one_line(reply: str, line: str) -> None:
    assert one_line(reply) == line


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("Morvan Telun, trade", ["Morvan Telun", "trade"]),
        ("Words: weaver, Weaver, loom.", ["weaver", "loom"]),
        ("- one\n- two\n", ["one", "two"]),
        ("编号、代码，数字", ["编号", "代码", "数字"]),
        (", ,;", []),
        ("x" * 61, []),
        (",".join(map(str, range(50))), [str(n) for n in range(12)]),
    ],
)
def test_words(reply: str, found: list[str]) -> None:
    assert words(reply) == found
