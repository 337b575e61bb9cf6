"""A stop string ends the text, however the text arrives, and no part of it is shown."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qwen2_mlx.stop_strings import StopStrings

#: Few letters, so that stop strings often begin, overlap and repeat.
letters = st.text(alphabet="ab中\n", max_size=24)
stop_lists = st.lists(st.text(alphabet="ab中\n", max_size=4), max_size=4)


def shown(pieces: Sequence[str], stops: Sequence[str]) -> tuple[str, bool]:
    """All that is shown of `pieces`, and whether a stop string was found."""
    stream = StopStrings(stops)
    text = "".join(stream.add(piece) for piece in pieces) + stream.finish()
    return text, stream.found


def by_definition(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the stop string that is complete first, the longest of several."""
    for end in range(1, len(text) + 1):
        complete = [stop for stop in stops if stop and text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))], True
    return text, False


@given(text=letters, stops=stop_lists, cuts=st.lists(st.integers(0, 24)))
@settings(max_examples=500)
@example(text="abcd", stops=["abcd", "bc"], cuts=[])
@example(text="abcd", stops=["bc", "abcd"], cuts=[3])
@example(text="aabaab", stops=["aabb", "baa"], cuts=[1, 2, 3, 4, 5])
def test_any_cut_into_pieces_shows_the_same_text(text: str, stops: list[str], cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    assert shown(pieces, stops) == by_definition(text, stops)


@given(text=letters, stops=stop_lists)
def test_nothing_is_held_back_longer_than_it_could_begin_a_stop_string(text: str, stops: list[str]) -> None:
    stream, given_out = StopStrings(stops), ""
    for end, character in enumerate(text, 1):
        given_out += stream.add(character)
        if stream.found:
            return
        held = text[len(given_out) : end]
        assert held == "" or any(stop.startswith(held) and stop != held for stop in stops)


@pytest.mark.parametrize(
    ("pieces", "stops", "expected"),
    [
        (["Hello wor", "ld"], ["world"], "Hello "),
        (["a", "<", "/", "s", ">", "b"], ["</s>"], "a"),
        (["a<", "/b"], ["</s>"], "a</b"),
        (["ababa", "bc"], ["ababc"], "ab"),
        (["END of END", "ING"], ["ENDING"], "END of "),
        (["x\n", "\nUser:"], ["\n\n", "User:"], "x"),
        (["abc"], [""], "abc"),
        (["abc"], [], "abc"),
        (["", "stop"], ["stop"], ""),
    ],
)
def test_the_text_before_a_stop_string_is_shown(pieces: list[str], stops: list[str], expected: str) -> None:
    assert shown(pieces, stops)[0] == expected


def test_nothing_is_shown_after_a_stop_string() -> None:
    stream = StopStrings(["."])
    assert [stream.add("One. Two"), stream.add(" three."), stream.finish()] == ["One", "", ""]
    assert stream.found


def test_text_that_only_began_a_stop_string_is_shown_at_the_end() -> None:
    stream = StopStrings(["</answer>"])
    assert [stream.add("5 </ans"), stream.finish()] == ["5 ", "</ans"]
    assert not stream.found
