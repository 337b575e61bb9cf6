"""What is indexed of a text, and what a search looks up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ask.library.terms import phrases_of, stem, terms_of


@pytest.mark.parametrize(
    "words",
    [
        "repair repairs repaired repairing",
        "carry carries carried carrying",
        "hope hopes hoped hoping",
        "stop stops stopped stopping",
        "box boxes boxed boxing",
        "house houses housed housing",
        "church churches",
        "class classes",
        "agree agrees agreed agreeing",
        "city cities",
    ],
)
def test_forms_of_an_english_word_are_one_term(words: str) -> None:
    assert len(set(terms_of(words))) == 1


@pytest.mark.parametrize(
    "word", ["bus", "this", "glass", "sing", "bed", "red", "need", "1990s", "is", "ring"]
)
def test_what_only_looks_like_an_ending_stays(word: str) -> None:
    assert terms_of(word) == [word]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café", "cafe"), ("ÅNGSTRÖM", "angstrom"), ("Straße", "STRASSE"), ("ﬁne", "fine"), ("１２３", "123"),
        ("ＡＢＣ", "abc"), ("naïve", "nai\u0308ve"), ("co\u00adoperate", "cooperate"), ("Ørsted", "orsted"),
        ("ｶﾞ", "ガ"), ("Ἀθήνα", "αθηνα"), ("baker's", "baker"), ("baker’s", "baker"), ("don't", "don"),
    ],
)  # fmt: skip
def test_accents_widths_and_cases_are_folded(one: str, other: str) -> None:
    assert terms_of(one) == terms_of(other)


def test_numbers_and_codes_are_kept() -> None:
    assert terms_of("B-52 in 1987, at 00741, v2.10, x86_64") == [
        "b", "52", "in", "1987", "at", "00741", "v2", "10", "x86", "64",
    ]  # fmt: skip


def test_wide_scripts_become_pairs_and_a_last_character() -> None:
    assert terms_of("老磨坊 mill 在河") == ["老磨", "磨坊", "坊", "mill", "在河", "河"]
    assert terms_of("GPU的温度") == ["gpu", "的温", "温度", "度"]
    assert terms_of("ひらがな한국어") == ["ひら", "らが", "がな", "な한", "한국", "국어", "어"]


def test_a_search_for_a_wide_word_leaves_open_how_the_text_goes_on() -> None:
    assert phrases_of("磨坊") == [(("磨坊", 0, False),)]
    assert phrases_of("老磨坊") == [(("老磨", 0, False), ("磨坊", 1, False))]
    assert phrases_of("坊") == [(("坊", 0, True),)]
    assert phrases_of("磨坊 mill") == [(("磨坊", 0, False), ("mill", 2, False))]


def test_a_number_is_looked_up_with_and_without_separators() -> None:
    assert len(phrases_of("1250")) == 2
    assert set(phrases_of("1,250")) == set(phrases_of("1250"))
    assert len(phrases_of("125")) == 1


@pytest.mark.parametrize("nothing", ["", " ", '"', "AND-*^()", "\x00", "😀", "—", "\ud800", "_", "\u200b"])
def test_what_holds_no_word_looks_up_nothing(nothing: str) -> None:
    assert [phrase for phrase in phrases_of(nothing) if phrase != ((("and"), 0, False),)] == []


@given(st.text())
def test_terms_hold_nothing_that_sqlite_would_split(text: str) -> None:
    for term in terms_of(text):
        assert term
        assert not any(character.isascii() and not character.isalnum() for character in term)
        assert term == term.lower() or not term.isascii()


@given(st.text())
def test_a_text_is_looked_up_by_its_own_terms(text: str) -> None:
    terms = terms_of(text)
    for wanted in (wanted for phrase in phrases_of(text)[:1] for wanted in phrase):
        assert terms[wanted.offset] == wanted.term


@given(st.text(alphabet="abcdefginrsty", min_size=1, max_size=12))
def test_a_stem_is_never_empty(word: str) -> None:
    assert stem(word)
