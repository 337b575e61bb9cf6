"""The pieces of the pictures: SVG text, without a plotting library.

A picture brings its own background, light or dark as the reader's system asks for, so that it
can be read on any page.
"""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from app.cli import clean

_STYLE = """
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292F }
  .page { fill: #FFFFFF } .title { font-size: 14px; font-weight: 600 }
  .number { font-size: 11px; fill: #16181D }
  .axis { stroke: #8C959F; stroke-width: 1; fill: none } .grid { stroke: #D0D7DE; stroke-width: 1 }
  .empty { fill: #D0D7DE } .line { stroke: #24292F; stroke-width: 1.5; fill: none } .dot { fill: #24292F }
  @media (prefers-color-scheme: dark) {
    text { fill: #E6EDF3 } .page { fill: #0D1117 } .number { fill: #16181D }
    .grid { stroke: #30363D } .empty { fill: #30363D } .line { stroke: #E6EDF3 } .dot { fill: #E6EDF3 }
  }"""

Point = tuple[float, float]


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """A whole file; `title` is what a screen reader says."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n<title>{_plain(title)}</title>\n'
        f"<style>{_STYLE}\n</style>\n"
        f'<rect class="page" width="{width:g}" height="{height:g}" rx="6"/>\n{body}\n</svg>\n'
    )


def text(at: Point, content: str, anchor: str = "middle", kind: str | None = None) -> str:
    """A line of text around, from or up to a point on its base line."""
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="{anchor}"{style}>{_plain(content)}</text>'


def box(at: Point, width: float, height: float, fill: str | None = None) -> str:
    """A rectangle from its upper left corner; without `fill` it marks what is not known."""
    look = f'fill="{fill}"' if fill else 'class="empty"'
    return f'<rect x="{at[0]:.1f}" y="{at[1]:.1f}" width="{width:g}" height="{height:g}" {look}/>'


def line(points: Sequence[Point], kind: str, colour: str | None = None, dashes: str | None = None) -> str:
    """A line through points, of a kind that the style knows, in another colour where one is given."""
    style = f" style={quoteattr(f'stroke: {colour}')}" if colour else ""
    style += f' stroke-dasharray="{dashes}"' if dashes else ""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}" fill="none"{style}/>'


def dot(at: Point) -> str:
    """A small filled circle."""
    return f'<circle class="dot" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="2.2"/>'


def _plain(content: str) -> str:
    return escape(clean(content).replace("\n", " "))
