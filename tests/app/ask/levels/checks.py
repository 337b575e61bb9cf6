"""What every answer has to keep, whatever it says."""

from app.ask.answer import Answer
from app.ask.library import Library


def assert_valid(answer: Answer, library: Library) -> None:
    """Quotes stand where they are said to, numbers name citations, and coverage is no more than all."""
    numbers = [citation.number for citation in answer.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    for citation in answer.citations:
        passage = library.passage(citation.file, citation.start, citation.end)
        assert passage.text == citation.quote
        assert citation.place == library.place(citation.file, citation.start)
    assert {number for sentence in answer.sentences for number in sentence.citations} == set(numbers)
    assert 0 <= answer.coverage.tokens_read <= answer.coverage.tokens
    assert answer.coverage.windows_read <= answer.coverage.windows
    assert answer.text
    if answer.status == "found":
        assert answer.citations
    if answer.status == "not_found":
        assert "ot in the document" in answer.text
