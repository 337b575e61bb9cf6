"""The content words of a text, as the library compares them: stems, without the commonest words."""

from app.ask.library.terms import terms_of

#: They stand in every text and tell none from another.
_COMMON = frozenset(
    terms_of(
        "a about after all also an and any are as at be been before being but by can could did do does doing"
        " down each for from further had has have having he her here his him how i if in into is it its just"
        " me more most my no nor not now of off on once one only or other our out over own same she should so"
        " some such than that the their them then there these they this those through to too under until up"
        " very was we were what when where which while who whom whose why will with would you your"
    )
)


def words(text: str) -> list[str]:
    """The content words of `text` in order."""
    return [word for word in terms_of(text) if word not in _COMMON]
