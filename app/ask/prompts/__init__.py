"""The prompts that the document programs send, in plain files.

Each function returns the user message of one role. Where a message holds text of a document, the
document stands first, so that its key-value cache serves every question about it; messages for the
same window begin with the same characters whatever the role.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

#: What a model is told to reply when the document does not hold the answer.
NOT_FOUND = "Not in the document."
#: How a list of copied sentences ends.
NOTHING_MORE = "Nothing more."
#: What is replied when no sentence says so.
NO_QUOTE = "None."


def whole_document(document: str, question: str) -> str:
    """Asks `question` about all of `document`."""
    return _fill("whole", document=document, question=question)


def numbered_parts(parts: Sequence[str]) -> str:
    """The parts of documents as `answer` shows them, numbered from 1."""
    return "\n\n".join(f"[{number}] {part}" for number, part in enumerate(parts, 1))


def answer(parts: Sequence[str], question: str) -> str:
    """Asks `question` about numbered parts of documents."""
    return _fill("answer", document=numbered_parts(parts), question=question)


def relevance(document: str, question: str) -> str:
    """Asks whether `document` holds the answer; the reply is yes or no."""
    return _fill("relevance", document=document, question=question)


def notes(document: str, question: str) -> str:
    """Asks for the sentences of `document` that belong to the answer."""
    return _fill("notes", document=document, question=question)


def quote(document: str, statement: str) -> str:
    """Asks for the sentence of `document` that says `statement`."""
    return _fill("quote", document=document, statement=statement)


def keywords(question: str) -> str:
    """Asks for words to search for."""
    return _fill("keywords", question=question)


def standalone(question: str, answer: str, follow_up: str) -> str:
    """Asks for `follow_up` as a question that needs no conversation around it."""
    return _fill("standalone", question=question, answer=answer, follow_up=follow_up)


def first(question: str) -> str:
    """Asks what must be found before `question` can be answered; an easy question is its own first."""
    return _fill("first", question=question)


def resolve(finding: str, question: str) -> str:
    """Asks for `question` with `finding` put in its place."""
    return _fill("resolve", finding=finding, question=question)


def kind(question: str) -> str:
    """Asks which kind of question this is; the reply is A, B or C."""
    return _fill("kind", question=question)


def level2_judge(document: str, question: str) -> str:
    """The chunk judge of the published level-2 procedure, in our words."""
    return _fill("level2_judge", document=document, question=question)


def level2_keywords(question: str) -> str:
    """The keyword generation of the published level-2 procedure, in our words."""
    return _fill("level2_keywords", question=question)


def _fill(name: str, **parts: str) -> str:
    return _template(name).format(**parts)


@cache
def _template(name: str) -> str:
    return files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
