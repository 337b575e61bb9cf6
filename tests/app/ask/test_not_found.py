"""Replies that say that the answer is not there."""

import pytest

from app.ask.not_found import says_not_found
from app.ask.prompts import NOT_FOUND


@pytest.mark.parametrize(
    "reply",
    [NOT_FOUND, "The hour is not in the document", "Not in the part that was read.", "NOT IN THE DOCUMENT"],
)
def test_what_says_so_is_not_found(reply: str) -> None:
    assert says_not_found(reply)


@pytest.mark.parametrize("reply", ["", "The key was not found yet.", "It is in the document."])
def test_what_says_something_else_is_not(reply: str) -> None:
    assert not says_not_found(reply)
