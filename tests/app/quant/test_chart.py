"""The picture of size against divergence."""

from xml.etree import ElementTree

import pytest

from app.quant.chart import size_chart

SPACE = "{http://www.w3.org/2000/svg}"


def dots(picture: str) -> list[tuple[float, float]]:
    return [
        (float(dot.attrib["cx"]), float(dot.attrib["cy"]))
        for dot in ElementTree.fromstring(picture).iter(f"{SPACE}circle")
    ]


def test_larger_is_further_right_and_worse_is_higher() -> None:
    (x1, y1), (x2, y2), (x3, y3) = dots(size_chart("t", [("a", 1, 0.1), ("b", 2, 0.01), ("c", 3, 0.001)]))
    assert x1 < x2 < x3
    assert y1 < y2 < y3
    assert y2 - y1 == pytest.approx(y3 - y2, abs=0.2)  # a decade each
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)


@pytest.mark.parametrize("values", [[0.0], [1.0], [0.0, 0.0], [1e-7, 3.0], [0.5, 0.5]])
@pytest.mark.parametrize("size", [0.004, 1.0, 40_000.0])
def test_every_point_lies_inside_the_picture(values: list[float], size: float) -> None:
    picture = size_chart("t", [(f"point {kl}", size, kl) for kl in values])
    root = ElementTree.fromstring(picture)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(0 < x < width and 0 < y < height for x, y in dots(picture))


def test_names_are_text_and_nothing_else() -> None:
    picture = size_chart("<script>", [("<b>&\x1b[31m", 1, 0.1)])
    assert "<b>" not in picture
    assert "\x1b" not in picture
    assert "<b>&[31m" in "".join(ElementTree.fromstring(picture).itertext())
