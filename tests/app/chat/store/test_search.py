"""Finding words in titles and messages, whatever is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ask.library.terms import TERMS_VERSION
from app.chat.options import Options
from app.chat.store import Chat, Hit, Store
from app.chat.store.query import read_query
from tests.app.chat.store.samples import GENERATION, say

START, END = "\ue000", "\ue001"


def found(store: Store, query: str) -> list[int | None]:
    return [hit.message for hit in store.search(query)]


def test_the_newest_message_comes_first_after_the_titles(store: Store, chat: Chat) -> None:
    one, two = say(store, chat.id, "about the mill", "the mill again")
    titled = store.new_chat(Options(), "A mill of my own")
    hits = store.search("mill")
    assert [(hit.chat, hit.message) for hit in hits] == [
        (titled.id, None),
        (chat.id, two.id),
        (chat.id, one.id),
    ]
    assert hits[0].snippet == f"A {START}mill{END} of my own"
    assert hits[1] == Hit(chat.id, two.id, "", "assistant", f"the {START}mill{END} again", two.created)
    assert [hit.message for hit in store.search("mill", limit=2)] == [None, two.id]
    assert [hit.message for hit in store.search("mill", chat=titled.id)] == [None]
    assert store.search("mill", limit=0) == []
    for number in range(5):
        store.new_chat(Options(), f"mill {number}")
    assert {hit.message for hit in store.search("mill", limit=6)} == {None, one.id, two.id}


def test_the_last_word_may_be_unfinished_and_the_others_in_any_form(store: Store, chat: Chat) -> None:
    (message,) = say(store, chat.id, "The companies were running two horses")
    for query in ("horse runn", "runs compan", "compani", "companie", "horses", "hors", "THE Comp", "run"):
        assert found(store, query) == [message.id], query
    for query in ("hors runs", "horse mill", "unning", "runnt"):
        assert found(store, query) == [], query


@pytest.mark.parametrize(
    "word", ["running", "planned", "studies", "leases", "hoped", "boxes", "agreed", "glass"]
)
def test_a_word_is_found_at_every_stroke_of_the_keyboard(store: Store, chat: Chat, word: str) -> None:
    (message,) = say(store, chat.id, f"before {word} after")
    for length in range(1, len(word) + 1):
        assert found(store, word[:length]) == [message.id], word[:length]


def test_chinese_japanese_and_korean_are_found_by_any_part(store: Store, chat: Chat) -> None:
    (message,) = say(store, chat.id, "磨坊主在河边。製粉所で働く 물레방아 옆에서 mill")
    for query in (
        '"옆에서 mill"',
        '"河边。製粉"',
        "磨",
        "坊主",
        "磨坊主",
        "河",
        "粉所",
        "働く",
        "방아",
        "물",
        '"磨坊主在"',
        "河边 물레",
    ):
        assert found(store, query) == [message.id], query
    for query in ('"옆에 mill"', "坊磨", "主河", "边製粉"):
        assert found(store, query) == [], query
    assert store.search("坊主")[0].snippet.startswith(f"磨{START}坊主{END}在")


def test_accents_and_widths_do_not_matter(store: Store, chat: Chat) -> None:
    (message,) = say(store, chat.id, "Ein Café in Łódź, ＡＢＣ")
    for query in ("cafe", "CAFÉ", "lodz", "abc"):
        assert found(store, query) == [message.id], query


def test_quotes_mean_just_so(store: Store, chat: Chat) -> None:
    (message,) = say(store, chat.id, "the old mill by the river")
    assert found(store, '"old mill"') == [message.id]
    assert found(store, '"mill old"') == []
    assert found(store, '"old mi"') == []  # closed: its words are finished
    assert found(store, '"old mi') == [message.id]
    assert found(store, '"by the" mill') == [message.id]
    assert found(store, "14.2 mill") == []
    say(store, chat.id, "clause 14.2 and foo_bar-baz")
    assert len(found(store, "14.2 foo_bar")) == 1
    assert len(found(store, "foo-ba")) == 1


@pytest.mark.parametrize(
    "query",
    ["", "  ", '"', '""', '"" ""', "AND", "a OR", "NOT x", "NEAR(a b)", "body:x", "^a", "a*", "*", "-a", "(",
     "a)", "{a b}: c", "'", "\\", "%", "_", "\0", "\ud800", "😀", "\U0003134b", "a" * 10_000,
     "x " * 1000, '"a" + "b"'],
)  # fmt: skip
def test_no_query_is_an_error(store: Store, chat: Chat, query: str) -> None:
    say(store, chat.id, "a plain text and OR NOT body")
    store.search(query)


def test_the_index_is_made_by_the_terms_that_it_is_asked_for() -> None:
    assert TERMS_VERSION == 1, "other terms need a migration that indexes every text anew"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_query_is_answered_and_a_word_of_a_text_is_found(text: str, query: str) -> None:
    global _shared
    if _shared is None:
        import tempfile
        from pathlib import Path

        _shared = Store.open(Path(tempfile.mkdtemp()) / "chats.sqlite")
    store = _shared
    chat = store.new_chat(Options())
    (message,) = say(store, chat.id, text)
    store.search(query, chat=chat.id)
    for word in text.split():
        if read_query(word):
            assert [hit.message for hit in store.search(word, chat=chat.id)] == [message.id]


_shared: Store | None = None


def test_what_is_being_written_is_found_when_it_ends(store: Store, chat: Chat) -> None:
    answer = store.begin_answer(chat.id, None, GENERATION)
    journal = store.journal()
    journal.append(answer.id, "windmills")
    assert found(store, "windmill") == []
    store.finish_answer(answer.id, "stopped")
    assert found(store, "windmill") == [answer.id]


def test_nothing_in_the_trash_is_found_until_it_comes_back(store: Store, chat: Chat) -> None:
    first, second = say(store, chat.id, "the mill", "a mill")
    store.update_chat(chat.id, title="mills")
    store.delete_message(second.id)
    assert found(store, "mill") == [None, first.id]
    store.delete_chat(chat.id)
    assert found(store, "mill") == []
    store.restore_chat(chat.id)
    store.undo(chat.id)
    assert found(store, "mill") == [None, second.id, first.id]


def test_a_new_title_takes_the_place_of_the_old_one(store: Store) -> None:
    chat = store.new_chat(Options(), "zebra")
    store.update_chat(chat.id, title="giraffe")
    assert found(store, "zebra") == []
    assert found(store, "giraffe") == [None]


def test_a_snippet_shows_the_words_in_a_long_text(store: Store, chat: Chat) -> None:
    text = "padding " * 5000 + f"then the {START}needle\nand thread " + "padding " * 5000
    say(store, chat.id, text)
    (hit,) = store.search("needle thread")
    assert hit.snippet.startswith("…")
    assert f"then the {START}needle{END} and {START}thread{END} padding" in hit.snippet
    assert hit.snippet.endswith("…")
    assert len(hit.snippet) < 200
    assert "\n" not in hit.snippet
