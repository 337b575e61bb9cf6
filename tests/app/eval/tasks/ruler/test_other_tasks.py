"""RULER's variable tracking and word counting, checked by tracking and counting."""

import re
from collections import Counter

import pytest

from app.eval.sample import Sample, Task
from app.eval.tasks.ruler import NAMES, effective_length, tasks
from app.eval.tasks.ruler.common_words import CommonWords
from app.eval.tasks.ruler.frequent_words import LEAST, FrequentWords, frequencies
from app.eval.tasks.ruler.variables import Variables
from qwen2_mlx.errors import PromptError, Qwen2Error
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.tokenizers import used

OTHERS = (Variables, CommonWords, FrequentWords)


def first(task: Task, tokenizer: Tokenizer) -> Sample:
    return task.sample(next(iter(task.cells())), tokenizer)


def test_there_are_the_eleven_tasks_that_need_no_data() -> None:
    assert [task.name for task in tasks([4096], 1, 0)] == [f"ruler/{name}" for name in NAMES]
    assert len(set(NAMES)) == 11
    assert [task.name for task in tasks([4096], 1, 0, ["vt", "niah_single_1"])] == [
        "ruler/vt",
        "ruler/niah_single_1",
    ]


def test_an_unknown_task_is_answered_with_the_known_ones() -> None:
    with pytest.raises(Qwen2Error, match=r"no RULER task 'qa_1' here; there are niah_single_1, .* fwe"):
        tasks([4096], 1, 0, ["qa_1"])


def test_the_effective_length_is_the_longest_that_passes() -> None:
    assert effective_length({4096: 96.9, 8192: 85.6, 16384: 85.59}) == 8192
    assert effective_length({4096: 96.9, 8192: 80.0, 16384: 90.0}) == 16384
    assert effective_length({4096: 85.5}) is None


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("length", [1024, 8192])
def test_every_prompt_fills_its_length(tokenizer: Tokenizer, kind: type, length: int) -> None:
    task = kind([length], 2, 0)
    for cell in task.cells():
        assert 0.98 * length <= used(task.sample(cell, tokenizer), tokenizer) <= length


@pytest.mark.parametrize("kind", OTHERS)
def test_a_sample_is_a_function_of_seed_and_cell(small: Tokenizer, kind: type) -> None:
    cells = list(kind([1024], 3, 7).cells())
    documents = [kind([1024], 3, 7).sample(cell, small).document for cell in cells]
    task = kind([1024], 3, 7)
    assert [task.sample(cell, small).document for cell in reversed(cells)] == documents[::-1]
    assert len(set(documents)) == len({cell.id for cell in cells}) == 3
    assert kind([1024], 3, 8).sample(cells[0], small).document != documents[0]


def test_five_variables_hold_the_value(small: Tokenizer) -> None:
    task = Variables([2048], 5, 0)
    for cell in task.cells():
        sample = task.sample(cell, small)
        values: dict[str, str] = {}
        for name, source in re.findall(r"VAR (\w+) = (?:VAR )?(\w+)\.", sample.document):
            values[str(name)] = values.get(source, str(source))  # only what was assigned before is known
        (asked,) = re.findall(r"\d{5}", sample.question)
        assert sorted(name for name, value in values.items() if value == asked) == sorted(sample.expected)
        assert len(values) == 5


@pytest.mark.parametrize(("length", "often", "seldom"), [(1024, 6, 1), (4095, 6, 1), (4096, 30, 3)])
def test_ten_words_are_more_common_than_all_others(
    small: Tokenizer, length: int, often: int, seldom: int
) -> None:
    sample = first(CommonWords([length], 1, 0), small)
    lines = [line.split(". ") for line in sample.document.split("\n")]
    assert [int(number) for number, _ in lines] == list(range(1, len(lines) + 1))
    counts = Counter(word for _, word in lines)
    assert {word for word, times in counts.items() if times == often} == set(sample.expected)
    assert set(counts.values()) == {often, seldom}
    assert len(sample.expected) == 10


def test_a_list_without_room_for_the_common_words_is_refused(small: Tokenizer) -> None:
    with pytest.raises(PromptError, match="384 tokens is too short"):
        first(CommonWords([384], 1, 0), small)


def test_frequencies_follow_the_zeta_distribution() -> None:
    """1000 / zeta(2) is 607.9; divided by 4, 9, 16, 25 it is 152.0, 67.5, 38.0 and 24.3."""
    often = frequencies(1000)
    assert often[:5] == [607, 151, 67, 37, 24]
    assert len(often) == 24  # 607.9 / 24^2 is above 1, 607.9 / 25^2 is not
    assert often[-1] == 1


def test_from_the_least_total_on_the_third_word_is_more_frequent_than_the_next() -> None:
    for total in range(LEAST, 3000):
        assert frequencies(total)[3] > frequencies(total)[4]
    assert frequencies(LEAST - 1)[3] == frequencies(LEAST - 1)[4]


def test_the_three_most_frequent_words_after_the_dots_are_asked_for(small: Tokenizer) -> None:
    task = FrequentWords([512, 4096], 3, 0)
    for cell in task.cells():
        sample = task.sample(cell, small)
        ranked = Counter(sample.document.split(" ")).most_common()
        assert ranked[0][0] == "..."
        assert tuple(word for word, _ in ranked[1:4]) == sample.expected
        assert ranked[3][1] > ranked[4][1]


@pytest.mark.parametrize("kind", OTHERS)
def test_the_score_is_the_share_of_words_found(small: Tokenizer, kind: type) -> None:
    sample = first(kind([2048], 1, 0), small)
    assert sample.score(", ".join(sample.expected).swapcase()) == 100.0
    assert sample.score(sample.expected[0]) == pytest.approx(100 / len(sample.expected))
    assert sample.score(sample.question) == 0.0
