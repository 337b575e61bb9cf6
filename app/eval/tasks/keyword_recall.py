"""Keyword recall: how many of the words that matter a reply contains."""

import re
import unicodedata
from collections import Counter

_ARTICLES = {"a", "an", "the"}

# Runs of Chinese characters, and words of any other script.
_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff"
_RUNS = re.compile(rf"[{_CHINESE}]+|[^\W_{_CHINESE}]+")


def keyword_recall(language: str, reply: str, keywords: str) -> float:
    """100 x the share of the tokens of `keywords` that the reply has, each as often as it is asked for.

    `keywords` must have a token.
    """
    wanted = Counter(tokens(language, keywords))
    return 100.0 * (wanted & Counter(tokens(language, reply))).total() / wanted.total()


def tokens(language: str, text: str) -> list[str]:
    """Normalised tokens of a text in "en" or "zh".

    English: lower-case words without punctuation and articles. Chinese: pairs of neighbouring
    characters, a character alone where it has no neighbour, and other words as they are.
    """
    text = text.lower()
    if language == "en":
        plain = "".join(c for c in text if unicodedata.category(c)[0] not in "PS")
        return [word for word in plain.split() if word not in _ARTICLES]
    return [token for run in _RUNS.findall(text) for token in _pairs(run)]


def _pairs(run: str) -> list[str]:
    if len(run) == 1 or not re.match(rf"[{_CHINESE}]", run):
        return [run]
    return [run[i : i + 2] for i in range(len(run) - 1)]
