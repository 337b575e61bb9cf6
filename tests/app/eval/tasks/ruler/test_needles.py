"""RULER's eight needle tasks."""

import re

import pytest

from app.eval.tasks.ruler.needles import DEPTHS, NEEDLES, Needles
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.tokenizers import used

LINE = re.compile(r"One of the (number|identifier)s kept under (\S+) is (\S+)\.")
NUMBER = r"[1-9]\d{6}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
WORDS = r"[a-z]+-[a-z]+"

#: Form of the keys, form of the values, needles in all (None: nothing but needles), values asked for.
SHAPES = {
    "niah_single_1": (WORDS, NUMBER, 1, 1),
    "niah_single_2": (WORDS, NUMBER, 1, 1),
    "niah_single_3": (WORDS, UUID, 1, 1),
    "niah_multikey_1": (WORDS, NUMBER, 4, 1),
    "niah_multikey_2": (WORDS, NUMBER, None, 1),
    "niah_multikey_3": (UUID, UUID, None, 1),
    "niah_multivalue": (WORDS, NUMBER, 4, 4),
    "niah_multiquery": (WORDS, NUMBER, 4, 4),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_variant_hides_what_the_paper_says(small: Tokenizer, name: str) -> None:
    key_form, value_form, count, asked = SHAPES[name]
    task = Needles(NEEDLES[name], [1024], 3, seed=0)
    for cell in task.cells():
        sample = task.sample(cell, small)
        needles = [match.groups()[1:] for match in LINE.finditer(sample.document)]
        assert all(re.fullmatch(key_form, k) and re.fullmatch(value_form, v) for k, v in needles)
        assert count is None or len(needles) == count
        named = {key for key, _ in needles if key in sample.question}
        assert sorted(value for key, value in needles if key in named) == sorted(sample.expected)
        assert len(set(sample.expected)) == asked
        assert not any(value in sample.question for value in sample.expected)


def test_the_names_are_those_of_the_paper() -> None:
    assert list(NEEDLES) == list(SHAPES)


@pytest.mark.parametrize("name", ["niah_multikey_2", "niah_multikey_3"])
def test_a_haystack_of_needles_has_nothing_by_which_the_right_one_stands_out(
    small: Tokenizer, name: str
) -> None:
    task = Needles(NEEDLES[name], [4096], 1, seed=0)
    lines = task.sample(next(task.cells()), small).document.split("\n")
    assert len(lines) > 20
    assert all(LINE.fullmatch(line) for line in lines)


def test_noise_repeats_the_same_five_sentences(small: Tokenizer) -> None:
    task = Needles(NEEDLES["niah_single_1"], [2048], 1, seed=0)
    document = LINE.sub("", task.sample(next(task.cells()), small).document)
    assert len({sentence.strip() for sentence in re.split(r"(?<=\.)\s+", document)} - {""}) == 5


def test_there_are_forty_depths_from_one_end_to_the_other() -> None:
    assert len(set(DEPTHS)) == 40
    assert (DEPTHS[0], DEPTHS[1], DEPTHS[-1]) == (0, 3, 100)


def test_depths_are_drawn_over_the_whole_text(small: Tokenizer) -> None:
    task = Needles(NEEDLES["niah_single_2"], [512], 40, seed=0)
    samples = [task.sample(cell, small) for cell in task.cells()]
    places = [s.document.index(s.expected[0]) / len(s.document) for s in samples]
    assert min(places) < 0.15
    assert max(places) > 0.85


@pytest.mark.parametrize("name", NEEDLES)
def test_every_prompt_fills_its_length(tokenizer: Tokenizer, name: str) -> None:
    task = Needles(NEEDLES[name], [4096], 2, seed=0)
    for cell in task.cells():
        assert 0.98 * 4096 <= used(task.sample(cell, tokenizer), tokenizer) <= 4096


@pytest.mark.parametrize("name", NEEDLES)
def test_a_sample_is_a_function_of_seed_and_cell(small: Tokenizer, name: str) -> None:
    cells = list(Needles(NEEDLES[name], [1024], 3, seed=7).cells())
    forwards = [Needles(NEEDLES[name], [1024], 3, 7).sample(cell, small).document for cell in cells]
    task = Needles(NEEDLES[name], [1024], 3, 7)
    assert [task.sample(cell, small).document for cell in reversed(cells)] == forwards[::-1]
    assert len(set(forwards)) == 3
    assert Needles(NEEDLES[name], [1024], 3, 8).sample(cells[0], small).document != forwards[0]


def test_the_score_is_the_share_of_values_found(small: Tokenizer) -> None:
    task = Needles(NEEDLES["niah_multivalue"], [1024], 1, seed=0)
    sample = task.sample(next(task.cells()), small)
    assert sample.score(f"They are {sample.expected[2]} and {sample.expected[0]}.") == 50.0
