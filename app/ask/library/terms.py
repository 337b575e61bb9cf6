"""From text to the terms that are indexed, and from what people search for to the terms to look up.

SQLite's own tokenisers know neither English plurals nor Chinese words. Ours lower-cases, folds
accents and widths, and takes off light English endings. Scripts that put no space between words
become overlapping pairs of characters, so that every word of two or more characters is a phrase of
pairs, whoever decides where words end. The last character of each run stands alone too: with it,
every character begins exactly one term, and a single one is found by its beginning.

What is indexed must not change without `TERMS_VERSION`: terms are taken out of the index by making
them again.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

#: Part of the library's version: another one means that everything is indexed anew.
TERMS_VERSION = 1

#: Characters of a term that count; what is longer is no word.
_LONGEST = 48

# Thai, Lao, Burmese, Hangul letters, Khmer, Han and its parts, Kana, Bopomofo, Hangul.
_WIDE = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30fa\u30fc-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
_NARROW_WORD = re.compile(r"[^\W_]+")
_WORD = re.compile(rf"[{_WIDE}]+|[^\W_{_WIDE}]+")
_IS_WIDE = re.compile(rf"[{_WIDE}]")
_CONTRACTION = re.compile(r"(?<=\w)['’](?:s|t|d|m|ll|re|ve)\b")
_NUMBER = re.compile(r"[0-9]{4,15}")
_GROUPED_NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_VOWEL = re.compile(r"[aeiouy]")


class Wanted(NamedTuple):
    """A term and how many terms after the first of its phrase it stands.

    `beginning`: every term that begins so will do.
    """

    term: str
    offset: int
    beginning: bool = False


Phrase = tuple[Wanted, ...]


def terms_of(text: str) -> list[str]:
    """The terms of a text in order; they hold no ASCII but letters and digits."""
    found: list[str] = []
    for word in _words(text):
        found += _terms_of_word(word)
    return found


def phrases_of(words: str) -> list[Phrase]:
    """What to look up for a word or phrase: any one of these will do. None where there is no word in it."""
    phrases = [_phrase(words)]
    if _GROUPED_NUMBER.fullmatch(words.strip()):
        phrases.append(_phrase(words.replace(",", "")))
    elif _NUMBER.fullmatch(words.strip()):
        phrases.append(_phrase(f"{int(words):,}"))
    return [phrase for phrase in phrases if phrase]


def _phrase(words: str) -> Phrase:
    wanted: list[Wanted] = []
    offset = 0
    for word in _words(words):
        terms = _terms_of_word(word)
        if not _IS_WIDE.match(word):
            wanted.append(Wanted(terms[0], offset))
        elif len(terms) == 1:
            wanted.append(Wanted(terms[0], offset, beginning=True))
        else:  # the text may go on after the last character
            wanted += [Wanted(term, offset + index) for index, term in enumerate(terms[:-1])]
        offset += len(terms)
    return tuple(wanted)


def _words(text: str) -> list[str]:
    """Words and runs of wide characters, lower-case and folded."""
    pattern = _NARROW_WORD
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFKC", text).casefold().translate(_folded())
        if _IS_WIDE.search(text):
            pattern = _WORD
    if "'" in text or "’" in text:
        text = _CONTRACTION.sub("", text)
    return pattern.findall(text)


def _terms_of_word(word: str) -> list[str]:
    if _IS_WIDE.match(word):
        return [word[at : at + 2] for at in range(len(word))]
    return [stem(word)]


@lru_cache(1 << 16)
def stem(word: str) -> str:
    """A lower-case word without its English endings: plurals, -ed, -ing and a last e. Others stay."""
    word = word[:_LONGEST]
    if len(word) < 4 or not (word.isascii() and word.isalpha()):
        return word
    word = _without_plural(word)
    word = _without_tense(word)
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_tense(word: str) -> str:
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("eed"):
        return word[:-1] if len(word) > 5 else word
    for ending in ("ing", "ed"):
        base = word.removesuffix(ending)
        if base != word and len(base) >= 3 and _VOWEL.search(base):
            if base[-1] == base[-2] and base[-1] not in "aeioulsz":
                base = base[:-1]
            return base
    return word


@lru_cache(1)
def _folded() -> dict[int, str | None]:
    """Accented letters of Latin, Greek and Cyrillic to plain ones, invisible characters to nothing."""
    table: dict[int, str | None] = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
    table |= dict.fromkeys(range(0x300, 0x370))
    for code in (*range(0xC0, 0x250), *range(0x370, 0x530), *range(0x1E00, 0x2000)):
        base = "".join(c for c in unicodedata.normalize("NFKD", chr(code)) if not 0x300 <= ord(c) < 0x370)
        if base and base != chr(code):
            table[code] = base
    return table | {
        ord("ø"): "o",
        ord("đ"): "d",
        ord("ł"): "l",
        ord("æ"): "ae",
        ord("œ"): "oe",
        ord("ı"): "i",
    }
