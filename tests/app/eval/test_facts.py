"""Scoring: what counts as exact, and what as made up."""

import json

import pytest

from app.eval.facts import Question, Score, evaluate, write_document
from tests.app.programs import Run

HELD = Question("What is the trade of Ab Cd?", "The trade of Ab Cd is baker.", True, "trade")
MISSING = Question(
    "What is the trade of Ef Gh?", "The trade of Ef Gh is not in the document.", False, "trade"
)


@pytest.mark.parametrize(
    ("answer", "exact"),
    [
        ("The trade of Ab Cd is baker.", 1),
        ("The trade of Ab Cd is baker. ", 1),
        ("The trade of Ab Cd is baker and miller.", 0),
        ("the trade of Ab Cd is baker.", 0),
        ("The trade of Ab Cd is not in the document.", 0),
        ("", 0),
    ],
)
def test_only_the_whole_answer_counts(answer: str, exact: int) -> None:
    score = Score()
    score.add(HELD, answer)
    assert (score.asked, score.exact) == (1, exact)
    assert score.absent_asked == 0


@pytest.mark.parametrize(
    ("answer", "false"),
    [
        ("The trade of Ef Gh is not in the document.", 0),
        ("Not in the document.", 0),
        ("The trade of Ef Gh is cook.", 1),
        ("", 1),
    ],
)
def test_anything_but_not_found_is_a_false_answer_about_an_absent_fact(answer: str, false: int) -> None:
    score = Score()
    score.add(MISSING, answer)
    assert (score.absent_asked, score.false_answers) == (1, false)
    assert score.asked == 0


def test_documents_fill_the_length_they_are_given() -> None:
    from random import Random

    import qwen2_mlx
    from app.ask.prompts import whole_document

    _, tokenizer = qwen2_mlx.load("tiny")
    for seed in range(5):
        document, questions = write_document(Random(seed), tokenizer, 352)
        lengths = [
            len(tokenizer.encode_chat([{"role": "user", "content": whole_document(document, q.text)}]))
            for q in questions
        ]
        assert 310 < max(lengths) <= 352
        assert [q.present for q in questions] == [True, False] * 5


def test_the_cached_document_does_not_change_an_answer() -> None:
    """Every question reuses the document's cache; a fresh session must say the same."""
    import qwen2_mlx
    from app.ask.prompts import whole_document
    from app.eval import facts

    model, tokenizer = qwen2_mlx.load("tiny")
    score = next(evaluate(model, tokenizer, 5, seed=0))
    from random import Random

    document, questions = write_document(
        Random(facts.TRAINING_SEEDS), tokenizer, model.args.trained_length - facts.ANSWER_ROOM
    )
    fresh = Score()
    for question in questions:
        session = qwen2_mlx.ChatSession(model, tokenizer, max_tokens=facts.ANSWER_ROOM)
        fresh.add(question, "".join(e.text for e in session.send(whole_document(document, question.text))))
    assert (fresh.exact, fresh.false_answers) == (score.exact, score.false_answers)
    assert fresh.wrong == score.wrong


def test_the_command_reports_what_it_counted(run: Run) -> None:
    done = run("qwen2-eval", "facts", "-m", "tiny", "-n", "5", "--json")
    report = json.loads(done.out)
    assert done.code == 0
    assert (report["asked"], report["absent_asked"]) == (5, 5)
    assert report["accuracy"] == report["exact"] / 5
