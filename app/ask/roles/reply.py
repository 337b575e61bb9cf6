"""Short replies in words: a question put differently, words to search for."""

import re

from app.ask.roles.decode import decode
from app.ask.roles.engine import Engine
from app.ask.roles.prompt import Prompt

#: Words to search for are not taken beyond so many, nor longer than so many characters.
_MOST_WORDS = 12
_LONGEST_WORD = 60

_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_LABEL = re.compile(r"^(?:question|answer|reply|keywords?|words?)\s*[:：]\s*", re.IGNORECASE)
_QUOTES = "\"'“”‘’「」`* "


def reply(engine: Engine, message: str, max_tokens: int) -> str:
    """The most likely reply to `message`, cut at `max_tokens` tokens."""
    prompt = Prompt(engine.encode(message))
    cache, logits = engine.read(prompt, max_tokens)
    return "".join(decode(engine, cache, logits, max_tokens)).strip()


def one_line(reply: str) -> str:
    """The first line that says something, without labels, bullets and quotation marks around it."""
    for line in reply.splitlines():
        line = _LABEL.sub("", without_bullet(line)).strip()
        if line[:1] in _QUOTES and line[-1:] in _QUOTES:
            line = line.strip(_QUOTES)
        if any(character.isalnum() for character in line):
            return line
    return ""


def without_bullet(line: str) -> str:
    """A line of a list without what marks it as one."""
    return _BULLET.sub("", line).strip()


def words(reply: str) -> list[str]:
    """The words and phrases of a list, each once, however it is written."""
    found: dict[str, str] = {}
    for item in re.split(r"[,;、，；\n]", reply):
        word = _LABEL.sub("", without_bullet(item)).strip().strip(_QUOTES + ".。")
        if any(character.isalnum() for character in word) and len(word) <= _LONGEST_WORD:
            found.setdefault(word.casefold(), word)
    return list(found.values())[:_MOST_WORDS]
