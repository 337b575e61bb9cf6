"""The Chinese grammar: enough different sentences, and names that are in none of them."""

from random import Random

from app.eval.chinese import filler_sentence, invent_name, invent_word


def test_prose_is_made_of_whole_chinese_sentences() -> None:
    for seed in range(500):
        sentence = filler_sentence(Random(seed))
        assert sentence.endswith("。")
        assert sentence.count("。") == 1
        assert all("\u4e00" <= character <= "\u9fff" or character in "，。" for character in sentence)


def test_sentences_rarely_come_twice() -> None:
    rng = Random(0)
    sentences = [filler_sentence(rng) for _ in range(20_000)]
    assert len(set(sentences)) > 13_000


def test_invented_names_are_not_in_the_prose() -> None:
    rng = Random(0)
    text = "".join(filler_sentence(rng) for _ in range(20_000))
    for _ in range(300):
        assert not any(part in text for part in invent_name(rng).split("·"))
        assert invent_word(rng, 3) not in text


def test_a_name_has_two_parts_of_two_characters() -> None:
    for seed in range(100):
        assert [len(part) for part in invent_name(Random(seed)).split("·")] == [2, 2]
