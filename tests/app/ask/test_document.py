"""Finding the words of an answer in the document."""

import pytest

from app.ask.document import line_of, read_document

TEXT = "One line.\nThe code of Ab is 5.\nLast line."


@pytest.mark.parametrize(
    ("quote", "line"),
    [
        ("The code of Ab is 5.", 2),
        ("One line.", 1),
        ("Last", 3),
        ("The code of Ab is 6.", None),
        ("", None),
        (" ", None),
    ],
)
def test_a_line_is_named_only_for_words_that_stand_there(quote: str, line: int | None) -> None:
    assert line_of(quote, TEXT) == line


def test_windows_line_ends_and_a_byte_order_mark_are_no_part_of_the_text(tmp_path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert read_document(str(file)) == "one\ntwo\n"
