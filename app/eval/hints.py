"""Trades described in other words, for questions that no search for words can answer.

"Who makes cloth for a living?" is answered by "The trade of Morvan Telun is weaver.": the two
share no word, not even a stem. Whoever answers has to know what a weaver does.
"""

from random import Random

#: What somebody of each trade does; the last word of a description is its most telling one.
HINTS = {
    "baker": ("makes bread", "sells loaves"),
    "miller": ("grinds grain", "makes flour"),
    "smith": ("works with iron", "has an anvil"),
    "weaver": ("makes cloth", "has a loom"),
    "carpenter": ("saws planks", "builds roofs"),
    "teacher": ("gives lessons", "instructs pupils"),
    "sailor": ("works on ships", "crosses the sea"),
    "painter": ("makes portraits", "colours pictures"),
    "farmer": ("grows wheat", "ploughs fields"),
    "tailor": ("sews shirts", "makes trousers"),
    "potter": ("works with clay", "makes jugs"),
    "doctor": ("heals the sick", "cures patients"),
    "singer": ("performs songs", "gives concerts"),
    "hunter": ("shoots deer", "follows wolves"),
    "fisher": ("catches trout", "throws nets"),
    "mason": ("lays bricks", "builds walls"),
    "printer": ("works with ink", "makes newspapers"),
    "barber": ("cuts hair", "shaves beards"),
    "cook": ("prepares meals", "makes soup"),
    "clerk": ("keeps accounts", "files papers"),
}


def paraphrase_question(rng: Random, trade: str) -> str:
    """A question for the people of `trade` that names neither the trade nor the word."""
    return question_for(rng, rng.choice(HINTS[trade]))


def question_for(rng: Random, hint: str) -> str:
    """A question for the people of whom `hint` is true."""
    return rng.choice(
        (
            f"Who {hint} for a living?",
            f"Who {hint} for a living?",
            f"Who {hint}?",
            f"Which person {hint}?",
            f"Do you know who {hint}?",
        )
    )
