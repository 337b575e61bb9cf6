"""Level 2: every chunk is judged by generation, and what was kept becomes the query of a search.

1. Each chunk of 1,000 tokens goes to the model with the question; it replies with JSON, "ans" and the
   sentences that help, or "none". A reply that is no JSON is kept without brackets and quotes.
2. Where no chunk was kept, all are read again, four times in all; then the question alone is used.
3. Keywords come from the question and what was kept, joined in document order, where that fits the
   budget of 4,500 tokens; else from the question. Question, keywords and what was kept are the query.
4. BM25 over chunks of 300 tokens fills the budget; without any match each file's beginning does.
5. One call answers from that, in document order. What fits the budget as a whole is not searched.

Nothing is kept between questions, and a follow-up is searched for as it stands.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from app.ask import prompts
from app.eval.ask.level2.okapi import Okapi
from app.eval.ask.level2.packing import pack
from app.eval.ask.level2.sizes import Sizes
from app.eval.ask.level2.speaker import Speaker

PASSES = 4

_OBJECT = re.compile(r"\{.*\}", re.DOTALL)
_FENCES = re.compile(r"[\[\]{}\"'`]")

#: Told the chunks read and all there are.
OnRead = Callable[[int, int], None]


def answer(
    speaker: Speaker,
    words: Callable[[str], Sequence[str]],
    sizes: Sizes,
    question: str,
    texts: Sequence[str],
    previous: tuple[str, str] | None = None,
    on_read: OnRead | None = None,
) -> str:
    """The answer to a question about texts; `words` splits text for the search."""
    kept = "\n\n".join(_read(speaker, sizes, question, texts, on_read))
    query = " ".join([question, *_keywords(speaker, sizes, question, kept), kept])
    knowledge = retrieve(speaker, words, sizes, query, texts)
    history = _turns(previous) if previous else []
    content = prompts.whole_document(knowledge, question)
    return speaker.reply([*history, _user(content)], sizes.reply)


def _read(
    speaker: Speaker, sizes: Sizes, question: str, texts: Sequence[str], on_read: OnRead | None
) -> list[str]:
    """What was kept of the chunks, in document order."""
    chunks = [c for text in texts for c in pack(text, sizes.reading, sizes.overlap, speaker.count)]
    for number in range(PASSES):
        kept: list[str] = []
        for index, chunk in enumerate(chunks):
            content = prompts.level2_judge(chunk, question)
            seed = number * len(chunks) + index if number else None
            found = relevant(speaker.reply([_user(content)], sizes.reply, seed))
            if found:
                kept.append(found)
            if on_read:
                on_read(number * len(chunks) + index + 1, (number + 1) * len(chunks))
        if kept:
            return kept
    return []


def relevant(reply: str) -> str:
    """What a judge's reply keeps of its chunk, "" for nothing."""
    match = _OBJECT.search(reply)
    try:
        found = json.loads(match[0]) if match else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "res" not in found:
        return _FENCES.sub("", reply).strip()
    return "" if found["res"] == "none" else str(found.get("content", "")).strip()


def _keywords(speaker: Speaker, sizes: Sizes, question: str, kept: str) -> Iterator[str]:
    """Words from the model; none where its reply is no JSON, and the question stands alone."""
    asked = f"{kept}\n{question}" if kept and speaker.count(kept) <= sizes.budget else question
    match = _OBJECT.search(speaker.reply([_user(prompts.level2_keywords(asked))], sizes.reply))
    try:
        found = json.loads(match[0]) if match else None
    except (ValueError, RecursionError):
        found = None
    words = found.get("keywords") if isinstance(found, dict) else None
    yield from (str(word) for word in words if isinstance(word, str)) if isinstance(words, list) else ()


def retrieve(
    speaker: Speaker,
    words: Callable[[str], Sequence[str]],
    sizes: Sizes,
    query: str,
    texts: Sequence[str],
) -> str:
    """Text for an answer, at most the budget, in document order."""
    whole = "\n\n".join(texts)
    if len(whole) < 16 * sizes.budget and speaker.count(whole) <= sizes.budget:
        return whole
    files = [list(pack(text, sizes.retrieval, sizes.overlap, speaker.count)) for text in texts]
    chunks = [chunk for file in files for chunk in file]
    scores = Okapi(chunks, words).scores(query)
    if not scores.any():
        share = sizes.budget // max(1, len(texts))
        return "\n\n".join("\n\n".join(_filled(file, share, speaker)) for file in files)
    best = sorted(range(len(chunks)), key=lambda index: -scores[index])
    chosen: list[int] = []
    left = sizes.budget
    for index in best:
        left -= speaker.count(chunks[index])
        if left < 0 and chosen:
            break
        chosen.append(index)
    return "\n\n".join(chunks[index] for index in sorted(chosen))


def _filled(chunks: Sequence[str], tokens: int, speaker: Speaker) -> Iterator[str]:
    """The first chunks that fit, at least one."""
    for number, chunk in enumerate(chunks):
        tokens -= speaker.count(chunk)
        if tokens < 0 and number:
            return
        yield chunk


def _user(content: str) -> Mapping[str, Any]:
    return {"role": "user", "content": content}


def _turns(previous: tuple[str, str]) -> list[Mapping[str, Any]]:
    return [_user(previous[0]), {"role": "assistant", "content": previous[1]}]
