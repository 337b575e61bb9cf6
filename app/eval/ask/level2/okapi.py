"""BM25 over texts in memory, as the level-2 procedure searches."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

_K1, _B, _EPSILON = 1.5, 0.75, 0.25


class Okapi:
    """Scores of texts for queries: Robertson's BM25 with the usual floor for words that half of all have."""

    def __init__(self, texts: Sequence[str], words: Callable[[str], Sequence[str]]):
        """`words` gives the words of a text as they are compared."""
        self._words, self._count = words, len(texts)
        found: dict[str, list[tuple[int, int]]] = {}
        lengths = np.zeros(len(texts), np.float64)
        for number, text in enumerate(texts):
            counted = Counter(words(text))
            lengths[number] = counted.total()
            for word, times in counted.items():
                found.setdefault(word, []).append((number, times))
        self._postings = {word: np.array(pairs, np.int64) for word, pairs in found.items()}
        self._norm = _K1 * (1 - _B + _B * lengths / max(1.0, float(lengths.mean()) if len(texts) else 1.0))
        self._weights = self._inverse_frequencies()

    def scores(self, query: str) -> np.ndarray:
        """One score a text, float64; a word of the query counts as often as it stands there."""
        scores = np.zeros(self._count, np.float64)
        for word, times in Counter(self._words(query)).items():
            if word in self._postings:
                rows, counts = self._postings[word].T
                gain = counts * (_K1 + 1) / (counts + self._norm[rows])
                scores[rows] += times * self._weights[word] * gain
        return scores

    def _inverse_frequencies(self) -> dict[str, float]:
        weights = {
            word: float(np.log((self._count - len(rows) + 0.5) / (len(rows) + 0.5)))
            for word, rows in self._postings.items()
        }
        floor = _EPSILON * max(0.0, float(np.mean(list(weights.values())))) if weights else 0.0
        return {word: weight if weight >= 0 else floor for word, weight in weights.items()}
