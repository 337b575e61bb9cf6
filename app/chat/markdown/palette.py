"""The styles in which Markdown is drawn, made from a Textual theme.

No colour means anything by itself: each construct keeps a mark or an attribute as well, so that
it is understood with sixteen colours and with none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.style import Style

if TYPE_CHECKING:
    from textual.app import App


@dataclass(frozen=True)
class Palette:
    """A style for each role. `quiet` is for marks and frames, `tokens` for code by pygments' kinds."""

    text: Style
    quiet: Style
    heading: Style
    strong: Style
    emphasis: Style
    strike: Style
    code: Style
    link: Style
    citation: Style
    formula: Style
    marker: Style
    keyword: Style
    name: Style
    string: Style
    number: Style
    comment: Style
    error: Style

    @classmethod
    def of(cls, app: "App[Any]") -> "Palette":
        """The palette of the app's theme; `PLAIN` under NO_COLOR."""
        return PLAIN if app.no_color else cls.from_variables(app.get_css_variables())

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> "Palette":
        """The palette of a theme's variables, as `App.get_css_variables` gives them."""

        def in_colour(role: str, attributes: str = "") -> Style:
            return Style.parse(attributes) + Style(color=_colour(variables.get(role, "")))

        return cls(
            text=Style(),
            quiet=Style(dim=True),
            heading=in_colour("text-primary", "bold"),
            strong=Style(bold=True),
            emphasis=Style(italic=True),
            strike=Style(strike=True),
            code=in_colour("text-accent"),
            link=in_colour("text-primary", "underline"),
            citation=in_colour("text-accent", "bold"),
            formula=in_colour("text-secondary"),
            marker=in_colour("text-primary"),
            keyword=in_colour("text-primary"),
            name=in_colour("text-secondary"),
            string=in_colour("text-success"),
            number=in_colour("text-warning"),
            comment=Style(dim=True, italic=True),
            error=in_colour("text-error"),
        )


def _colour(value: str) -> Any:
    """The rich colour of a theme's value; None for what names none by itself, as "auto 60%" does."""
    from textual.color import Color, ColorParseError

    try:
        colour = Color.parse(value.split(" ")[0])
    except ColorParseError:
        return None
    return None if colour.a == 0 else colour.rich_color


#: Attributes without colours.
PLAIN = Palette.from_variables({})
