"""Heat maps: right numbers in right places, right colours, and files that parse."""

import io
from xml.etree import ElementTree

import pytest

from app.eval.report.colours import colour, hexadecimal
from app.eval.report.heat_map import heat_maps
from app.eval.report.summary import Map, maps
from app.eval.report.terminal import render, uses_colour
from app.eval.run import Result

SVG = "{http://www.w3.org/2000/svg}"


def result(
    mode: str, length: int, depth: float | None, score: float, task: str = "needle", n: int = 0
) -> Result:
    return Result(mode, f"{task}/{length}/{depth}/{n}", task, length, depth, score, ["x"], "x", length, 1.0)


NEEDLES = [
    result("plain", 384, 0.0, 100),
    result("plain", 384, 0.0, 50, n=1),
    result("plain", 384, 50.0, 25),
    result("plain", 768, 0.0, 0),
    result("dca", 384, 0.0, 100),
]
WEIGHTS = {"bench/one": 0.4, "bench/two": 0.3, "bench/three": 0.3}


def test_a_cell_is_the_mean_of_its_prompts_and_a_gap_is_no_zero() -> None:
    plain, dca = maps(NEEDLES)
    assert (plain.mode, plain.lengths, plain.rows, plain.title) == (
        "plain",
        [384, 768],
        ["0", "50"],
        "depth %",
    )
    assert plain.values == [[75.0, 0.0], [25.0, None]]
    assert plain.means == [50.0, 0.0]
    assert plain.overall == 25.0
    assert dca.values == [[100.0, None], [None, None]]
    assert dca.means == [100.0, None]


def test_several_tasks_are_rows_and_count_by_their_weights() -> None:
    scores = {"bench/one": 100, "bench/two": 50, "bench/three": 0}
    (shown,) = maps([result("dca", 384, None, s, task) for task, s in scores.items()], WEIGHTS)
    assert shown.rows == ["one", "two", "three"]
    assert shown.title == "task"
    assert shown.means == [pytest.approx(55.0)]


@pytest.mark.parametrize(
    ("score", "code"),
    [(0, "#F0496E"), (50, "#EBB839"), (100, "#0CD79F"), (25, "#EE8054"), (75, "#7CC86C")],
)
def test_the_scale_goes_from_red_over_amber_to_green(score: float, code: str) -> None:
    assert hexadecimal(score) == code


def test_a_pipe_gets_numbers_only() -> None:
    text = render(maps(NEEDLES)[0], "plain", colours=False)
    assert "\x1b" not in text
    lines = [line.split() for line in text.splitlines()]
    assert lines == [
        ["plain"], ["depth", "%", "384", "768"], ["0", "75", "0"], ["50", "25", "-"], ["mean", "50", "0"],
    ]  # fmt: skip


def test_a_terminal_gets_blocks_of_the_exact_colour_with_the_number_in_them() -> None:
    text = render(maps(NEEDLES)[0], "plain", colours=True, environment={"COLORTERM": "truecolor"})
    red, green, blue = colour(75)
    assert f"48;2;{red};{green};{blue}m 75 " in text.replace("  ", " ")
    assert text.count("\x1b[0m") == 5


def test_a_terminal_of_256_colours_gets_the_nearest_ones() -> None:
    text = render(maps(NEEDLES)[0], "plain", colours=True, environment={"COLORTERM": ""})
    assert "48;5;203m" in text  # 0: 255,95,95 is nearest to F0496E
    assert "48;2;" not in text


def test_the_rows_stay_in_line_whatever_the_numbers() -> None:
    lines = render(maps(NEEDLES)[0], "plain", colours=False).splitlines()[1:]
    assert len({len(line) for line in lines}) == 1


def test_colour_is_for_terminals_without_objections() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert uses_colour(Terminal(), {})
    assert not uses_colour(Terminal(), {"NO_COLOR": "1"})
    assert not uses_colour(Terminal(), {"TERM": "dumb"})
    assert not uses_colour(io.StringIO(), {})


def test_the_picture_is_well_formed_and_holds_every_number() -> None:
    root = ElementTree.fromstring(heat_maps(maps(NEEDLES), "needle, <me> & you\x1b"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    for expected in (
        "needle, <me> & you",
        "plain, mean 25.0",
        "dca, mean 100.0",
        "384",
        "768",
        "75",
        "depth %",
    ):
        assert expected in texts
    fills = [box.get("fill") for box in root.iter(f"{SVG}rect")]
    assert fills.count(hexadecimal(75)) == 1
    assert [box.get("class") for box in root.iter(f"{SVG}rect")].count("empty") == 1 + 3
    assert len(list(root.iter(f"{SVG}polyline"))) == 2 * 3
    assert "prefers-color-scheme: dark" in (root.find(f"{SVG}style").text or "")  # type: ignore[union-attr]


def test_wide_maps_stand_below_each_other_and_all_within_the_picture() -> None:
    many = [
        result(f"mode {m}", 1024 * k, d, 50) for m in range(4) for k in range(1, 17) for d in (0.0, 100.0)
    ]
    root = ElementTree.fromstring(heat_maps(maps(many), "needle"))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert width < 1600
    for group in root.iter(f"{SVG}g"):
        left, top = map(float, group.get("transform", "")[len("translate(") : -1].split())
        for box in group.iter(f"{SVG}rect"):
            assert 0 <= left + float(box.get("x", 0)) <= width - float(box.get("width", 0))
            assert 0 <= top + float(box.get("y", 0)) <= height - float(box.get("height", 0))
        for text in group.iter(f"{SVG}text"):
            assert 0 < top + float(text.get("y", 0)) < height


def test_a_single_cell_is_a_picture_too() -> None:
    one = Map("dca", ["0"], "depth %", [384], [[100.0]], [1.0])
    ElementTree.fromstring(heat_maps([one], "needle"))
