"""Rows of roles are what the programs would send, and their replies follow from their documents."""

import json
import re
from collections.abc import Callable, Iterator
from random import Random

import pytest
from tokenizers import Tokenizer

import qwen2_mlx
from app.ask import prompts
from qwen2_mlx.resolve import resolve
from training import roles
from training.roles import LENGTH, answer_tree, question_tree, whole_tree, window_tree, write_trees
from training.trees import Ask, Tree, grow

WRITERS = (window_tree, answer_tree, whole_tree, question_tree)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(resolve("tiny") / "tokenizer.json"))


def branches(tree: Tree) -> Iterator[tuple[str, list[int]]]:
    """The role of every branch and the whole chat it stands for."""
    for number, role in enumerate(tree.roles, 1):
        yield role, [t for t, b in zip(tree.ids, tree.branches, strict=True) if b in (0, number)]


@pytest.fixture
def asks(monkeypatch) -> list[Ask]:
    """Everything that goes into trees from now on."""
    written: list[Ask] = []

    def noting(tokenizer: Tokenizer, given: list[Ask]) -> Tree:
        written.extend(given)
        return grow(tokenizer, given)

    monkeypatch.setattr(roles, "grow", noting)
    return written


@pytest.mark.parametrize("writer", WRITERS)
def test_each_branch_is_the_chat_that_the_programs_send(
    writer: Callable[[Random, Tokenizer], Tree], tokenizer: Tokenizer, asks: list[Ask]
) -> None:
    _, engine = qwen2_mlx.load("tiny")
    for seed in range(10):
        asks.clear()
        tree = writer(Random(seed), tokenizer)
        for ask, (role, ids) in zip(asks, branches(tree), strict=True):
            sent = engine.encode_chat([{"role": "user", "content": ask.prompt}])
            assert role == ask.role
            assert ids[: len(sent)] == sent
            assert engine.decode(ids[len(sent) :]) == ask.reply


@pytest.mark.parametrize("writer", WRITERS)
def test_no_position_exceeds_the_trained_length(
    writer: Callable[[Random, Tokenizer], Tree], tokenizer: Tokenizer
) -> None:
    for seed in range(60):
        tree = writer(Random(seed), tokenizer)
        assert max(tree.positions) <= LENGTH + 4
        assert len(tree.ids) <= roles.FULL.tree + 60


def test_only_replies_weigh(tokenizer: Tokenizer) -> None:
    ask = Ask("answer", prompts.answer(["x"], "Who?"), "The trade of Krisel Tarbo is weaver [2].")
    tree = grow(tokenizer, [ask])
    heavy = [t for t, w in zip(tree.ids, tree.weights, strict=True) if w > 0]
    assert tokenizer.decode(heavy) == ask.reply
    number = tokenizer.encode("[2]").ids[1]
    assert max(tree.weights) == next(
        w for t, w in zip(tree.ids, tree.weights, strict=True) if t == number and w > 0
    )


def test_trees_of_different_beginnings_are_refused(tokenizer: Tokenizer) -> None:
    asked = [Ask("relevance", prompts.relevance(text, "Who?"), "no") for text in ("x", "y")]
    with pytest.raises(ValueError, match="begin alike"):
        grow(tokenizer, asked)


def test_cited_parts_hold_what_they_are_cited_for(tokenizer: Tokenizer, asks: list[Ask]) -> None:
    for seed in range(60):
        answer_tree(Random(seed), tokenizer)
    cited = 0
    for ask in asks:
        parts = re.split(r"\n\n(?=\[\d+\] )", ask.prompt.split("<document>\n")[1].split("\n</document>")[0])
        for sentence, number in re.findall(r"(\w[^.\[]* is [^.\[]*) \[(\d+)\]\.", ask.reply):
            assert parts[int(number) - 1].startswith(f"[{number}] ")
            assert sentence[1:] in parts[int(number) - 1]
            cited += 1
    assert cited > 150


def test_copied_facts_stand_in_the_document(tokenizer: Tokenizer, asks: list[Ask]) -> None:
    for seed in range(80):
        window_tree(Random(seed), tokenizer)
    copied = 0
    for ask in asks:
        document = ask.prompt.split("\n</document>")[0]
        lines = ask.reply.split("\n") if ask.role in ("notes", "quote") else []
        lines += [json.loads(ask.reply)["content"]] if ask.role == "level2_judge" else []
        for line in lines:
            if line not in ("", prompts.NOTHING_MORE, prompts.NO_QUOTE) and " is " in line:
                assert all(part[1:] in document for part in re.findall(r"\w[^.]+\.", line))
                copied += 1
    assert copied > 60


def test_about_half_of_the_windows_are_relevant(tokenizer: Tokenizer, asks: list[Ask]) -> None:
    for seed in range(100):
        window_tree(Random(seed), tokenizer)
    judged = [ask.reply for ask in asks if ask.role == "relevance"]
    assert {*judged} == {"yes", "no"}
    assert 0.4 < judged.count("yes") / len(judged) < 0.6


def test_a_resolved_question_no_longer_names_the_first_person(tokenizer: Tokenizer, asks: list[Ask]) -> None:
    for seed in range(20):
        question_tree(Random(seed), tokenizer)
    resolved = [ask for ask in asks if ask.role == "resolve"]
    assert len(resolved) > 10
    for ask in resolved:
        finding, question, _ = ask.prompt.split("\n")
        found = re.search(r" is (\w+ \w+)", finding)
        assert found is not None
        assert found[1] in ask.reply
        assert ask.reply.count("the teacher of") == question.count("the teacher of") - 1


def test_a_batch_holds_every_kind_of_tree(tokenizer: Tokenizer) -> None:
    for seed in range(10):
        kinds = {role for tree in write_trees(Random(seed), tokenizer, 10) for role in tree.roles}
        assert {"answer", "relevance", "whole"} <= kinds
        assert kinds & {"kind", "first", "resolve", "standalone", "keywords"}
