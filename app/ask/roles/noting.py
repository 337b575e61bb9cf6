"""Notes: the sentences of a window that a model copies because they belong to an answer.

The model writes freely, and what it writes counts only where it stands in the window word for word.
"""

from app.ask import prompts
from app.ask.fence import fence
from app.ask.passage import Passage
from app.ask.quotes import locate_exact
from app.ask.roles.copying import label, window_prompt
from app.ask.roles.decode import decode
from app.ask.roles.engine import Engine
from app.ask.roles.reply import without_bullet
from app.ask.sentences import around, sentences

#: Tokens that the notes of one window may take together.
NOTES_ROOM = 1024

#: The part of a sentence that a line must hold to be a copy of it; less may be any word that it has.
_LEAST_SHARE = 0.5


def notes(engine: Engine, question: str, window: Passage) -> list[Passage]:
    """The sentences of `window` that belong to the answer, each once, in order."""
    if not window.text.strip():
        return []
    prompt = window_prompt(engine.tokenizer, prompts.notes, window, question)
    room = min(NOTES_ROOM, engine.model.args.context_length - len(prompt.ids))
    reply = ""
    for piece in decode(engine, *engine.read(prompt, room, label(window)), room):
        reply += piece
        if prompts.NOTHING_MORE in reply:
            break
    return sentences_copied(reply, window)


def sentences_copied(reply: str, window: Passage) -> list[Passage]:
    """The sentences of `window` in which a line of `reply` stands, each once, in order."""
    shown = Passage(window.file, 0, len(window.text), fence(window.text))
    spans = sentences(window.text)
    found: set[tuple[int, int]] = set()
    for line in reply.partition(prompts.NOTHING_MORE)[0].splitlines():
        copy = without_bullet(line)
        if located := locate_exact(copy, shown):
            start, end = around(spans, located.passage.start, located.passage.end)
            if len(copy) >= _LEAST_SHARE * (end - start):
                found.add((start, end))
    return [window.span(start, end) for start, end in sorted(found)]
