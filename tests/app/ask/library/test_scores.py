"""Scores, notes, speeds and conversations."""

import os
from pathlib import Path

import pytest

from app.ask.library import Library, scores
from tests.app.ask.library.samples import document


def test_scores_are_kept_over_restarts_and_replaced(place: Path) -> None:
    with Library.open(place) as library:
        library.save_scores({"a": 1.5, "b": -2.0, "\ud800": 3.0})
        library.save_scores({"b": 0.25})
        library.save_scores({})
    with Library.open(place) as library:
        assert [library.score(key) for key in ("a", "b", "\ud800", "c")] == [1.5, 0.25, 3.0, None]


def test_scores_of_one_call_are_stored_together_or_not_at_all(library: Library) -> None:
    with pytest.raises(TypeError):
        library.save_scores({"a": 1.0, "b": None})  # type: ignore[dict-item]
    assert library.score("a") is None


def test_the_oldest_scores_go_when_there_are_too_many(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "MOST", 10)
    for number in range(12):
        library.save_scores({str(number): float(number), "first": 1.0})
    kept = [number for number in range(12) if library.score(str(number)) is not None]
    assert kept[-1] == 11
    assert 4 <= len(kept) <= 10
    assert library.score("first") == 1.0


def test_notes_are_kept_and_none_differ_from_no_notes_yet(library: Library) -> None:
    assert library.notes("a") is None
    library.save_notes("a", [])
    library.save_notes("b", [(1, 2, 3), (1, 5, 8)])
    assert library.notes("a") == []
    assert library.notes("b") == [(1, 2, 3), (1, 5, 8)]


def test_keys_are_not_stored_in_clear(place: Path) -> None:
    with Library.open(place) as library:
        library.save_scores({"what is the secret": 1.0})
        library.save_notes("what is the secret", [])
        library._database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"secret" not in place.read_bytes()


def test_a_speed_is_a_running_average_that_follows_changes(library: Library) -> None:
    assert library.speed("tiny/read") is None
    library.save_speed("tiny/read", 100.0)
    assert library.speed("tiny/read") == 100.0
    library.save_speed("tiny/read", 200.0)
    assert library.speed("tiny/read") == 150.0
    for _ in range(100):
        library.save_speed("tiny/read", 400.0)
    assert library.speed("tiny/read") == pytest.approx(400.0, rel=0.01)
    assert library.speed("tiny/notes") is None


def test_a_conversation_keeps_its_turns(place: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9.txt")
    with Library.open(place) as library:
        file = library.add(document("One."), odd)
        piped = library.add(document("Two.", "stdin"), None)
        first, other = library.new_conversation(), library.new_conversation()
        assert library.last_conversation() is None
        library.add_turn(first, "Who?", "Who came?", {"answer": "磨坊", "n": [1, None]}, [file, piped])
        library.add_turn(other, "Why?", "Why?", {}, [])
        assert library.last_conversation() == other
        library.add_turn(first, "And then?\ud800", "Who came then?", {"answer": ""}, [file])
        library.remove(file.id)
    with Library.open(place) as library:
        one, two = library.turns(first)
        assert library.last_conversation() == first
    assert (one.question, one.standalone) == ("Who?", "Who came?")
    assert one.answer == {"answer": "磨坊", "n": [1, None]}
    assert one.files == ((file.id, str(odd)), (piped.id, ""))
    assert two.question == "And then?\ufffd"


def test_conversations_have_different_ids_and_unknown_ones_no_turns(library: Library) -> None:
    ids = {library.new_conversation() for _ in range(50)}
    assert len(ids) == 50
    assert all(len(id) == 8 and int(id, 16) >= 0 for id in ids)
    assert library.turns("00000000") == library.turns("\ud800'; DROP TABLE turns") == []
