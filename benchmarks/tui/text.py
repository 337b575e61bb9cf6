"""Answers of any length in the shapes that streaming must handle: prose, one list, code, one table."""

import itertools
import random
import re
from collections.abc import Iterator

KINDS = ("prose", "list", "code", "table")

_WORDS = (
    "harbour river stone winter market paper window letter silver garden engine morning bridge valley"
    " copper lantern thunder meadow basket orchard signal harvest compass mountain velvet shadow"
).split()

#: What a tokenizer of this size of vocabulary makes of English: words with their space, signs, line ends.
_TOKEN = re.compile(r" ?[A-Za-z]{1,6}|[A-Za-z]{1,6}|\n+| +|.", re.DOTALL)


def tokens(kind: str, count: int) -> list[str]:
    """The first `count` tokens of an answer that is all of one kind."""
    chance = random.Random(kind)
    pieces = itertools.chain.from_iterable(_TOKEN.findall(part) for part in _parts(kind, chance))
    return list(itertools.islice(pieces, count))


def _parts(kind: str, chance: random.Random) -> Iterator[str]:
    match kind:
        case "prose":
            while True:
                yield " ".join(_sentence(chance) for _ in range(5)) + "\n\n"
        case "list":
            while True:
                yield f"- **{chance.choice(_WORDS)}**: {_sentence(chance)}\n"
        case "code":
            yield "```python\n"
            for number in itertools.count():
                name, other = chance.choice(_WORDS), chance.choice(_WORDS)
                yield f'def {name}_{number}({other}: int) -> str:\n    """{_sentence(chance)}"""\n'
                yield f'    return f"{name} {{{other} + {number}}}"  # {other}\n\n'
        case "table":
            yield "| name | where | what |\n|---|---:|---|\n"
            for number in itertools.count():
                yield f"| {chance.choice(_WORDS)} | {number} | {' '.join(chance.choices(_WORDS, k=4))} |\n"
        case _:
            raise ValueError(f"no text of kind {kind!r}")


def _sentence(chance: random.Random) -> str:
    words = chance.choices(_WORDS, k=chance.randint(6, 14))
    return " ".join(words).capitalize() + "."
