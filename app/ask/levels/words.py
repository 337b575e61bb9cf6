"""The words of a question that a search can use."""

import re
from collections.abc import Iterable
from itertools import pairwise

from app.ask.normal import normal
from app.ask.support import names

_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_WIDE}]+|(?:(?![{_WIDE}])\w)+(?:[-'’.](?:(?![{_WIDE}])\w)+)*")
_IS_WIDE = re.compile(rf"[{_WIDE}]")

#: Words that ask and do not name: a text that answers need not hold them.
_ASKING = frozenset(
    "a about all am an and answer any are as at be been by can could did do does document everybody everyone"
    " find for from get give gives had has have he her his how i if in into is it its know list many may me"
    " much name no not of on one or our please say says she should some summarise summarize tell text than"
    " that the their them then there these they this those to was we were what when where which who whom"
    " whose why will with would you your".split()
)
_ASKING_WIDE = frozenset(
    "什么 是什 么是 是谁 谁是 多少 哪些 哪个 哪里 如何 怎么 为什 请问 有多 是多 文中 文档".split()
)


def question_words(question: str) -> list[str]:
    """What names something: words, names and phrases of two words, each once, in order.

    Of scripts without spaces between words, all pairs of neighbouring characters.
    """
    runs: list[list[str]] = [[]]
    for match in _WORD.finditer(question):
        word = match.group()
        if _IS_WIDE.match(word):
            runs += [[pair] for pair in _pairs(word) if pair not in _ASKING_WIDE]
            runs.append([])
        elif word.lower() in _ASKING:
            runs.append([])
        else:
            runs[-1].append(word)
    words = [word for run in runs for word in run]
    phrases = [f"{left} {right}" for run in runs for left, right in pairwise(run)]
    return list(dict.fromkeys([*words, *phrases]))


def _pairs(word: str) -> list[str]:
    return [word[at : at + 2] for at in range(len(word) - 1)] or [word]


def counts(question: str) -> bool:
    """Whether a question asks how many there are."""
    return _COUNTS.search(question) is not None


_COUNTS = re.compile(
    r"\bhow many\b|\bhow often\b|\bcount\b|\bnumber of\b|多少[个人名位次]|几[个人名位次]|有多少",
    re.IGNORECASE,
)


def lists(question: str) -> bool:
    """Whether a question asks for everything of a kind."""
    return _LISTS.search(question) is not None


_LISTS = re.compile(
    r"\blist\b|\b(?:all|each|every|everyone|everybody|everything)\b|哪些|所有|全部|列出|列举",
    re.IGNORECASE,
)


def same_question(left: str, right: str) -> bool:
    """Whether two questions differ in nothing but case, white space and punctuation."""
    return _bare(left) == _bare(right)


def _bare(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def strangers(text: str, known: Iterable[str]) -> list[str]:
    """The names in a text that stand in none of the `known` texts."""
    named = names(text)
    held = "\n".join(normal(one).text for one in known) if named else ""
    return [name for name in named if not re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", held)]
