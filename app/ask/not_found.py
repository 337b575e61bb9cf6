"""Whether a reply says that the document does not hold the answer."""

from app.ask.prompts import NOT_FOUND

#: What is said where a search ended before everything was looked at.
NOT_YET = "Not in the part that was read."

_PHRASES = tuple(said.lower().rstrip(".") for said in (NOT_FOUND, NOT_YET))


def says_not_found(reply: str) -> bool:
    """Whether a reply says that the document does not hold it, alone or within a sentence."""
    return any(phrase in reply.lower() for phrase in _PHRASES)
