"""The styles of every theme."""

import asyncio
from dataclasses import fields

import pytest
from rich.color import ColorType
from textual.app import App
from textual.theme import BUILTIN_THEMES

from app.chat.markdown import PLAIN, MarkdownText, Palette


@pytest.mark.parametrize("name", sorted(BUILTIN_THEMES))
def test_every_theme_gives_a_palette(name: str) -> None:
    theme = BUILTIN_THEMES[name]
    palette = Palette.from_variables(theme.to_color_system().generate())
    assert palette.link.color is not None
    if theme.ansi:
        colours = [getattr(palette, field.name).color for field in fields(palette)]
        assert all(colour is None or colour.type is not ColorType.TRUECOLOR for colour in colours)


def test_the_plain_palette_has_no_colours() -> None:
    assert all(getattr(PLAIN, field.name).color is None for field in fields(PLAIN))


def test_of_an_app_follows_its_theme() -> None:
    async def palettes() -> list[Palette]:
        app: App[None] = App()
        async with app.run_test():
            found = []
            for app.theme in ("textual-dark", "ansi-light"):
                found.append(Palette.of(app))
            return found

    dark, light = asyncio.run(palettes())
    assert dark != light


def test_no_color_gives_the_plain_palette(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert Palette.of(App()) is PLAIN


def test_another_palette_draws_the_same_text() -> None:
    dark = Palette.from_variables(BUILTIN_THEMES["textual-dark"].to_color_system().generate())
    text = MarkdownText("# a\n\n`b` [1]\n\n```py\nif x: 1\n```", palette=PLAIN)
    plain = list(text.plain(40))
    text.restyle(dark, [1])
    assert list(text.plain(40)) == plain
    assert any(style and style.color for strip in text.lines(40) for _, style, _ in strip)
    assert any(style and style.meta == {"citation": 1} for strip in text.lines(40) for _, style, _ in strip)
