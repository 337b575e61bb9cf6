"""English-looking prose by seed, with long words for the hyphenation."""

import random

NAMES = "Ardent Borealis Calder Dunmore Elswick Farrow Glenrock Hollis Inverar Jessamy Kelder Lorne".split()
_WORDS = (
    "the of harbour measurement keeper lantern northern station reported remarkable quantities copper winter"
    " understanding shipment barley arrived government considerable without letter bridge councillor and"
    " investigation responsibility near old"
).split()


def paragraphs(count: int, seed: int) -> str:
    """Paragraphs of full sentences, one a line."""
    rng = random.Random(seed)
    return "\n".join(" ".join(_sentence(rng) for _ in range(rng.randint(4, 7))) for _ in range(count))


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choice(_WORDS) for _ in range(rng.randint(6, 16))).capitalize() + "."
