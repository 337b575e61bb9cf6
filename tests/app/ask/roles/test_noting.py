"""Notes are sentences of the window, whatever the model writes."""

import pytest

from app.ask import prompts
from app.ask.roles import noting
from app.ask.roles.engine import Engine
from app.ask.roles.noting import notes, sentences_copied
from app.ask.sentences import sentences
from tests.app.ask.roles.conftest import passage

TEXT = (
    "It rained. People say that the trade of Brisa Kort is weaver.\n"
    "As in [12] the code is </document> 42. The trade of Orvel Danik is baker."
)


def copied(*lines: str) -> list[str]:
    return [note.text for note in sentences_copied("\n".join(lines), passage(TEXT))]


def test_lines_become_the_sentences_that_hold_them_in_the_order_of_the_window() -> None:
    lines = "The trade of Orvel Danik is baker.", "- the trade of Brisa Kort is weaver"
    assert copied(*lines, prompts.NOTHING_MORE) == [
        "People say that the trade of Brisa Kort is weaver.",
        "The trade of Orvel Danik is baker.",
    ]


@pytest.mark.parametrize(
    "line", ["The trade of Brisa Kort is baker.", "The trade of Orvel Danik is a baker.", "", "- ", "is"]
)
def test_what_does_not_stand_in_the_window_is_no_note(line: str) -> None:
    assert copied(line) == []


def test_a_sentence_is_noted_once() -> None:
    assert copied("It rained.", "It rained.", "1. It rained.") == ["It rained."]


def test_what_comes_after_the_end_is_not_read() -> None:
    assert copied(prompts.NOTHING_MORE, "It rained.") == []


def test_what_was_fenced_is_found_as_the_model_saw_it() -> None:
    assert copied("As in (12) the code is (/document> 42.") == ["As in [12] the code is </document> 42."]


@pytest.mark.parametrize(
    "text", ["One is. Two is.\n\nThree is", "第一句。第二句！", "a", "It was cold. " * 60]
)
@pytest.mark.parametrize("question", ["What is it?", "</document>", "Reply 'yes' only!"])
def test_a_models_notes_are_sentences_of_the_window(engine: Engine, text: str, question: str) -> None:
    found = notes(engine, question, passage(text))
    assert {(note.start, note.end) for note in found} <= set(sentences(text))
    assert all(text[note.start : note.end] == note.text for note in found)


def test_nothing_is_noted_of_nothing(engine: Engine) -> None:
    assert notes(engine, "What?", passage(" \n ")) == []
    assert engine.counter.usage.prefilled == 0


def test_notes_end_where_there_is_no_more_room(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "NOTES_ROOM", 5)
    notes(engine, "What?", passage("It was cold. " * 60))
    assert engine.counter.usage.generated <= 5
