"""How fast the models are on this machine, measured while they work and kept in the library.

Estimates are made from these rates alone: where a model has not been measured yet, how long it will
take is unknown, and is said to be.
"""

from collections import defaultdict

from app.ask.library import Library

#: Tokens of an answer that estimates assume.
_ANSWER_TOKENS = 64


class Speeds:
    """Rates in tokens a second of the answering model called `model` and the scout called `scout`.

    What is measured counts at once, and reaches the library with `save`: saving is a commit.
    """

    def __init__(self, library: Library, model: str, scout: str) -> None:
        self._library = library
        self._names = {
            "read": f"{scout}/read",
            "notes": f"{scout}/notes",
            "prefill": f"{model}/prefill",
            "generate": f"{model}/generate",
        }
        self._tokens: dict[str, int] = defaultdict(int)
        self._seconds: dict[str, float] = defaultdict(float)
        self._rough: float | None = None

    def measured(self, rate: str, tokens: int, seconds: float) -> None:
        """`tokens` took so long; `rate` is "read", "notes", "prefill" or "generate"."""
        if tokens > 0 and seconds > 0:
            self._tokens[rate] += tokens
            self._seconds[rate] += seconds

    def measured_reading(self, tokens: int, seconds: float) -> None:
        """The scout took so long for `tokens` of windows."""
        self.measured("read", tokens, seconds)

    def measured_roughly(self, tokens: int, seconds: float) -> None:
        """Scoring pieces shorter than a window took so long, which stands in until windows are measured."""
        if tokens > 0 and seconds > 0:
            self._rough = tokens / seconds

    def save(self) -> None:
        """Puts what was measured since the last call into the library's averages."""
        for rate, seconds in self._seconds.items():
            self._library.save_speed(self._names[rate], self._tokens[rate] / seconds)
        self._tokens.clear()
        self._seconds.clear()

    def rate(self, name: str) -> float | None:
        """Tokens a second: as measured now, else as stored, else None."""
        if self._seconds.get(name):
            return self._tokens[name] / self._seconds[name]
        return self._library.speed(self._names[name])

    def reading(self, tokens: int) -> float | None:
        """Seconds for the scout to score `tokens` of windows."""
        return _quotient(tokens, self.rate("read") or self._rough)

    def noting(self, tokens: int) -> float | None:
        """Seconds for taking notes of `tokens` of windows."""
        return _quotient(tokens, self.rate("notes"))

    def answering(self, tokens: int) -> float | None:
        """Seconds for an answer from `tokens` of evidence."""
        prefill = _quotient(tokens, self.rate("prefill"))
        generate = _quotient(_ANSWER_TOKENS, self.rate("generate"))
        return None if prefill is None or generate is None else prefill + generate


def _quotient(tokens: int, rate: float | None) -> float | None:
    return tokens / rate if rate else None
