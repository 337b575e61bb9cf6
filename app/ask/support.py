"""Whether a quote holds what a sentence claims: its numbers, its names, and where it matters its words."""

import re
from collections.abc import Iterator
from itertools import takewhile

from app.ask.normal import WIDE, normal, words

_NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
_WORD = re.compile(r"[^\W_]+(?:[-'’.&][^\W_]+)*")
_QUOTED = re.compile(r"[「『《“\"]([^」』》”\"]{1,40})[」』》”\"]")
_WIDE = re.compile(f"[{WIDE}]")
_DENIAL = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot)\b|n't\b|[不没沒無无非未]"
)

#: Percent of similarity from which a picked quote is the sentence itself, said with another word.
_NEARLY = 80.0

#: Words of so many letters may differ in one or two of them, as scanned text does.
_LONG_WORD, _SLIP = 8, 80.0

#: Words that are capitalised where they begin a sentence and name nothing; and "I", which always is.
_NO_NAMES = frozenset(
    "a about above according after all also although among an and another any are as at be because before"
    " below between both but by did do does during each either every few for from further had has have he"
    " her here his how however i i'd i'll i'm i've if in instead into is it its later like many may more most"
    " much neither no none nor not now of on once one only or other our out over part per she since so some"
    " still such than that the their then there therefore these they this those though three through thus to"
    " two under until up upon was we were what when where whether which while who whom whose why will with"
    " within without yes yet you your".split()
)


def supports(sentence: str, quote: str, question: str = "") -> bool:
    """Whether every number and every name of `sentence` occurs in `quote`.

    Names are words with a capital letter inside the sentence, words with digits, and what
    stands in quotation marks. People ask for a name and texts go on with "she", so what is in
    the `question` need not be in the quote; but then the quote must not be about something
    else, that is, hold a number or a full name that neither sentence nor question has.
    """
    return _has_numbers(sentence, quote, question) and _has_names(sentence, quote, question)


def _has_numbers(sentence: str, quote: str, question: str) -> bool:
    held, asked = numbers(quote), numbers(question)
    missing = numbers(sentence) - held
    return not missing or (missing <= asked and held <= numbers(sentence) | asked)


def _has_names(sentence: str, quote: str, question: str) -> bool:
    held, asked = normal(quote).text, normal(question).text
    missing = [name for name in names(sentence) if not _holds(held, name)]
    if not missing:
        return True
    known = normal(f"{sentence} {question}").text
    others = (full for full in _full_names(quote) if not any(_holds(known, word) for word in full))
    return all(_holds(asked, name) for name in missing) and not any(others)


def says_the_same(sentence: str, quote: str) -> bool:
    """Whether two sentences that differ in a few characters mean the same, as far as words tell.

    Every word of `sentence` must be in `quote`, in some form; small words may be others, but both
    deny something or neither does.
    """
    return not _missing_words(sentence, quote) and _denies(sentence) == _denies(quote)


def contradicts(sentence: str, quote: str) -> bool:
    """Whether `quote` is nearly `sentence` but for a word: "is a baker" and "is a weaver"."""
    from rapidfuzz.fuzz import partial_ratio

    alike = partial_ratio(normal(sentence).text, normal(quote).text)
    return alike >= _NEARLY and not says_the_same(sentence, quote)


def _missing_words(sentence: str, quote: str) -> list[str]:
    held = set(words(quote))
    return [
        word
        for word in words(sentence)
        if word not in held and word not in _NO_NAMES and not any(_same_word(word, other) for other in held)
    ]


def _same_word(left: str, right: str) -> bool:
    """Whether two words differ in their ending only, or in a slip of a long one."""
    from rapidfuzz.fuzz import ratio

    if _WIDE.match(left) or left.isdigit():
        return False
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
    if shared >= 4 and max(len(left), len(right)) - shared <= 3:
        return True
    return min(len(left), len(right)) >= _LONG_WORD and ratio(left, right) >= _SLIP


def _denies(text: str) -> bool:
    return bool(_DENIAL.search(normal(text).text))


def numbers(text: str) -> set[str]:
    """The numbers of a text, without the commas between thousands."""
    found = (match.group() for match in _NUMBER.finditer(normal(text).text))
    return {re.sub(r",(?=\d{3}(?!\d))", "", number) for number in found}


def names(sentence: str) -> list[str]:
    """The name-like words of a sentence, in normal form."""
    said = [match.group() for match in _WORD.finditer(sentence)]
    found = [
        word
        for at, word in enumerate(said)
        if _is_code(word) or (_is_name(word) and (at > 0 or any(map(_is_name, said[1:2]))))
    ]
    found += [match[1] for match in _QUOTED.finditer(sentence)]
    return [re.sub(r"'s$", "", normal(word).text) for word in found]


def _full_names(text: str) -> Iterator[list[str]]:
    """Names of two words or more, each word in normal form."""
    run: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        if not _is_name(match.group()) or text[end : match.start()].strip(" ") or match.start() - end > 1:
            if len(run) > 1:
                yield run
            run = []
        if _is_name(match.group()):
            run.append(normal(match.group()).text)
        end = match.end()
    if len(run) > 1:
        yield run


def _is_name(word: str) -> bool:
    return word[0].isupper() and word.lower().replace("’", "'") not in _NO_NAMES


def _is_code(word: str) -> bool:
    """Whether a word mixes letters and digits, like "B-12"; plain numbers are looked at on their own."""
    has_letters = any(character.isalpha() and character.isascii() for character in word)
    return has_letters and any(character.isdigit() for character in word)


def _holds(text: str, name: str) -> bool:
    """Whether `name` stands in `text` as words of its own, both in normal form."""
    if not name or _WIDE.search(name):
        return name in text
    return re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text) is not None
