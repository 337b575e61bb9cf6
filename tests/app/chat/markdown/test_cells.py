"""Lines by the cells that text takes."""

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from app.chat.markdown.cells import Fold, cells, cut, wrap, wrap_open

BOLD = Style(bold=True)
TEXTS = st.text(alphabet=st.sampled_from("ab  中国。（é\u0301👩\u200d🚀☺\ufe0fשtext\n"), max_size=80)


def joined(lines: list[list[tuple[str, Style]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(4, 30))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    lines = joined(wrap([(text, Style())], width))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\n", "")
    assert all(cell_len(line) <= width for line in lines)


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS, st.integers(4, 30))
def test_what_follows_a_space_wraps_as_in_the_whole(before: str, after: str, width: int) -> None:
    before = before.rstrip(" \n") + "x "
    after = "y" + after
    lines, carry = wrap_open([(before, Style())], width)
    rest = wrap([*carry, (after, Style())], width)
    assert joined([*lines, *rest]) == joined(wrap([(before + after, Style())], width))


def test_styles_stay_with_their_text() -> None:
    lines = wrap([("one t", Style()), ("wo thr", BOLD), ("ee", Style())], 7)
    assert lines == [[("one t", Style()), ("wo", BOLD)], [("thr", BOLD), ("ee", Style())]]


def test_cut_takes_spans_out_of_runs() -> None:
    runs = [("abc", Style()), ("def", BOLD)]
    assert list(cut(runs, [(1, 2), (2, 5), (5, 6)])) == [
        [("b", Style())],
        [("c", Style()), ("de", BOLD)],
        [("f", BOLD)],
    ]


def test_no_line_begins_with_a_closing_mark() -> None:
    lines = joined(wrap([("中文（好）。" * 20, Style())], 11))
    assert all(line[0] not in "）。" and line[-1] != "（" for line in lines)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="ab中\t é", max_size=10), max_size=10), st.integers(2, 20))
def test_folding_in_pieces_is_folding_at_once(pieces: list[str], width: int) -> None:
    many, one = Fold(width), Fold(width)
    for piece in pieces:
        many.feed(piece, Style())
    one.feed("".join(pieces), Style())
    assert joined(many.rows) == joined(one.rows)
    assert all(cells(row) <= width for row in many.rows)


def test_tabs_reach_to_stops_of_the_unbroken_line() -> None:
    fold = Fold(6)
    fold.feed("ab\tcd\te", Style())
    assert joined(fold.rows) == ["ab  cd", "  e"]
