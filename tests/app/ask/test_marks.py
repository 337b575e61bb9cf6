"""Sentences of answers and the numbers at their ends."""

import pytest

from app.ask.marks import Marked, split_reply, without_marks


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("The code is 42 [1]. It is red [2].", [("The code is 42.", [1]), ("It is red.", [2])]),
        ("The code is 42. [1] It is red. [2]", [("The code is 42.", [1]), ("It is red.", [2])]),
        ("The code is 42.[1][3] It is red.[2]", [("The code is 42.", [1, 3]), ("It is red.", [2])]),
        ("Both say so [1, 2] [3].", [("Both say so.", [1, 2, 3])]),
        ("It costs 3.5 dollars [1], or 4 [2].", [("It costs 3.5 dollars, or 4.", [1, 2])]),
        ("Dr. Smith is [1] old [1].", [("Dr. Smith is old.", [1])]),
        ("- one [1]\n- two [2]\n", [("- one", [1]), ("- two", [2])]),
        ("[1] One is. [2] Two is.", [("One is.", [1]), ("Two is.", [2])]),
        ("编号是42[1]。颜色是红的。[2]", [("编号是42。", [1]), ("颜色是红的。", [2])]),
        ("No marks. At all", [("No marks.", []), ("At all", [])]),
        ("An array a[i] and [sic] stay [2].", [("An array a[i] and [sic] stay.", [2])]),
        ("[1]", []),
        ("", []),
    ],
)
def test_marks_belong_to_their_sentence(reply: str, expected: list[tuple[str, list[int]]]) -> None:
    assert split_reply(reply) == [Marked(text, tuple(marks)) for text, marks in expected]


def test_marks_are_taken_out_with_the_spaces_before_them() -> None:
    assert without_marks("The code is 42 [1]. It is red.[2, 3]") == "The code is 42. It is red."
