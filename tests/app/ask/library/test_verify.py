"""What verify finds."""

import pytest

from app.ask.library import Library
from tests.app.ask.library.samples import cutter, document, prose


@pytest.fixture
def filled(library: Library) -> Library:
    library.cut(library.add(document(prose(200)), None).id, cutter())
    return library


def test_a_whole_library_has_no_problems(filled: Library) -> None:
    assert filled.verify() == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE pieces SET text = replace(text, 'the', 'The') WHERE number = 1", "its text has changed"),
        ("DELETE FROM pieces WHERE number = 1", "its text has changed"),
        ("DELETE FROM chunks WHERE id % 7 = 1", "chunks are there"),
        ("UPDATE chunks SET tokens = tokens + 1 WHERE id % 7 = 1", "do not add up"),
        ("UPDATE chunks SET stop = 10000000 WHERE id % 40 = 1", "beyond the end of their text"),
        ("DELETE FROM sets", "chunks of no set"),
        ("INSERT INTO pages VALUES (77, 0, 1, 0, 1, '')", "1 pages of no file"),
        ("INSERT INTO headings VALUES (77, 0, 1, 0, '')", "1 headings of no file"),
        ("INSERT INTO pieces VALUES (77, 0, 1, '')", "1 pieces of text of no file"),
        ("INSERT INTO sets (file, cutter) VALUES (77, '')", "1 chunk sets of no file"),
        ("UPDATE terms_data SET block = x'0102030405' WHERE id > 10", "the index is damaged"),
        ("DELETE FROM terms_docsize WHERE id % 5 = 1", "chunks that are not in the index"),
        ("DELETE FROM chunks WHERE id % 7 = 1", "index entries of no chunk"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_changed(filled: Library, change: str, found: str) -> None:
    filled._database.run("PRAGMA writable_schema = ON")
    filled._database.run(change)
    problems = filled.verify()
    assert any(found in problem for problem in problems), problems
    assert filled.verify() == problems
