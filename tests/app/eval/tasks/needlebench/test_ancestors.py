"""The dense variant: its answers follow from its text, and its scores are worked out by hand."""

import re

import pytest

from app.eval.tasks.needlebench.ancestors import KINDS, Ancestors, boxed, facts_of, longest, weighted
from qwen2_mlx.errors import PromptError
from qwen2_mlx.tokenizer import Tokenizer
from tests.app.eval.tokenizers import used

NAME = r"([A-Z]\w+ [A-Z]\w+|\w\w·\w\w)"
FORMS = (  # with the elder before the younger in the named groups
    r"^(?P<elder>N) is the (?P<relation>\w+) of (?P<younger>N)\.$",
    r"^The (?P<relation>\w+) of (?P<younger>N) is (?P<elder>N)\.$",
    r"^(?P<younger>N) grew up with (?P<elder>N), the (?P<relation>\w+) of N\.$",
    r"^(?P<elder>N)是(?P<younger>N)的(?P<relation>\w+)。$",
    r"^(?P<younger>N)的(?P<relation>\w+)(是|名叫)(?P<elder>N)。$",
)
YEARS = {
    "father": 1,
    "mother": 1,
    "grandfather": 2,
    "grandmother": 2,
    "父亲": 1,
    "母亲": 1,
    "祖父": 2,
    "祖母": 2,
}


def family(document: str) -> dict[str, tuple[str, int]]:
    """The elder of every younger one and the generations between them, read off the text."""
    found = {}
    for line in document.split("\n"):
        matches = (
            re.match(form.replace("N", "(?:[A-Z]\\w+ [A-Z]\\w+|\\w\\w·\\w\\w)"), line) for form in FORMS
        )
        match = next(match for match in matches if match)
        found[match["younger"]] = match["elder"], YEARS[match["relation"]]
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_answer_follows_from_the_whole_text(small: Tokenizer, language: str) -> None:
    task = Ancestors(3, 0, facts=(2, 8, 32), languages=(language,))
    for cell in task.cells():
        sample = task.sample(cell, small)
        elders = family(sample.document)
        assert len(elders) == facts_of(cell)
        (youngest,) = elders.keys() - {elder for elder, _ in elders.values()}
        person, generations = youngest, 0
        while person in elders:
            person, years = elders[person]
            generations += years
        kind = cell.id.split("/")[-2]
        asked = re.findall(NAME, sample.question)
        assert asked == {"descendant": [person], "distance": [youngest, person]}.get(kind, [youngest])
        assert (str(generations) in sample.question) == (kind in ("ancestor", "descendant"))
        right = {"descendant": youngest, "distance": str(generations)}.get(kind, person)
        assert sample.expected == (right,)


def test_every_number_of_facts_is_asked_about_in_every_way() -> None:
    cells = list(Ancestors(2, 0).cells())
    assert sorted({facts_of(cell) for cell in cells}) == [2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert len(cells) == len({cell.id for cell in cells}) == 9 * 2 * len(KINDS) * 2


def test_the_longest_chain_stays_within_its_length(tokenizer: Tokenizer) -> None:
    task = Ancestors(1, 0, facts=(2, 512))
    for cell in task.cells():
        assert used(task.sample(cell, tokenizer), tokenizer) <= cell.length


def test_facts_that_take_more_than_their_length_are_refused(
    small: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eval.tasks.needlebench.ancestors.TOKENS_A_FACT", 5)
    task = Ancestors(1, 0, facts=(128,))
    with pytest.raises(PromptError, match=r"128 facts are \d+ tokens"):
        task.sample(next(task.cells()), small)


def test_a_sample_is_a_function_of_seed_and_cell(small: Tokenizer) -> None:
    cells = list(Ancestors(2, 0, facts=(8,)).cells())
    first = [Ancestors(2, 0, facts=(8,)).sample(cell, small).document for cell in cells]
    assert first == [Ancestors(2, 0, facts=(8,)).sample(cell, small).document for cell in cells]
    assert len(set(first)) == len(cells)
    assert first[0] != Ancestors(2, 1, facts=(8,)).sample(cells[0], small).document


@pytest.mark.parametrize(
    ("reply", "points"),
    [
        (r"So it is \boxed{Morvan Telun}.", 100.0),
        (r"\boxed{Someone Else}? No: \boxed{ morvan telun }", 100.0),
        (r"\boxed{Morvan Telun}, or rather \boxed{Someone Else}", 0.0),
        (r"\boxed{Morvan}", 0.0),
        ("Morvan Telun", 0.0),
        ("", 0.0),
    ],
)
def test_only_the_last_boxed_answer_counts(reply: str, points: float) -> None:
    assert boxed("Morvan Telun")(reply) == points


def test_long_chains_weigh_more() -> None:
    assert weighted({2: 100.0, 4: 50.0}) == pytest.approx(400 / 6)
    assert weighted({8: 40.0}) == 40.0


def test_the_longest_chain_that_is_mastered() -> None:
    assert longest({2: 100.0, 4: 50.0, 8: 49.9}) == 4
    assert longest({2: 100.0, 4: 20.0, 8: 50.0}) == 8
    assert longest({2: 49.0}) is None
