"""A quote supports a sentence if it holds its numbers and names."""

import pytest

from app.ask.support import contradicts, names, numbers, says_the_same, supports

QUESTION = "What is the secret code of Morvan Telun?"


@pytest.mark.parametrize(
    ("sentence", "quote", "question"),
    [
        ("The code of Morvan Telun is 42.", "Morvan Telun's code was 42, they say.", ""),
        ("The code of Morvan Telun is 42.", "Her code was 42.", QUESTION),
        ("The code of Morvan Telun is 42.", "In Ostavi her code was 42.", QUESTION),
        ("It cost 1,250,000 dollars.", "The price: 1250000 dollars.", ""),
        ("However, it rained.", "Rain fell.", ""),
        ("In 1912 there were 5 ships.", "There were 5 ships.", "How many ships were there in 1912?"),
        ("型号是「XK-9」。", "他用的是XK-9，又叫「XK-9」。", ""),
        ("Nobody knows.", "It is unknown.", ""),
    ],
)
def test_supported(sentence: str, quote: str, question: str) -> None:
    assert supports(sentence, quote, question)


@pytest.mark.parametrize(
    ("sentence", "quote", "question"),
    [
        ("The code of Morvan Telun is 42.", "The code of Morvan Telun is 421.", ""),
        ("The code of Morvan Telun is 42.", "The code of Morvan Teluna is 42.", ""),
        ("The code of Morvan Telun is 42.", "The code of Brisa Kort is 42.", QUESTION),
        (
            "The code of Morvan Telun is 42.",
            "The code of Morvan Telun is 17.",
            "Is the code of Morvan Telun 42?",
        ),
        ("Morvan Telun left.", "She left.", ""),
        ("The model is B-12.", "The model is B-13.", "Is the model B-12?"),
        ("书名是《山海》。", "书名是《海》。", ""),
        ("She lived in Ostavi.", "She lived in a town.", ""),
    ],
)
def test_not_supported(sentence: str, quote: str, question: str) -> None:
    assert not supports(sentence, quote, question)


def test_names_are_capitalised_words_codes_and_quotations() -> None:
    assert names("The mayor Morvan Telun's B-12 met I and “the grey one”.") == [
        "morvan",
        "telun",
        "b-12",
        "the grey one",
    ]
    assert names("Morvan Telun left.") == ["morvan", "telun"]
    assert names("Weavers left.") == []


def test_numbers_are_compared_without_separators_of_thousands() -> None:
    assert numbers("1,250 and 3.5, then 12:30 and 1,2") == {"1250", "3.5", "12:30", "1,2"}


@pytest.mark.parametrize(
    ("sentence", "quote", "same"),
    [
        ("The trade of Morvan Telun is weaver.", "They say the trade of Morvan Telun is weaver.", True),
        ("The trades of Morvan Telun was weaver.", "The trade of Morvan Telun is weaver.", True),
        ("The trade of Morvan Telun is baker.", "The trade of Morvan Telun is weaver.", False),
        ("The bridge was quiet.", "The bridge was not quiet.", False),
        ("The government rests.", "The govemment rests.", True),
        ("他的职业是木匠。", "他的职业是铁匠。", False),
        ("他的职业是木匠。", "据说，他的职业是木匠。", True),
    ],
)
def test_similar_sentences_say_the_same_if_their_words_do(sentence: str, quote: str, same: bool) -> None:
    assert says_the_same(sentence, quote) == same
    assert contradicts(sentence, quote) != same


def test_a_paraphrase_does_not_contradict() -> None:
    assert not contradicts("Morvan Telun makes cloth.", "The trade of Morvan Telun is weaver.")
