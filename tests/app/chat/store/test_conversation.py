"""What a model is shown of a branch."""

from app.chat.store import Chat, Store
from tests.app.chat.store.samples import GENERATION, say


def test_a_conversation_is_the_branch_down_to_a_message(store: Store, chat: Chat) -> None:
    first, second, third = say(store, chat.id, "one", "two [1]", "three")
    store.add_message(chat.id, first.id, "assistant", "elsewhere")
    assert store.conversation(third.id) == [("user", "one"), ("assistant", "two [1]"), ("user", "three")]
    assert store.conversation(second.id) == [("user", "one"), ("assistant", "two [1]")]
    assert store.conversation(store.chat(chat.id)) == [("user", "one"), ("assistant", "elsewhere")]


def test_an_empty_chat_says_nothing(store: Store, chat: Chat) -> None:
    assert store.conversation(chat) == []


def test_the_question_that_is_being_asked_is_the_last_turn(store: Store, chat: Chat) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    assert store.conversation(answer.id) == [("user", "one")]


def test_what_was_never_answered_was_never_said(store: Store, chat: Chat) -> None:
    for text in ("failed", "stopped at once"):
        (question,) = say(store, chat.id, text)
        answer = store.begin_answer(chat.id, question.id, GENERATION)
        store.finish_answer(answer.id, "error", error="no room")
    (last,) = say(store, chat.id, "asked again")
    assert store.conversation(last.id) == [("user", "asked again")]


def test_a_partial_answer_counts_as_one(store: Store, chat: Chat) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    store.finish_answer(answer.id, "stopped", content="tw")
    (last,) = say(store, chat.id, "three")
    assert store.conversation(last.id) == [("user", "one"), ("assistant", "tw"), ("user", "three")]


def test_two_questions_in_a_row_stay_where_people_wrote_them_so(store: Store, chat: Chat) -> None:
    first = store.add_message(chat.id, None, "user", "one")
    second = store.add_message(chat.id, first.id, "user", "two")
    assert store.conversation(second.id) == [("user", "one"), ("user", "two")]


def test_an_answer_that_goes_on_is_shown_as_far_as_it_is(store: Store, chat: Chat) -> None:
    (question,) = say(store, chat.id, "one")
    answer = store.begin_answer(chat.id, question.id, GENERATION)
    store.finish_answer(answer.id, "length", content="two")
    more = store.resume_answer(answer.id, GENERATION)
    store.journal().append(more.id, " three")
    assert store.conversation(more.id) == [("user", "one"), ("assistant", "two three")]
