"""Keyword recall, worked out by hand."""

import pytest

from app.eval.tasks.keyword_recall import keyword_recall, tokens


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The U.S. cat, a DOG!", ["us", "cat", "dog"]),
        ("en", "“An” answer—of $5", ["answerof", "5"]),
        ("zh", "北京大学", ["北京", "京大", "大学"]),
        ("zh", "在A1号楼，好", ["在", "a1", "号楼", "好"]),
        ("zh", "《红楼梦》 1791年", ["红楼", "楼梦", "1791", "年"]),
    ],
)
def test_tokens_are_normalised(language: str, text: str, expected: list[str]) -> None:
    assert tokens(language, text) == expected


@pytest.mark.parametrize(
    ("language", "keywords", "reply", "recall"),
    [
        ("en", "red fox den", "The fox has a red coat.", 200 / 3),
        ("en", "red fox", "RED FOX, red fox!", 100.0),
        ("en", "no no yes", "no, yes", 200 / 3),  # asked for twice, said once
        ("en", "the fox", "a fox", 100.0),
        ("en", "fox", "foxes", 0.0),
        ("en", "fox", "", 0.0),
        ("zh", "北京大学", "在北京的大学", 200 / 3),
        ("zh", "北京大学", "北京大学。", 100.0),
        ("zh", "1791年", "写于1791 年", 100.0),
    ],
)
def test_recall_is_the_share_of_the_keywords(language: str, keywords: str, reply: str, recall: float) -> None:
    assert keyword_recall(language, reply, keywords) == pytest.approx(recall)
