"""The prompts that the document programs send, in plain files."""

from functools import cache
from importlib.resources import files


def whole_document(document: str, question: str) -> str:
    """The user message that asks `question` about all of `document`.

    The document stands before the question, so that the key-value cache of the document
    serves every question about it.
    """
    return _template("whole.txt").format(document=document, question=question)


@cache
def _template(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8").rstrip("\n")
