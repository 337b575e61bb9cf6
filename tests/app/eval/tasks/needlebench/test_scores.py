"""NeedleBench's scores, worked out by hand."""

import pytest

from app.eval.tasks.needlebench import WEIGHTS, overall
from app.eval.tasks.needlebench.single import edit_distance, single_score


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("密码是五", "密码是六七", 2),
    ],
)
def test_edit_distance(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == distance


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        ("It is Ostavi, I think.", 100.0),
        ("abcfe", 16.0),  # one of five characters replaced: 20 x 4/5
        ("abcde", 20.0),
        ("a b c d e f g h i j", 10.0),  # five of ten to delete: 20 x 1/2
        ("ostavi", 0.0),  # the keyword's own case counts, and no character is shared in place
        ("", 0.0),
    ],
)
def test_a_reply_without_the_keyword_earns_a_fifth_of_its_likeness(reply: str, points: float) -> None:
    assert single_score("Ostavi", "ab cde")(reply) == pytest.approx(points)


def test_white_space_is_no_difference() -> None:
    assert single_score("12345", "The code is 1.")("Thecode\nis1.") == pytest.approx(20.0)


def test_the_overall_score_weighs_single_retrieval_most() -> None:
    means = {
        "needlebench/single": 90.0,
        "needlebench/multi-retrieval": 60.0,
        "needlebench/multi-reasoning": 30.0,
    }
    assert overall(means) == pytest.approx(36 + 18 + 9)
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)
