"""One hidden fact: where it stands, how long the prompt is, what counts as found."""

from itertools import pairwise

import pytest

from app.eval.haystack import prompt_length
from app.eval.sample import Cell, Sample
from app.eval.tasks.needle import Needle
from app.eval.tasks.passkey import Passkey
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.tokenizers import used

KINDS = [Needle, Passkey]


def samples(
    kind: type[Needle] | type[Passkey],
    tokenizer: Tokenizer,
    length: int = 384,
    depths: tuple[float, ...] = (0.0, 50.0, 100.0),
    **settings: str,
) -> list[Sample]:
    task = kind([length], depths, 2, 0, **settings)
    return [task.sample(cell, tokenizer) for cell in task.cells()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [384, 1000, 6144])
def test_the_prompt_fills_its_length_and_never_more(
    kind: type[Needle], tokenizer: Tokenizer, length: int
) -> None:
    for sample in samples(kind, tokenizer, length):
        assert length - 0.02 * length - 1 <= used(sample, tokenizer) <= length


@pytest.mark.parametrize("kind", KINDS)
def test_the_needle_stands_once_and_the_question_does_not_give_it_away(
    kind: type[Needle], small: Tokenizer
) -> None:
    for sample in samples(kind, small, 1000):
        (value,) = sample.expected
        assert sample.document.count(value) == 1
        assert value.casefold() not in sample.question.casefold()


@pytest.mark.parametrize("kind", KINDS)
def test_the_needle_stands_at_its_depth(kind: type[Needle], small: Tokenizer) -> None:
    depths = (0.0, 25.0, 50.0, 75.0, 100.0)
    for sample in samples(kind, small, 3000, depths):
        assert sample.cell.depth is not None
        before = sample.document[: sample.document.index(sample.expected[0])]
        needle = before.rindex("The ")
        share = 100 * len(small.encode(before[:needle])) / len(small.encode(sample.document))
        assert share == pytest.approx(sample.cell.depth, abs=2.0)
        assert sample.document.endswith(f"{sample.expected[0]}.") == (sample.cell.depth == 100)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_depends_on_seed_and_cell_alone(kind: type[Needle], small: Tokenizer) -> None:
    def write(task: Needle) -> dict[str, tuple[str, str]]:
        written = (task.sample(cell, small) for cell in task.cells())
        return {sample.cell.id: (sample.document, sample.question) for sample in written}

    few, many = write(kind([384], [50.0], 1, 0)), write(kind([200, 384], [0.0, 50.0], 2, 0))
    assert few.items() <= many.items()
    assert len(set(many.values())) == len(many) == 8
    assert not set(write(kind([384], [50.0], 1, 1)).values()) & set(many.values())


def test_cells_come_with_short_prompts_first_and_names_of_their_own(small: Tokenizer) -> None:
    cells = list(Needle([384, 768], [0.0, 12.5], 3, 0).cells())
    assert cells[0] == Cell("needle/384/0/0", "needle", 384, 0.0)
    assert cells[5].id == "needle/384/12.5/2"
    assert len({cell.id for cell in cells}) == 12
    assert all(a.length <= b.length for a, b in pairwise(cells))


def test_a_chinese_haystack_hides_a_chinese_needle(tokenizer: Tokenizer) -> None:
    for sample in samples(Needle, tokenizer, 1000, language="zh"):
        assert sample.question.endswith("？")
        assert sample.expected[0] in sample.document
        assert prompt_length(tokenizer, sample.document, sample.question) <= 1000


def test_a_needle_is_found_whatever_the_case_and_the_words_around_it(small: Tokenizer) -> None:
    for sample in samples(Needle, small):
        (value,) = sample.expected
        assert sample.score(f"I think it is {value.upper()}, as the text says.") == 100
        assert sample.score("The text does not say.") == 0
        assert sample.score("") == 0


def test_a_passkey_is_found_only_as_this_very_number(small: Tokenizer) -> None:
    for sample in samples(Passkey, small):
        (value,) = sample.expected
        assert sample.score(f"It is {value}.") == 100
        assert sample.score(f"It is 9{value}.") == sample.score(f"It is {value}9.") == 0
        assert sample.score(f"It is {value[::-1] if value != value[::-1] else value[1:]}.") == 0


def test_a_passkey_hides_among_few_sentences(small: Tokenizer) -> None:
    for sample in samples(Passkey, small, 3000):
        sentences = sample.document.replace("\n", " ").split(". ")
        assert len(set(sentences)) <= 7
