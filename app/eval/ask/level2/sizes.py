"""How much the level-2 procedure handles at once."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Tokens of a chunk that is judged, of one that is searched for, and of all text of an answer; of the
    longest reply; and characters that a chunk repeats of the one before. The defaults are the published ones.
    """

    reading: int = 1000
    retrieval: int = 300
    budget: int = 4500
    reply: int = 512
    overlap: int = 150

    @classmethod
    def for_length(cls, trained_length: int) -> "Sizes":
        """The published sizes, or parts of the trained length where those would not fit.

        They were made for models trained at 32,768 tokens, and fit from 9,000 on. Below that a chunk to
        judge and the text of an answer fill half of the trained length, a chunk to search for an eighth.
        In strict proportion a model trained at 384 would judge 12 tokens a call, behind 150 of prompt.
        """
        full = cls()
        retrieval = min(full.retrieval, trained_length // 8)
        return cls(
            reading=min(full.reading, trained_length // 2),
            retrieval=retrieval,
            budget=min(full.budget, trained_length // 2),
            reply=min(full.reply, trained_length // 4),
            overlap=full.overlap * retrieval // full.retrieval,
        )
