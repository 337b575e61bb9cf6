"""BM25 over the chunks of some sets.

SQLite's own `bm25` counts over everything that was ever indexed: the same question about the same
file would be answered from other chunks once more files are in the library. So the occurrences come
from its index, and the counting is done here, over the chunks that are searched and no others.
Nothing of what is searched for is ever parsed as a query.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from app.ask.library import schema
from app.ask.library.chunks import set_files
from app.ask.library.database import Database
from app.ask.library.records import Chunk, Hit, Range, Term
from app.ask.library.terms import Phrase, Wanted, phrases_of

#: How soon more occurrences stop counting, and how much longer chunks are marked down.
_SATURATION, _LENGTH = 1.2, 0.75

#: An occurrence in the headings above a chunk counts as so many in its text.
_HEADING_WEIGHT = 3

#: Chunks that are looked at together for `within`.
_AT_ONCE = 500

_WITHIN_SETS = f"doc >> {schema.NUMBER_BITS} IN (SELECT value FROM json_each(?))"


def search(
    database: Database,
    sets: Sequence[int],
    terms: Sequence[Term],
    limit: int,
    within: Sequence[Range] | None = None,
) -> list[Hit]:
    """The best `limit` chunks, best first, equal ones in document order."""
    files = set_files(database, sets)
    chunks, words = _totals(database, sets)
    scores: defaultdict[int, float] = defaultdict(float)
    for phrases, weight in _merged(terms).items():
        found = _occurrences(database, sets, phrases)
        rarity = weight * math.log(1 + (chunks - len(found) + 0.5) / (len(found) + 0.5))
        lengths = _lengths(database, found)
        for id, count in found.items():
            if id not in lengths:  # a damaged index names it, which `verify` tells
                continue
            norm = 1 - _LENGTH + _LENGTH * lengths[id] * chunks / words
            scores[id] += rarity * count * (_SATURATION + 1) / (count + _SATURATION * norm)
    order = {set_id: at for at, set_id in enumerate(sets)}
    ranked = sorted(scores, key=lambda id: (-scores[id], order[id >> schema.NUMBER_BITS], id))
    if within is None:
        ranked = ranked[:limit]
    hits: list[Hit] = []
    for chunk in _loaded(database, files, ranked):
        if len(hits) == limit:
            break
        if within is None or any(_overlap(chunk, part) for part in within):
            hits.append(Hit(chunk, scores[chunk.id]))
    return hits


def frequency(database: Database, sets: Sequence[int], word: str) -> int:
    """How many chunks hold a word or phrase."""
    set_files(database, sets)
    return len(_occurrences(database, sets, tuple(phrases_of(word))))


def _merged(terms: Sequence[Term]) -> Mapping[tuple[Phrase, ...], float]:
    """What to look up, each once with its highest weight."""
    merged: dict[tuple[Phrase, ...], float] = {}
    for term in terms:
        if phrases := tuple(phrases_of(term.word)):
            merged[phrases] = max(term.weight, merged.get(phrases, term.weight))
    return merged


def _totals(database: Database, sets: Sequence[int]) -> tuple[int, int]:
    """Chunks of the sets, and the terms of their texts, at least 1."""
    chunks, words = database.rows(
        "SELECT sum(chunks), sum(words) FROM sets WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(sets),),
    )[0]
    return chunks or 0, max(1, words or 0)


def _occurrences(database: Database, sets: Sequence[int], phrases: Iterable[Phrase]) -> dict[int, int]:
    """By chunk, how often it holds any of the phrases; one in a heading counts more."""
    best: dict[int, int] = {}
    for phrase in phrases:
        counts = _single(database, sets, phrase[0]) if len(phrase) == 1 else _adjacent(database, sets, phrase)
        for id, count in counts:
            best[id] = max(count, best.get(id, 0))
    return best


def _single(database: Database, sets: Sequence[int], wanted: Wanted) -> list[tuple[int, int]]:
    condition, values = _condition(wanted)
    return database.rows(
        f"SELECT doc, sum(CASE col WHEN 'heading' THEN {_HEADING_WEIGHT} ELSE 1 END) FROM occurrences"
        f" WHERE {condition} AND {_WITHIN_SETS} GROUP BY doc",
        (*values, json.dumps(sets)),
    )


def _adjacent(database: Database, sets: Sequence[int], phrase: Phrase) -> list[tuple[int, int]]:
    """Of several terms that follow each other, those places are kept where the next one stands too."""
    places: set[tuple[int, str, int]] | None = None
    for wanted in phrase:
        condition, values = _condition(wanted)
        rows = database.rows(
            f"SELECT doc, col, offset - ? FROM occurrences WHERE {condition} AND {_WITHIN_SETS}",
            (wanted.offset, *values, json.dumps(sets)),
        )
        places = places.intersection(rows) if places is not None else set(rows)
        if not places:
            break
    counts: defaultdict[int, int] = defaultdict(int)
    for id, column, _ in places or ():
        counts[id] += _HEADING_WEIGHT if column == "heading" else 1
    return list(counts.items())


def _condition(wanted: Wanted) -> tuple[str, tuple[str, ...]]:
    if wanted.beginning:
        return "term >= ? AND term < ?", (wanted.term, f"{wanted.term}\U0010ffff")
    return "term = ?", (wanted.term,)


def _lengths(database: Database, ids: Iterable[int]) -> dict[int, int]:
    """The terms of each chunk's text."""
    return dict(
        database.rows(
            "SELECT chunks.id, words FROM json_each(?) JOIN chunks ON chunks.id = value",
            (json.dumps(list(ids)),),
        )
    )


def _loaded(database: Database, files: Mapping[int, int], ids: Sequence[int]) -> Iterator[Chunk]:
    """The chunks in the order of `ids`, read a few at a time."""
    for at in range(0, len(ids), _AT_ONCE):
        some = ids[at : at + _AT_ONCE]
        rows = database.rows(
            "SELECT chunks.id, first, stop, tokens, overlap FROM json_each(?)"
            " JOIN chunks ON chunks.id = value",
            (json.dumps(some),),
        )
        found = {id: Chunk(id, files[id >> schema.NUMBER_BITS], *rest) for id, *rest in rows}
        yield from (found[id] for id in some if id in found)


def _overlap(chunk: Chunk, part: Range) -> bool:
    file, start, end = part
    return chunk.file == file and chunk.start < end and start < chunk.end
