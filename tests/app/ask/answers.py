"""An answer with everything in it, for tests of what shows answers, and the library it came from."""

from dataclasses import replace

from app.ask.answer import Answer, Citation, Coverage, Hop, Sentence, Usage
from app.ask.documents.document import Place
from app.ask.library import File
from app.ask.passage import Passage

TEXT = "The bridge was closed.\nThe code of Ab is 5.\nNobody asked why."
QUOTE = "The code of Ab is 5."
FILE = File(7, "report.pdf", "/papers/report.pdf", "ab" * 32, "pdf", "page", len(TEXT), ())

CITATION = Citation(
    1, 7, "report.pdf", Place("page", 318, "xii", 2), 23, 43, QUOTE, match="exact", score=100.0
)
ANSWER = Answer(
    question="And the code?",
    standalone="What is the code of Ab?",
    status="found",
    text="The code of Ab is 5. [1]",
    mode="retrieve",
    sentences=(Sentence("The code of Ab is 5.", (1,)),),
    citations=(CITATION,),
    dropped=1,
    evidence=(Passage(7, 0, 43, TEXT[:43]),),
    hops=(Hop("Who is Ab?", ""),),
    escalations=("nothing said so",),
    coverage=Coverage(1040, 212, 40, 3),
    usage=Usage(300, 20, 9),
    seconds={"search": 0.1234567},
    warnings=("one thing",),
)
NOT_FOUND = replace(
    ANSWER, status="not_found", text="Not in the document.", sentences=(), citations=(), dropped=0
)


class Shelf:
    """The part of a library that shows where things stand, with the one file of the answer."""

    def file(self, id: int) -> File:
        assert id == FILE.id
        return FILE

    def place(self, file: int, position: int) -> Place:
        return Place("page", 318, "xii", TEXT.count("\n", 0, position) + 1)

    def passage(self, file: int, start: int, end: int) -> Passage:
        start, end = max(0, start), min(end, len(TEXT))
        return Passage(file, start, end, TEXT[start:end])
