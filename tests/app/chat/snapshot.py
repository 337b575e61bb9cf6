"""What a screen looks like, as text beside the tests: `assert_screen` compares, UPDATE_SNAPSHOTS=1 writes.

A file holds the visible text and, below it, one letter per cell for its style with a legend: "." is
the commonest style. Trailing blanks are left out. The caller fixes size, clock, time zone, seeds and
theme, switches the blinking of cursors off, and waits until the screen shows what it should.
"""

import difflib
import os
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.cells import cell_len
from rich.style import Style
from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot

FOLDER = Path(__file__).parent / "snapshots"

COMMONEST = "."
LETTERS = string.ascii_letters + string.digits + "!$%&*+-=?@^~"
MANY = "#"  # the styles beyond these letters

ATTRIBUTES = ("bold", "dim", "italic", "underline", "strike", "reverse")


def assert_screen(shown: App | Pilot, name: str, styles: bool = True) -> None:
    """Fails with a difference when the screen is not that of `snapshots/NAME.txt`.

    Text and styles are compared apart, so that a wrong colour is not told as a wrong text.
    """
    drawn = picture(shown.app if isinstance(shown, Pilot) else shown, styles)
    file = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(drawn, encoding="utf-8")
        return
    assert file.exists(), f"there is no {file}; UPDATE_SNAPSHOTS=1 writes it:\n{drawn}"
    expected = file.read_text(encoding="utf-8")
    for part, (old, new) in enumerate(zip(_parts(expected), _parts(drawn), strict=True)):
        what = ("text", "style")[part]
        difference = difflib.unified_diff(
            old.splitlines(), new.splitlines(), "expected", "drawn", lineterm=""
        )
        assert old == new, f"the {what} of {name} is another:\n" + "\n".join(difference)


def picture(app: App, styles: bool = True) -> str:
    """The screen that is shown, with those behind it, as a snapshot holds it."""
    cells = [list(_cells(line)) for line in _lines(app)]
    text = "".join(f"{''.join(character for character, _ in line).rstrip()}\n" for line in cells)
    return text + (_SEPARATOR + _style_map(cells) if styles else "")


def visible_text(app: App) -> str:
    """What is written on the screen, without styles: for tests that look for a word."""
    return picture(app, styles=False)


_SEPARATOR = "---- styles\n"

Cell = tuple[str, str]  # what stands there, nothing behind a wide character; its style in words


def _parts(snapshot: str) -> tuple[str, str]:
    text, _, styles = snapshot.partition(_SEPARATOR)
    return text, styles


def _lines(app: App) -> list[list[tuple[str, Style | None]]]:
    token = visible_screen_stack.set(app._background_screens)  # as App.export_screenshot does
    try:
        strips = app.screen._compositor.render_strips()
    finally:
        visible_screen_stack.reset(token)
    return [[(segment.text, segment.style) for segment in strip] for strip in strips]


def _cells(line: list[tuple[str, Style | None]]) -> Iterator[Cell]:
    for text, style in line:
        words = _words(style)
        for character in text:
            yield character, words
            for _ in range(cell_len(character) - 1):
                yield "", words


def _words(style: Style | None) -> str:
    """A style in words: attributes, colour, background."""
    if style is None:
        return "plain"
    words = [name for name in ATTRIBUTES if getattr(style, name)]
    if style.color is not None and not style.color.is_default:
        words.append(style.color.name)
    if style.bgcolor is not None and not style.bgcolor.is_default:
        words += ["on", style.bgcolor.name]
    return " ".join(words) or "plain"


def _style_map(cells: list[list[Cell]]) -> str:
    counted = Counter(style for line in cells for _, style in line)
    commonest = counted.most_common(1)[0][0]
    letters = {commonest: COMMONEST}
    unused = iter(LETTERS)
    for line in cells:
        for _, style in line:
            if style not in letters:
                letters[style] = next(unused, MANY)
    rows = "".join(f"{''.join(letters[style] for _, style in line).rstrip(COMMONEST)}\n" for line in cells)
    legend = "".join(f"{letter} {style}\n" for style, letter in letters.items())
    return rows + legend
