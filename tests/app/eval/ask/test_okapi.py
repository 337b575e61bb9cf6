"""BM25 of the baseline against its formula, word by word."""

import math
from collections import Counter
from random import Random

import numpy as np

from app.eval.ask.level2.okapi import Okapi

K1, B, EPSILON = 1.5, 0.75, 0.25


def by_formula(texts: list[str], query: str) -> list[float]:
    counted = [Counter(text.split()) for text in texts]
    mean = sum(c.total() for c in counted) / len(texts)
    vocabulary = {word for c in counted for word in c}
    holding = {word: sum(word in c for c in counted) for word in vocabulary}
    raw = {w: math.log((len(texts) - n + 0.5) / (n + 0.5)) for w, n in holding.items()}
    floor = EPSILON * max(0.0, sum(raw.values()) / len(raw))
    scores = []
    for c in counted:
        score = 0.0
        for word in query.split():
            if word in raw:
                norm = K1 * (1 - B + B * c.total() / mean)
                score += (raw[word] if raw[word] >= 0 else floor) * c[word] * (K1 + 1) / (c[word] + norm)
        scores.append(score)
    return scores


def test_scores_are_those_of_the_formula() -> None:
    rng = Random(0)
    for _ in range(20):
        words = [f"w{n}" for n in range(rng.randint(2, 30))]
        texts = [" ".join(rng.choices(words, k=rng.randint(1, 25))) for _ in range(rng.randint(1, 30))]
        query = " ".join(rng.choices([*words, "unknown"], k=6))
        assert np.allclose(Okapi(texts, str.split).scores(query), by_formula(texts, query))


def test_no_texts_and_no_words_are_no_error() -> None:
    assert Okapi([], str.split).scores("word").shape == (0,)
    assert Okapi(["", ""], str.split).scores("word").tolist() == [0.0, 0.0]
