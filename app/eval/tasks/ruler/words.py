"""Words, numbers and identifiers to hide."""

from collections.abc import Callable
from random import Random
from uuid import UUID

_ADJECTIVES = (
    "amber brave brisk calm clever crisp curious dusty eager faint fancy fierce gentle giant golden "
    "happy hollow honest humble icy jolly keen lively loyal lucky mellow mighty misty modest noble "
    "pale patient plain polite proud quick rapid rare rough royal rustic salty shiny silent silver "
    "simple sleepy smooth solid spicy steady stormy sturdy sunny swift tender tidy tiny vivid wild"
).split()
_NOUNS = (
    "acorn anchor apple badger banjo barrel beacon bishop blanket bottle bucket button cabin camel "
    "candle canyon carrot castle cedar cherry cloud comet copper coral cotton cradle cricket crystal "
    "dragon eagle ember falcon feather ferry fiddle finch flute fountain fox garlic ginger glacier "
    "hammer harbor hazel heron honey island ivory jacket jaguar jasmine kettle ladder lemon lily "
    "lobster magnet maple marble meadow melon mitten monkey needle nutmeg olive onion orchid otter "
    "paddle panda parrot pebble pepper pillow planet plum pocket pony poppy puppet rabbit raven "
    "ribbon saddle sailor salmon shadow shield spider spoon squirrel summit tiger timber trumpet "
    "tulip tunnel turtle valley velvet violin walnut whistle willow window zebra"
).split()

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"


def pair(rng: Random) -> str:
    """An adjective and a noun, such as "amber-anchor"."""
    return f"{rng.choice(_ADJECTIVES)}-{rng.choice(_NOUNS)}"


def number(rng: Random) -> str:
    """Seven digits, the first not 0."""
    return str(rng.randint(10**6, 10**7 - 1))


def uuid(rng: Random) -> str:
    """A random UUID of version 4."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def coined(rng: Random) -> str:
    """An invented word of six letters; such words are never a part of each other."""
    return "".join(rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(3))


def different(draw: Callable[[Random], str], rng: Random, count: int) -> list[str]:
    """`count` different results of `draw(rng)`. More ask for the same ones first."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[draw(rng)] = None
    return list(found)
