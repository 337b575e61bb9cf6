"""The scale of the heat maps: red is 0, amber 50, green 100, linear between."""

RED, AMBER, GREEN = (0xF0, 0x49, 0x6E), (0xEB, 0xB8, 0x39), (0x0C, 0xD7, 0x9F)

Colour = tuple[int, int, int]


def colour(score: float) -> Colour:
    """Red, green and blue, 0 to 255 each, of a score from 0 to 100."""
    low, high, share = (RED, AMBER, score / 50) if score < 50 else (AMBER, GREEN, score / 50 - 1)
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(low, high, strict=True))
    return red, green, blue


def hexadecimal(score: float) -> str:
    """The colour of a score as SVG writes it."""
    return "#{:02X}{:02X}{:02X}".format(*colour(score))
