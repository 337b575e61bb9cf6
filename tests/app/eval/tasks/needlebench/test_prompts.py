"""NeedleBench's prompts: they fill their length, hold their facts, and give nothing away."""

from collections.abc import Sequence
from random import Random

import pytest

from app.eval.sample import Sample, Task
from app.eval.tasks.needlebench import MultiReasoning, MultiRetrieval, Single
from app.eval.tasks.needlebench.chains import invent_chain
from app.eval.tasks.needlebench.facts import invent
from app.eval.tasks.needlebench.reasoning import spaced
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.tokenizers import used

DEPTHS = (0.0, 50.0, 100.0)


def tasks(lengths: Sequence[int], depths: Sequence[float], repeats: int, seed: int) -> list[Task]:
    return [kind(lengths, depths, repeats, seed) for kind in (Single, MultiRetrieval, MultiReasoning)]


def content(sample: Sample) -> tuple[object, ...]:
    return sample.document, sample.question, sample.expected, sample.max_tokens


@pytest.mark.parametrize("length", [1024, 4096])
def test_every_prompt_fills_its_length(tokenizer: Tokenizer, length: int) -> None:
    for task in tasks([length], [30.0], 1, seed=5):
        for cell in task.cells():
            assert 0.98 * length <= used(task.sample(cell, tokenizer), tokenizer) <= length


def test_cells_are_unique_and_weigh_languages_alike() -> None:
    single, retrieval, reasoning = (list(task.cells()) for task in tasks([4096, 8192], DEPTHS, 2, seed=0))
    assert (len(single), len(retrieval), len(reasoning)) == (2 * 2 * 3 * 2, 2 * 2 * 2, 2 * 2 * 4 * 3 * 2)
    for cells in (single, retrieval, reasoning):
        assert len({cell.id for cell in cells}) == len(cells)
        assert sum("/en/" in cell.id for cell in cells) == len(cells) / 2
        assert [cell.length for cell in cells] == sorted(cell.length for cell in cells)


def test_a_sample_is_a_function_of_seed_and_cell(small: Tokenizer) -> None:
    for task, again, other in zip(*(tasks([1024], [0.0, 70.0], 1, seed) for seed in (3, 3, 4)), strict=True):
        cells = list(task.cells())
        backwards = {cell.id: content(again.sample(cell, small)) for cell in reversed(cells)}
        for cell in cells:
            assert content(task.sample(cell, small)) == backwards[cell.id]
            assert content(other.sample(cell, small)) != backwards[cell.id]


def test_the_right_answer_is_in_the_document_and_not_in_the_question(small: Tokenizer) -> None:
    for task in tasks([1024], DEPTHS, 1, seed=1):
        for cell in task.cells():
            sample = task.sample(cell, small)
            assert sample.score(" ".join(sample.expected)) == 100.0
            assert all(text in sample.document for text in sample.expected)
            assert sample.score(sample.question) < 20.0


def test_the_guide_is_left_out_on_request(small: Tokenizer) -> None:
    for kind in (Single, MultiRetrieval, MultiReasoning):
        with_guide: Task = kind([1024], [50.0], 1, 0)
        without: Task = kind([1024], [50.0], 1, 0, guide=False)
        for cell in with_guide.cells():
            longer, question = (task.sample(cell, small).question for task in (with_guide, without))
            assert longer.endswith(question)
            assert longer != question


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_keyword_stands_in_its_own_fact_only(language: str) -> None:
    facts = invent(language, Random(0), 300)
    for fact in facts:
        assert sum(fact.keyword in other.sentence for other in facts) == 1
        assert fact.keyword in fact.sentence
        assert not any(fact.keyword in other.question for other in facts)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_multi_retrieval_hides_one_fact_at_every_depth_and_asks_for_all(
    small: Tokenizer, language: str
) -> None:
    depths = tuple(10.0 * step for step in range(11))
    task = MultiRetrieval([4096], depths, 1, 0, languages=(language,))
    (cell,) = task.cells()
    sample = task.sample(cell, small)
    places = [100 * sample.document.index(keyword) / len(sample.document) for keyword in sample.expected]
    assert places == pytest.approx(depths, abs=8)  # in characters, and every sentence steps back
    assert sample.score(f"{sample.expected[0]}; {sample.expected[7]}") == pytest.approx(200 / 11)


def test_facts_of_a_chain_stand_ten_percent_apart_and_not_beyond_the_end() -> None:
    assert spaced(20.0, 3) == [20.0, 30.0, 40.0]
    assert spaced(85.0, 4) == [85.0, 95.0, 100.0, 100.0]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_facts_of_a_chain_come_in_their_order(small: Tokenizer, language: str, depth: float) -> None:
    task = MultiReasoning([1024], [depth], 1, 0, languages=(language,))
    for cell in task.cells():
        rng = Random(f"0/{cell.id}")
        facts = invent_chain(language, rng, int(cell.id.split("/")[3])).facts
        document = task.sample(cell, small).document
        places = [document.index(fact) for fact in facts]
        assert places == sorted(places)
        assert all(document.count(fact) == 1 for fact in facts)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_only_the_whole_chain_leads_to_the_answer(language: str, count: int) -> None:
    for seed in range(60):
        chain = invent_chain(language, Random(seed), count)
        assert len(chain.facts) == count
        assert chain.answer in chain.facts[-1]
        assert not any(chain.answer in text for text in (*chain.facts[:-1], chain.question))
        links = [invent_chain(language, Random(seed), n).answer for n in range(2, count)]
        for place, name in enumerate(links, 1):  # what a fact in the middle ends with, the next begins with
            assert [name in fact for fact in chain.facts].index(True) == place
            assert name in chain.facts[place + 1]
            assert name not in chain.question


def test_a_persons_name_counts_by_its_words(small: Tokenizer) -> None:
    task = MultiReasoning([2048], [0.0], 12, 0, languages=("en",), facts=(3,))
    samples = [task.sample(cell, small) for cell in task.cells()]
    person = next(sample for sample in samples if len(sample.expected) == 2)
    assert person.score(person.expected[1].lower()) == 50.0
