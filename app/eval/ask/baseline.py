"""The published level-2 procedure as a contestant."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx

from app.eval.ask.level2.procedure import answer
from app.eval.ask.level2.sizes import Sizes
from app.eval.ask.level2.speaker import ModelSpeaker, Speaker
from app.eval.ask.outcome import Outcome
from app.eval.ask.words import words
from qwen2_mlx.loading import load


class Level2Contestant:
    """Reads the files anew for every question, and cites nothing."""

    def __init__(self, speaker: Speaker, sizes: Sizes, on_share: Callable[[float], None]):
        self._speaker, self._sizes, self._on_share = speaker, sizes, on_share

    def ask(self, question: str, files: Sequence[Path], previous: tuple[str, str] | None = None) -> Outcome:
        began, before = time.perf_counter(), self._speaker.usage
        texts = [path.read_text(encoding="utf-8") for path in files]
        reply = answer(
            self._speaker,
            words,
            self._sizes,
            question,
            texts,
            previous,
            lambda done, total: self._on_share(done / total),
        )
        return Outcome(
            text=reply,
            cites=False,
            standalone=question,
            usage=self._speaker.usage - before,
            seconds=time.perf_counter() - began,
        )


@contextmanager
def open_level2(model: str, on_share: Callable[[float], None]) -> Iterator[Level2Contestant]:
    """The procedure with a model of its own. Raises `Qwen2Error` when there is no such model."""
    mx.clear_cache()  # of whoever was asked before
    loaded, tokenizer = load(model)
    sizes = Sizes.for_length(loaded.args.trained_length)
    yield Level2Contestant(ModelSpeaker(loaded, tokenizer), sizes, on_share)
